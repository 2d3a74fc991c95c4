"""What an evaluation shows a person: some faces (`voxface evaluate --sheet`), and whom they were taken for (`--confusion`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from evaluation.confusion import confusion, draw_confusion
from evaluation.trial import Score
from gan.config import Evaluation
from gan.data.corpus import Corpus
from gan.data.dataset import rng
from gan.run import Run
from gan.scoring.requests import Condition
from gan.scoring.rows import Evaluated, label_of
from gan.scoring.systems import Noise, System

STREAM_SHOWN = 106
SHOWN, FEWEST, MOST = 12, 4, 8  # voices that are shown: in all, and the least and the most of a split
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
        self._taken: list[tuple[str, np.ndarray, Score]] = []
        self.scored = 0
        self.title = f"{corpus.name}: faces from {self._seconds:g} s of speech, protocol {settings.protocol}"

    def add(self, system: System, run: Run | None, condition: Condition, evaluated: Evaluated) -> None:
        """What a system drew, and whom its faces were taken for, if that is among what is shown."""
        self.scored += sum(not score.skipped for score in evaluated.scores)
        trial = evaluated.trial
        if trial is None:
            return
        of = f"{system.name}, {label_of(condition.split)}, {condition.seconds:g} s"
        self._taken += [(of, trial.speaker, score) for score in evaluated.scores if "predicted" in score.details]
        if condition.seconds != self._seconds:
            return
        asked = np.flatnonzero(trial.run == 0)
        asked = asked[np.sort(rng(self._seed, STREAM_SHOWN, 0).permutation(len(asked))[: self._of_each])]
        rows = {"true face": trial.target}
        if not isinstance(system, Noise):
            rows[system.name if run is None else f"{system.name}, step {run.step}"] = trial.generated
            self._about[system.about] = None
        for caption, faces in rows.items():
            self._faces.setdefault(caption, {}).update({(condition.split, int(trial.speaker[at])): faces[at] for at in asked})

    @property
    def columns(self) -> list[str]:
        return [
            f"{label_of(split).replace('_', ' ')}\n{self._corpus.speakers[speaker]['speaker']}"
            for split, speaker in self._faces["true face"]
        ]

    @property
    def pictures(self) -> list[tuple[str, list[np.ndarray | None]]]:
        return [(caption, list(faces.values())) for caption, faces in self._faces.items()]

    @property
    def notes(self) -> list[str]:
        splits = dict.fromkeys(split for split, _ in self._faces["true face"])
        heard = [
            f"{label_of(split).replace('_', ' ')}: {HEARD.get(split.rpartition('_')[2], 'what was trained on')}"
            for split in splits
        ]
        return [
            f"Voices drawn by seed {self._seed}, one face of each, from the first run. {'; '.join(heard)}.",
            *(f"{about}." for about in self._about if about),
        ]

    def confusions(self) -> Iterator[tuple[str, Image.Image]]:
        """For whom a classifier took each speaker's faces: a picture for each time that a metric asked one, and whose it is."""
        for of, speaker, score in self._taken:
            assert score.items is not None
            speakers, matrix = confusion(speaker, score.details["predicted"], score.items)
            names = [self._corpus.speakers[number]["speaker"] for number in speakers]
            yield of, draw_confusion(names, matrix, f"{of}: {score.extractor}")
