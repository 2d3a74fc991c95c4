"""Real faces to hold drawn ones against: speakers' mean embeddings, single faces, and real faces that ask as drawn ones do."""

from __future__ import annotations

import hashlib

import numpy as np
from scipy.spatial.distance import cdist

from evaluation.extractors.base import Embedder
from evaluation.trial import Trial

SPARE = 4  # training faces a speaker that stand for "real faces": enough for a mean, cheap to embed
MEASURES = ("cosine", "l1", "l2")
EPSILON = 1e-6  # inside SF2F's distances
EQUAL = 1e-9  # a matrix product and a row sum round differently, so that nearness is equal to a tolerance


class Gallery:
    """One vector a speaker: the mean of the speaker's unit-length real embeddings, brought to unit length again.

    renormalise: False leaves the mean as it is, shorter than 1: SF2F's code, not its text. Cosines are the same.
    speakers: (P,), sorted. means: float64 (P, E). note: its size, for a score.
    """

    def __init__(self, trial: Trial, extractor: Embedder, renormalise: bool = True):
        self._trial, self._extractor, self._renormalise = trial, extractor, renormalise
        self.speakers, self._owner = np.unique(trial.gallery_speaker, return_inverse=True)
        self._units = self.embed(trial.gallery)
        self._sums, self._counts = sums_of(self._units, self._owner, len(self.speakers))
        self.means = self._mean(self._sums, self._counts)
        self.note = f"gallery of {len(self.speakers)} speakers, {len(trial.gallery)} faces"

    def embed(self, images: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, 3) -> float64 (N, E) of unit length. Raises ValueError where the extractor gives no number."""
        return _embedded(images, self._trial, self._extractor)

    def position(self, speaker: np.ndarray) -> np.ndarray:
        """(N,) -> row of each speaker in `means`; -1 for one without a real face."""
        return rows_of(speaker, self.speakers)

    def real_queries(self) -> tuple[np.ndarray, np.ndarray]:
        """Real faces in the place of drawn ones: uint8 (M, H, W, 3), and the speaker of each, (M,).

        They are training faces of the speakers, if there are some. For other speakers they are the targets, which are in the
        gallery themselves: compare those with means_without.
        """
        trial = self._trial
        faces, speaker = spare_faces(trial)
        rest = ~np.isin(trial.speaker, speaker)
        return np.concatenate([faces, trial.target[rest]]), np.concatenate([speaker, trial.speaker[rest]])

    def means_without(self, images: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Own means for real faces, each leaving out the face itself, which would otherwise be held against itself.

        images: uint8 (N, H, W, 3), real faces. position: (N,), rows of `means`. Returns float64 (N, E), as `means`;
        rows of NaN where the speaker has no other face.
        """
        copies: dict[tuple[bytes, int], list[int]] = {}
        for at, (image, owner) in enumerate(zip(self._trial.gallery, self._owner.tolist(), strict=True)):
            copies.setdefault((image.tobytes(), owner), []).append(at)
        means = np.full((len(images), self._extractor.dim), np.nan)
        for at, (image, owner) in enumerate(zip(images, position.tolist(), strict=True)):
            own = copies.get((image.tobytes(), owner), [])
            if owner >= 0 and self._counts[owner] > len(own):
                means[at] = self._mean(self._sums[owner] - self._units[own].sum(axis=0), self._counts[owner] - len(own))
        return means

    def _mean(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return unit(sums) if self._renormalise else sums / np.expand_dims(counts, -1)


class FaceGallery:
    """Every real face an entry of its own: the trial's gallery and targets, each picture of a speaker once.

    vectors: float64 (F, E) of unit length. owner: (F,), whose, sorted. note: its size, for a score.
    Source: Speech2Face's retrieval, where the true face of every clip stands for itself.
    """

    def __init__(self, trial: Trial, extractor: Embedder):
        self._trial, self._extractor = trial, extractor
        images = np.concatenate([trial.gallery, trial.target])
        keys = _keys(images, np.concatenate([trial.gallery_speaker, trial.speaker]))
        first = {key: at for at, key in reversed(list(enumerate(keys)))}
        self._row = {key: row for row, key in enumerate(sorted(first))}
        self.owner = np.array([owner for owner, _ in self._row], dtype=np.int64)
        self.vectors = self.embed(images[[first[key] for key in self._row]])
        self.note = f"gallery of {len(self.owner)} faces of {len(np.unique(self.owner))} speakers"

    def embed(self, images: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, 3) -> float64 (N, E) of unit length. Raises ValueError where the extractor gives no number."""
        return _embedded(images, self._trial, self._extractor)

    def position(self, images: np.ndarray, speaker: np.ndarray) -> np.ndarray:
        """(N, H, W, 3) and whose, (N,) -> row of each face in `vectors`; -1 for a face that is not there."""
        return np.array([self._row.get(key, -1) for key in _keys(images, speaker)], dtype=np.int64)

    def real_pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What another photograph of the right person would score.

        Returns faces that ask, uint8 (M, H, W, 3); whose, (M,); the row each is to find, a face of the same speaker, or
        -1 where there is no other; the row that is the asking face itself, or -1. Training faces ask where the speaker
        has some, else the targets.
        """
        trial = self._trial
        faces, speaker = spare_faces(trial)
        rest = ~np.isin(trial.speaker, speaker)
        faces, speaker = np.concatenate([faces, trial.target[rest]]), np.concatenate([speaker, trial.speaker[rest]])
        itself = self.position(faces, speaker)
        start, end = (np.searchsorted(self.owner, speaker, side) for side in ("left", "right"))
        count, turn = end - start, np.empty(len(speaker), dtype=np.int64)
        order = np.argsort(speaker, kind="stable")
        turn[order] = np.arange(len(speaker)) - np.searchsorted(speaker[order], speaker[order])
        # A face of the gallery is to find the speaker's next one; training faces take the speaker's in turn.
        after = np.where(itself >= 0, itself - start + 1, turn)
        found = start + after % np.maximum(count, 1)
        return faces, speaker, np.where(count > (itself >= 0), found, -1), itself


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


def nearness(queries: np.ndarray, references: np.ndarray, measure: str) -> np.ndarray:
    """(N, E) against (P, E) -> (N, P): cosine, or minus SF2F's distance, so that the nearer is the greater.

    SF2F: l1 = sum_d |u_d - p_d + 1e-6|, l2 the same with a 2-norm; p the query, of unit length.
    """
    if measure == "cosine":
        return queries @ unit(references).T
    return -cdist(queries, references + EPSILON, "cityblock" if measure == "l1" else "euclidean")


def own_nearness(queries: np.ndarray, references: np.ndarray, measure: str) -> np.ndarray:
    """nearness of each query to its own reference: (N, E) and (N, E) -> (N,); NaN where the reference is."""
    if measure == "cosine":
        return (queries * unit(references)).sum(axis=1)
    return -np.linalg.norm(references - queries + EPSILON, ord=1 if measure == "l1" else 2, axis=1)


def groups(trial: Trial, speakers: np.ndarray, attribute: str | None) -> tuple[np.ndarray, list[str]]:
    """Who may be confused with whom: (P,) speakers -> a group's number each, (P,), and the groups' names.

    -1 where the corpus does not say the speaker's attribute; one nameless group of all where none is asked for.
    """
    if attribute is None:
        return np.zeros(len(speakers), dtype=np.int64), [""]
    said = [trial.attributes.get(speaker, {}).get(attribute, "") for speaker in speakers.tolist()]
    names = sorted(set(said) - {""})
    place = {name: at for at, name in enumerate(names)}
    return np.array([place.get(one, -1) for one in said], dtype=np.int64), names


def rows_of(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Place of each value, (N,), in `known`, (P,), sorted; -1 for a value that is not there."""
    if not len(known):
        return np.full(len(values), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.where(known[at] == values, at, -1)


def sums_of(vectors: np.ndarray, owner: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, E) and whose, (N,) below `size`, -1 for nobody's -> everybody's sum, float64 (size, E), and number, (size,)."""
    kept, sums = owner >= 0, np.zeros((size, vectors.shape[1]))
    np.add.at(sums, owner[kept], vectors[kept])
    return sums, np.bincount(owner[kept], minlength=size)


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., E) -> the same of unit length; a zero vector stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _embedded(images: np.ndarray, trial: Trial, extractor: Embedder) -> np.ndarray:
    vectors = extractor(images, trial.face_box).astype(np.float64)
    if broken := int((~np.isfinite(vectors)).any(axis=1).sum()):
        # A comparison with NaN is false, which would count as "nobody is nearer".
        raise ValueError(f"{extractor.name}: {broken} of {len(images)} embeddings are not finite numbers. Check its weights.")
    return unit(vectors)


def _keys(images: np.ndarray, owner: np.ndarray) -> list[tuple[int, bytes]]:
    return [(who, hashlib.sha256(image.tobytes()).digest()) for who, image in zip(owner.tolist(), images, strict=True)]
