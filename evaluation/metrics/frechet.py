"""Frechet distance between drawn and real faces, in the space of an embedder: FID, where that is FID's own net."""

from __future__ import annotations

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.intervals.jackknife import jackknife
from evaluation.metrics.base import Metric, skip
from evaluation.real_faces.sets import Law, feature_sets, fit, fit_once, named, root_of
from evaluation.trial import Score, Trial

GROUPS, GROUPS_WIDE, WIDE = 100, 10, 512  # left out in turn; above 512 dimensions a distance takes seconds


class Frechet(Metric):
    """Frechet distance |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) between normal laws fitted to two sets of faces.

    extractor: {name: inception, weights: ...} makes it FID; on any other net its name stands in the metric's.
    The gallery's faces are the reference. It falls as faces are added, by more than systems differ when they are few:
    compare only at equal N, which the note gives; it warns of fewer than twice the features' length. The interval is a jackknife
    over speakers. upper: training faces of the gallery's speakers, as many as were drawn where there are so many, or, of unseen
    speakers, one half of the gallery against the other half.
    """

    def __init__(self, extractor: Embedder):
        self.extractor = extractor

    def __call__(self, trial: Trial) -> list[Score]:
        name, label = named("frechet", self.extractor, "fid"), self.extractor.label
        sets = feature_sets(trial, self.extractor)
        if why := sets.too_few(2):
            return [skip(name, why, label, higher_is_better=False)]
        value = distance(fit(sets.drawn), fit_once(sets.real, label))
        upper = distance(fit(sets.other), fit_once(sets.reference, label)) if sets.have_upper(2) else None
        groups = GROUPS if self.extractor.dim <= WIDE else GROUPS_WIDE

        def without(kept: np.ndarray, kept_real: np.ndarray) -> float:
            if min(kept.sum(), kept_real.sum()) < 2:
                return np.nan
            return distance(fit(sets.drawn[kept]), fit(sets.real[kept_real]))

        low, high = jackknife(value, without, trial.speaker, trial.gallery_speaker, groups)
        note = f"{sets.note}{'' if name == 'fid' else '; not FID'}; interval: jackknife over at most {groups} groups of speakers"
        if min(len(sets.drawn), len(sets.real)) < 2 * self.extractor.dim:
            note += f"; fewer faces than twice the {self.extractor.dim} dimensions: the value is mostly that of their number"
        return [Score(name, value, (max(0.0, low), high), upper=upper, extractor=label, note=note, higher_is_better=False)]


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, E), N >= 2 -> mean (E,) and covariance (E, E), divided by N - 1, both float64."""
    features = np.asarray(features, dtype=np.float64)
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def frechet_distance(mean_a: np.ndarray, covariance_a: np.ndarray, mean_b: np.ndarray, covariance_b: np.ndarray) -> float:
    """Squared Frechet (2-Wasserstein) distance of two normal laws, as FID is defined; never negative.

    With any R of which R^T R = C, tr (C1 C2)^(1/2) is the sum of the roots of the eigenvalues of (R1 R2^T)(R1 R2^T)^T, which
    is symmetric: no complex roots and nothing to add to a singular diagonal, as the usual matrix root needs.
    Raises ValueError for a mean that is not finite.
    """
    return distance(Law(mean_a, root_of(covariance_a)), Law(mean_b, root_of(covariance_b)))


def distance(a: Law, b: Law) -> float:
    """frechet_distance of laws whose roots are known; the fewer the faces, the smaller the eigenvalue problem."""
    shift = a.mean - b.mean
    if not np.isfinite(shift).all():
        raise ValueError("frechet distance: a mean that is no finite number, so the features were none.")
    cross = a.root @ b.root.T
    gram = cross @ cross.T if len(cross) <= cross.shape[1] else cross.T @ cross
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0, None)).sum()
    return max(0.0, float(shift @ shift + np.sum(a.root**2) + np.sum(b.root**2) - 2 * overlap))
