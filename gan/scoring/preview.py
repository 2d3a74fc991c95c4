"""Some faces of an evaluation for a person to look at: what `voxface evaluate --sheet` shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.trial import Trial
from gan.config import Evaluation
from gan.data.corpus import Corpus
from gan.data.dataset import rng
from gan.run import Run
from gan.scoring.requests import Condition
from gan.scoring.rows import label_of
from gan.scoring.systems import Noise, System

STREAM_SHOWN = 106
SHOWN, FEWEST, MOST = 12, 4, 8      # voices that are shown: in all, and the least and the most of a split
HEARD = {"speech": "voices trained on, in recordings that were not", "speaker": "voices that were not trained on"}


class Shown:
    """Faces of an evaluation for a person to look at: of some voices of each split, from the first run at the longest clips.

    title, notes: what they are. columns: a caption a voice. pictures: rows, a caption and a uint8 (H, W, 3) face a voice: the
    true ones, then every system's but the noise. scored: how many scores the evaluation gave.
    """

    def __init__(self, corpus: Corpus, settings: Evaluation, splits: Sequence[str]):
        self._corpus, self._seed, self._seconds = corpus, settings.seed, max(settings.seconds)
        self._of_each = min(MOST, max(FEWEST, SHOWN // len(splits)))
        self._faces: dict[str, dict[tuple[str, int], np.ndarray]] = {"true face": {}}
        self._about: dict[str, None] = {}
        self.scored = 0
        self.title = f"{corpus.name}: faces from {self._seconds:g} s of speech, protocol {settings.protocol}"

    def add(self, system: System, run: Run | None, condition: Condition, trial: Trial) -> None:
        """What a system drew, if it is among what is shown."""
        if condition.seconds != self._seconds:
            return
        asked = np.flatnonzero(trial.run == 0)
        asked = asked[np.sort(rng(self._seed, STREAM_SHOWN, 0).permutation(len(asked))[:self._of_each])]
        rows = {"true face": trial.target}
        if not isinstance(system, Noise):
            rows[system.name if run is None else f"{system.name}, step {run.step}"] = trial.generated
            self._about[system.about] = None
        for caption, faces in rows.items():
            self._faces.setdefault(caption, {}).update({(condition.split, int(trial.speaker[at])): faces[at] for at in asked})

    @property
    def columns(self) -> list[str]:
        return [f"{label_of(split).replace('_', ' ')}\n{self._corpus.speakers[speaker]['speaker']}"
                for split, speaker in self._faces["true face"]]

    @property
    def pictures(self) -> list[tuple[str, list[np.ndarray | None]]]:
        return [(caption, list(faces.values())) for caption, faces in self._faces.items()]

    @property
    def notes(self) -> list[str]:
        splits = dict.fromkeys(split for split, _ in self._faces["true face"])
        heard = [f"{label_of(split).replace('_', ' ')}: {HEARD.get(split.rpartition('_')[2], 'what was trained on')}"
                 for split in splits]
        return [f"Voices drawn by seed {self._seed}, one face of each, from the first run. {'; '.join(heard)}.",
                *(f"{about}." for about in self._about if about)]
