"""Drawn faces held against the voices' real ones, and the columns that most experiments' tables share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.detectors.base import Detector
from evaluation.extractors.base import Embedder
from evaluation.faces import FaceBox
from evaluation.intervals.bootstrap import interval, mean_over_speakers, paired_difference
from evaluation.real_faces.gallery import sums_of, unit
from gan.experiments._voice import Voice

# What `likeness` measures, in a sheet's words.
COLUMNS = (
    "similarity: cosine (dlib) to the speaker's mean real face; to_others: to the other speakers' mean real faces; "
    "change: from the first row, paired by speaker; real_similarity: of real faces; found: share in which MTCNN finds a "
    "face; real_found: of real faces."
)


@dataclass(frozen=True)
class Measured:
    """The mean over speakers and its 95 % interval, which resamples speakers; NaN where there is nothing."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def __str__(self) -> str:
        if math.isnan(self.value):
            return ""
        return f"{self.value:.3f}" + ("" if math.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]")


class Judge:
    """Holds drawn faces against the voices' real ones: dlib's embedding for likeness, MTCNN for whether there is a face."""

    def __init__(self, voices: Sequence[Voice], face_box: FaceBox, embedder: Embedder, detector: Detector, seed: int = 0):
        self.face_box, self.embedder, self.detector, self.seed = face_box, embedder, detector, seed
        self.real = np.concatenate([voice.faces for voice in voices])
        self.owner = np.repeat(np.arange(len(voices)), [len(voice.faces) for voice in voices])
        self._units = self.embed(self.real)
        self._sums, self._counts = sums_of(self._units, self.owner, len(voices))
        self.means = np.where(self._counts[:, None] > 0, unit(self._sums), np.nan)

    def embed(self, faces: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, 3) -> float64 (N, E) of unit length."""
        return unit(self.embedder(faces, self.face_box).astype(np.float64))

    def found(self, faces: np.ndarray) -> np.ndarray:
        """(N,): 1 where the detector finds a face, else 0."""
        return self.detector(faces).astype(np.float64)

    def to_real(self, embedded: np.ndarray, voice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cosine of each embedding to its voice's mean real face, and its mean cosine to the others': (N,) each.

        embedded: (N, E) of unit length. voice: (N,), places in `voices`. The second is what a face scores when it is handed to
        everybody else in turn: the shuffled control, without chance. NaN where there is no real face.
        """
        return self.own_and_others(embedded, voice, self.means)

    @staticmethod
    def own_and_others(embedded: np.ndarray, voice: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As to_real, to references (P, E), one a voice; rows of NaN are no voice's."""
        cosines = embedded @ references.T
        own = cosines[np.arange(len(voice)), voice]
        mine = np.arange(len(references)) == voice[:, None]
        others = np.isfinite(cosines) & ~mine
        count = others.sum(axis=1)
        total = np.where(others, cosines, 0.0).sum(axis=1)
        return own, np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def real_similarity(self) -> float:
        """What real faces score: each against the mean of the speaker's other real faces. NaN if nobody has two."""
        counts = self._counts[self.owner]
        without = unit(self._sums[self.owner] - self._units)
        return mean_over_speakers(np.where(counts > 1, (self._units * without).sum(axis=1), np.nan), self.owner)

    def real_found(self) -> float:
        """Share of real faces in which the detector finds one."""
        return mean_over_speakers(self.found(self.real), self.owner) if len(self.real) else math.nan

    def measure(self, values: np.ndarray, voice: np.ndarray) -> Measured:
        """values, voice: (N,). The mean over voices with its interval."""
        return Measured(mean_over_speakers(values, voice), *interval(values, voice, self.seed))

    def change(self, values: np.ndarray, voice: np.ndarray, before: np.ndarray, voice_before: np.ndarray) -> Measured:
        """values minus before, paired by voice."""
        found = paired_difference(values, voice, before, voice_before, self.seed)
        return Measured(found.mean, *found.interval)


def likeness(
    judge: Judge, faces: np.ndarray, voice: np.ndarray, first: tuple[np.ndarray, np.ndarray] | None
) -> tuple[dict[str, Any], tuple[np.ndarray, np.ndarray]]:
    """The columns that most tables share, of faces drawn for voices; and (values, voice) for the rows below to be compared with.

    They are explained in COLUMNS.
    """
    own, others = judge.to_real(judge.embed(faces), voice)
    values, before = first or (own, voice)
    return dict(
        speakers=len(np.unique(voice)),
        faces=len(faces),
        similarity=judge.measure(own, voice),
        to_others=judge.measure(others, voice),
        change=Measured(math.nan) if first is None else judge.change(own, voice, values, before),
        real_similarity=judge.real_similarity(),
        found=judge.measure(judge.found(faces), voice),
        real_found=judge.real_found(),
    ), (values, before)
