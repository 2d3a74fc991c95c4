"""The fixed voices whose faces a run shows while it is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gan.config import Config
from gan.data.audio import middle
from gan.data.corpus import Corpus
from gan.model import Generator
from gan.training.logger import Logger
from gan.training.optimisers import Average


class FixedVoices:
    """The same few voices (or faces, where the model reads faces) all through training, of held-out recordings if there are some.

    audible: whether there is sound to hear.
    shown: whether there are faces to show: the model draws some, and logging.num_images and the corpus leave it a voice.
    """

    def __init__(self, corpus: Corpus, config: Config, generator: Generator):
        split = next((s for s in ("val_speech", "train") if len(corpus.in_split(corpus.clips, s))), "train")
        clips, faces = corpus.in_split(corpus.clips, split), corpus.in_split(corpus.faces, split)
        speakers, first = np.unique(corpus.clips["speaker"][clips], return_index=True)
        chosen = clips[first[np.isin(speakers, corpus.faces["speaker"][faces])][: config.logging.num_images]]
        self.corpus, self.seconds = corpus, config.data.clip_seconds[1]
        self.shown = generator.decoder is not None and len(chosen) > 0
        self.reads = generator.reads
        self.audible = self.reads == "waveform" and not corpus.mels
        of_speaker = [faces[corpus.faces["speaker"][faces] == corpus.clips["speaker"][clip]][0] for clip in chosen]
        self.real = corpus.pixels(of_speaker, max(generator.image_sizes if self.shown else corpus.face_sizes))
        self.items = self._items(chosen.tolist(), of_speaker)
        self.names = [corpus.speakers[corpus.clips["speaker"][clip]]["speaker"] for clip in chosen]

    def _items(self, clips: Sequence[int], faces: Sequence[int]) -> list[np.ndarray]:
        if self.reads == "face":
            return list(self.corpus.pixels(faces, max(self.corpus.face_sizes)))
        return [middle(self.corpus.speech(clip), self.seconds, self.corpus.stored.rate_hz) for clip in clips]

    def faces(self, generator: Generator, average: Average | None) -> dict[str, np.ndarray]:
        drawn = {"image/real": self.real, "image/fake": generator.draw(self.items)}
        return drawn | ({"image/ema": average.generator.draw(self.items)} if average is not None else {})

    def project(self, logger: Logger, step: int, generator: Generator, count: int) -> None:
        """Up to count training voices into TensorBoard's projector."""
        clips = self.corpus.in_split(self.corpus.clips, "train")
        faces = self.corpus.in_split(self.corpus.faces, "train")
        clips = clips[np.isin(self.corpus.clips["speaker"][clips], self.corpus.faces["speaker"][faces])]
        clips = clips[np.linspace(0, len(clips) - 1, min(count, len(clips))).astype(int)]
        if not len(clips):
            return
        speakers = self.corpus.clips["speaker"][clips]
        first = {s: faces[self.corpus.faces["speaker"][faces] == s][0] for s in np.unique(speakers)}
        shown = [first[s] for s in speakers]
        logger.embeddings(
            step,
            generator.embeddings(self._items(clips.tolist(), shown)),
            [self.corpus.speakers[s]["speaker"] for s in speakers],
            self.corpus.pixels(shown, min(self.corpus.face_sizes)),
        )
