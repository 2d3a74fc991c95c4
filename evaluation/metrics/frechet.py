"""Frechet distance between drawn and real faces, in the space of a face embedder."""

from __future__ import annotations

import math

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.gallery import spare_faces
from evaluation.metrics.base import Metric, Score, Trial, skip


class Frechet(Metric):
    """Frechet distance |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) between normal laws fitted to two sets of faces.

    extractor: the face embedder; on any other net than Inception this is not FID, so its name stands in the metric's.
    The gallery's faces are the reference. It falls as faces are added, by more than systems differ when they are few:
    compare only at equal N, which the note gives. The interval is a jackknife over speakers, as resampling with
    replacement repeats faces and so biases a covariance. upper: training faces of the gallery's speakers, or, where
    they are unseen, one half of the gallery against the other half.
    """

    def __init__(self, extractor: Embedder):
        self.extractor = extractor

    def __call__(self, trial: Trial) -> list[Score]:
        name, label = f"frechet/{self.extractor.name}", self.extractor.label
        if len(trial.generated) < 2 or len(trial.gallery) < 2:
            why = f"two faces a set are needed, came {len(trial.generated)} generated and {len(trial.gallery)} real"
            return [skip(name, why, label, higher_is_better=False)]
        drawn = self.extractor(trial.generated, trial.face_box)
        real = self.extractor(trial.gallery, trial.face_box)
        value = frechet_distance(*moments(drawn), *moments(real))
        note = f"N = {len(drawn)} generated, {len(real)} real"
        other, reference = self.extractor(spare_faces(trial)[0], trial.face_box), real
        if len(other) < 2:
            halves = _halves(trial.gallery_speaker)
            other, reference = real[halves], real[~halves]
        upper = None
        if min(len(other), len(reference)) >= 2:
            upper = frechet_distance(*moments(other), *moments(reference))
            note += f"; real faces: {len(other)} against {len(reference)} others"
        return [
            Score(
                name,
                value,
                _jackknife(value, drawn, trial.speaker, real, trial.gallery_speaker),
                upper=upper,
                extractor=label,
                note=note + "; not FID; interval: jackknife over speakers",
                higher_is_better=False,
            )
        ]


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, E), N >= 2 -> mean (E,) and covariance (E, E), divided by N - 1, both float64."""
    features = np.asarray(features, dtype=np.float64)
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def frechet_distance(
    mean_a: np.ndarray, covariance_a: np.ndarray, mean_b: np.ndarray, covariance_b: np.ndarray
) -> float:
    """Squared Frechet (2-Wasserstein) distance of two normal laws, as FID is defined; never negative.

    tr (A B)^(1/2) is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric: no complex
    roots and nothing to add to a singular diagonal, as the usual matrix root needs.
    """
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    middle = root @ covariance_b @ root
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh((middle + middle.T) / 2), 0, None)).sum()
    shift = mean_a - mean_b
    return max(0.0, float(shift @ shift + np.trace(covariance_a) + np.trace(covariance_b) - 2 * overlap))


def _halves(speaker: np.ndarray) -> np.ndarray:
    """bool (N,): every second face of each speaker, so that both halves hold the same speakers as far as may be."""
    order = np.argsort(speaker, kind="stable")
    halves = np.zeros(len(speaker), dtype=bool)
    halves[order[::2]] = True
    return halves


def _jackknife(
    value: float, drawn: np.ndarray, speaker: np.ndarray, real: np.ndarray, real_speaker: np.ndarray
) -> tuple[float, float]:
    """95 % interval from the distances found when each speaker in turn is left out of both sets."""
    speakers = np.unique(np.concatenate([speaker, real_speaker]))
    left = []
    for one in speakers:
        kept, kept_real = drawn[speaker != one], real[real_speaker != one]
        if min(len(kept), len(kept_real)) < 2:
            return math.nan, math.nan
        left.append(frechet_distance(*moments(kept), *moments(kept_real)))
    count = len(left)
    if count < 2:
        return math.nan, math.nan
    error = 1.96 * math.sqrt((count - 1) / count * np.sum((np.array(left) - np.mean(left)) ** 2))
    return max(0.0, value - error), value + error
