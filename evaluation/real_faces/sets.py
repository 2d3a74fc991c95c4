"""What every comparison of two sets of faces needs: features of both, real faces to set against real faces, and normal laws.

One pass of the net serves all metrics, as features are cached by content; so are the laws fitted to real faces.
"""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from evaluation.cache import cache_folder, read_kept, write_atomically
from evaluation.extractors.base import Embedder
from evaluation.trial import Trial


@dataclass(frozen=True)
class Sets:
    """Features, (., E) float32, of drawn and of real faces; and of two sets of real faces for the same metric.

    other: at most as many as were drawn. note: how many of each.
    """

    drawn: np.ndarray
    real: np.ndarray
    other: np.ndarray
    reference: np.ndarray
    note: str

    def too_few(self, needed: int) -> str:
        """Why these sets cannot be compared; "" if they can."""
        if min(len(self.drawn), len(self.real)) >= needed:
            return ""
        return f"{needed} faces a set are needed, came {len(self.drawn)} generated and {len(self.real)} real"

    def have_upper(self, needed: int) -> bool:
        return min(len(self.other), len(self.reference)) >= needed


def feature_sets(trial: Trial, extractor: Embedder) -> Sets:
    """Drawn faces and the gallery. For the upper bound: training faces of its speakers against the gallery or, if they are
    unseen, one half of the gallery against the other.

    Raises ValueError if the extractor gives a feature that is no finite number.
    """
    drawn, real = _embed(trial.generated, "generated", trial, extractor), _embed(trial.gallery, "gallery", trial, extractor)
    spare = _spare(trial, len(drawn))
    if len(spare) >= 2:
        other, reference = _embed(trial.training[spare], "training", trial, extractor), real
    else:
        half = _half(trial.gallery_speaker)
        other, reference = real[half], real[~half]
        other = other[: len(drawn)]
    note = f"N = {len(drawn)} generated, {len(real)} real; real faces: {len(other)} against {len(reference)} others"
    return Sets(drawn, real, other, reference, note)


def named(metric: str, extractor: Embedder, on_fids: str | None = None) -> str:
    """The metric's name with the extractor's, since that decides what it means. On FID's own published net: on_fids, or bare."""
    if getattr(extractor, "is_fids", False):
        return on_fids or metric
    return f"{metric}/{extractor.name}"


def by_content(features: np.ndarray) -> np.ndarray:
    """(N,) indices that sort the rows by what they hold, so that a seeded choice does not depend on their order."""
    return np.array(sorted(range(len(features)), key=lambda at: features[at].tobytes()), dtype=np.int64)


@dataclass(frozen=True)
class Law:
    """A normal law. mean: (E,). root: (R, E), any whose root.T @ root is the covariance, R <= E; both float64."""

    mean: np.ndarray
    root: np.ndarray


def fit(features: np.ndarray) -> Law:
    """(N, E), N >= 2 -> the law with their mean and covariance, divided by N - 1."""
    features = np.asarray(features, dtype=np.float64)
    mean = features.mean(axis=0)
    centred = (features - mean) / np.sqrt(len(features) - 1)
    few = len(features) <= features.shape[1]
    return Law(mean, centred if few else root_of(centred.T @ centred))


def fit_once(features: np.ndarray, label: str) -> Law:
    """fit of features (N, E), kept on disk by content: many systems meet the same real faces. label: the extractor's."""
    features = np.ascontiguousarray(features)
    digest = hashlib.sha256(f"{label}, {features.dtype} {features.shape}".encode())
    digest.update(features[by_content(features)].tobytes())
    path = cache_folder("reference") / f"{digest.hexdigest()}.npz"
    content = read_kept(path) if path.exists() else io.BytesIO()
    try:
        with np.load(content, allow_pickle=False) as kept:
            return Law(kept["mean"], kept["root"])
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or damaged: made again
        law = fit(features)
        write_atomically(path, functools.partial(np.savez, mean=law.mean, root=law.root))
        return law


def root_of(covariance: np.ndarray) -> np.ndarray:
    """(E, E), positive semi-definite -> (rank, E) whose transpose times itself it is: Cholesky's, pivoted if it is singular."""
    try:
        return np.linalg.cholesky(covariance).T
    except np.linalg.LinAlgError:
        factor, pivots, rank, _ = lapack.dpstrf(covariance)
        root = np.zeros((rank, len(covariance)))
        root[:, pivots - 1] = np.triu(factor)[:rank]
        return root


def _embed(images: np.ndarray, name: str, trial: Trial, extractor: Embedder) -> np.ndarray:
    features = extractor(images, trial.face_box)
    if bad := int((~np.isfinite(features)).any(axis=1).sum()):
        raise ValueError(f"{name}: {extractor.name} gives no finite features for {bad} of {len(images)} faces.")
    return features


def _spare(trial: Trial, count: int) -> list[int]:
    """Indices of at most `count` training faces of the gallery's speakers that are not in the gallery, the speakers in turn."""
    own = np.flatnonzero(np.isin(trial.training_speaker, trial.gallery_speaker))
    speaker = trial.training_speaker[own]
    order = np.argsort(speaker, kind="stable")
    first = np.searchsorted(speaker[order], speaker[order])
    turn = np.empty(len(own), dtype=np.int64)
    turn[order] = np.arange(len(own)) - first  # a face is its speaker's turn-th
    held = {image.tobytes() for image in trial.gallery}
    kept: list[int] = []
    for at in own[np.lexsort((speaker, turn))].tolist():
        if len(kept) == count:
            break
        if trial.training[at].tobytes() not in held:
            kept.append(at)
    return kept


def _half(speaker: np.ndarray) -> np.ndarray:
    """bool (N,): every second face of each speaker, so that both halves hold the same speakers as far as may be."""
    order = np.argsort(speaker, kind="stable")
    half = np.zeros(len(speaker), dtype=bool)
    half[order[::2]] = True
    return half
