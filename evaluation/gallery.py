"""Real faces to hold drawn ones against: the speakers' mean embeddings, and real faces that ask as drawn ones do."""

from __future__ import annotations

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.metrics.base import Trial

SPARE = 4  # training faces a speaker that stand for "real faces": enough for a mean, cheap to embed


class Gallery:
    """One unit vector a speaker: the mean of the speaker's unit-length real embeddings, brought to unit length again.

    speakers: (P,), sorted. means: float64 (P, E). note: its size, for a score.
    """

    def __init__(self, trial: Trial, extractor: Embedder):
        self._trial, self._extractor = trial, extractor
        self.speakers, self._owner = np.unique(trial.gallery_speaker, return_inverse=True)
        self._units = self.embed(trial.gallery)
        self._sums = np.zeros((len(self.speakers), extractor.dim))
        np.add.at(self._sums, self._owner, self._units)
        self.means = unit(self._sums)
        self.note = f"gallery of {len(self.speakers)} speakers, {len(trial.gallery)} faces"

    def embed(self, images: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, 3) -> float64 (N, E) of unit length."""
        return unit(self._extractor(images, self._trial.face_box).astype(np.float64))

    def position(self, speaker: np.ndarray) -> np.ndarray:
        """(N,) -> row of each speaker in `means`; -1 for one without a real face."""
        row = {known: at for at, known in enumerate(self.speakers.tolist())}
        return np.array([row.get(one, -1) for one in speaker.tolist()], dtype=np.int64)

    def real_queries(self) -> tuple[np.ndarray, np.ndarray]:
        """What real faces would score: uint8 (M, H, W, 3) and whose, (M,).

        Training faces of the speakers where there are some, as they meet the gallery just as drawn faces do; of other
        speakers the targets, which are part of the gallery themselves: hold them against means_without.
        """
        trial = self._trial
        faces, speaker = spare_faces(trial)
        rest = ~np.isin(trial.speaker, speaker)
        return np.concatenate([faces, trial.target[rest]]), np.concatenate([speaker, trial.speaker[rest]])

    def means_without(self, images: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Own means for real faces, each leaving out the face itself, which would otherwise be held against itself.

        images: uint8 (N, H, W, 3), real faces. position: (N,), rows of `means`. Returns float64 (N, E) of unit length;
        rows of NaN where the speaker has no other face.
        """
        copies: dict[tuple[bytes, int], list[int]] = {}
        for at, (image, owner) in enumerate(zip(self._trial.gallery, self._owner.tolist(), strict=True)):
            copies.setdefault((image.tobytes(), owner), []).append(at)
        counts = np.bincount(self._owner, minlength=len(self.speakers))
        means = np.full((len(images), self._extractor.dim), np.nan)
        for at, (image, owner) in enumerate(zip(images, position.tolist(), strict=True)):
            own = copies.get((image.tobytes(), owner), [])
            if owner >= 0 and counts[owner] > len(own):
                means[at] = unit(self._sums[owner] - self._units[own].sum(axis=0))
        return means


def spare_faces(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """Real faces of the gallery's speakers that are not in the gallery: uint8 (M, H, W, 3) and whose, (M,).

    They are training faces, up to SPARE a speaker; there are none for unseen speakers.
    """
    kept: list[int] = []
    held = {image.tobytes() for image in trial.gallery}
    for speaker in np.unique(trial.gallery_speaker):
        own = np.flatnonzero(trial.training_speaker == speaker)[:SPARE].tolist()
        kept += [at for at in own if trial.training[at].tobytes() not in held]
    return trial.training[kept], trial.training_speaker[kept]


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., E) -> the same of unit length; a zero vector stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
