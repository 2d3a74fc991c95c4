"""Kernel distance between drawn and real faces (KID, on FID's net): unbiased, so its expected value does not depend on N."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.intervals.jackknife import grouped, spread_without
from evaluation.metrics.base import Metric, skip
from evaluation.real_faces.sets import by_content, feature_sets, named
from evaluation.trial import Score, Trial

GROUPS = 100  # of speakers, at most, left out in turn
_BLOCK = 2048  # rows of a kernel held at once


class KernelDistance(Metric):
    """Squared maximum mean discrepancy with the kernel (x . y / E + 1)^3, unbiased: 0 on average for one and the same law.

    extractor: {name: inception, weights: ...} makes it KID; on any other net its name stands in the metric's.
    The value is that of all faces; the published mean over random subsets tends to it. subsets, subset_size:
    for the spread (standard deviation) over such subsets, which the note gives; of at most half the faces each, as subsets of
    nearly all of them hardly differ. The interval is a jackknife over speakers. May be negative, and is
    where both sets show the same people.
    Source: M. Binkowski et al., Demystifying MMD GANs, ICLR 2018.
    """

    def __init__(self, extractor: Embedder, subsets: int = 100, subset_size: int = 1000):
        for key, number in (("subsets", subsets), ("subset_size", subset_size)):
            if number < 2:
                raise ValueError(f"kid.{key}: {number}; 2 or more.")
        self.extractor, self.subsets, self.subset_size = extractor, subsets, subset_size

    def __call__(self, trial: Trial) -> list[Score]:
        name, label = named("kid", self.extractor), self.extractor.label
        sets = feature_sets(trial, self.extractor)
        if why := sets.too_few(4):
            return [skip(name, why, label, higher_is_better=False)]
        group, group_real, groups = grouped(trial.speaker, trial.gallery_speaker, GROUPS)
        sums = _Sums.of(sets.drawn, group, sets.real, group_real, groups)
        value = sums.distance()
        interval = spread_without(value, [sums.without(one).distance() for one in range(groups)])
        upper = kernel_distance(sets.other, sets.reference) if sets.have_upper(2) else None
        size = min(self.subset_size, len(sets.drawn) // 2, len(sets.real) // 2)
        found = over_subsets(
            sets.drawn[by_content(sets.drawn)],
            sets.real[by_content(sets.real)],
            self.subsets,
            size,
            np.random.RandomState(trial.seed),
        )
        note = f"{sets.note}; spread over {self.subsets} subsets of {size}: {found.std():.2g}"
        note += "; interval: jackknife over speakers"
        return [Score(name, value, interval, upper=upper, extractor=label, note=note, higher_is_better=False)]


def kernel_distance(drawn: np.ndarray, real: np.ndarray) -> float:
    """Unbiased squared MMD with the cubic kernel. drawn: (N, E), real: (M, E), N and M >= 2."""
    return _Sums.of(drawn, np.zeros(len(drawn), dtype=np.int64), real, np.zeros(len(real), dtype=np.int64), 1).distance()


def over_subsets(drawn: np.ndarray, real: np.ndarray, subsets: int, size: int, random: np.random.RandomState) -> np.ndarray:
    """(subsets,): the distance of so many random subsets, chosen in the order in which torch-fidelity chooses them."""
    found = []
    for _ in range(subsets):
        some = drawn[random.choice(len(drawn), size, replace=False)]
        found.append(kernel_distance(some, real[random.choice(len(real), size, replace=False)]))
    return np.array(found)


@dataclass(frozen=True)
class _Sums:
    """Sums of the kernel over pairs of different faces, by the groups of the two: drawn pairs, real pairs, mixed; (G, G) each.

    counts, counts_real: faces of each group, (G,).
    """

    drawn: np.ndarray
    real: np.ndarray
    mixed: np.ndarray
    counts: np.ndarray
    counts_real: np.ndarray

    @classmethod
    def of(cls, drawn: np.ndarray, group: np.ndarray, real: np.ndarray, group_real: np.ndarray, groups: int) -> _Sums:
        drawn, real = drawn.astype(np.float64), real.astype(np.float64)
        of, of_real = (np.eye(groups)[one] for one in (group, group_real))
        itself, itself_real = ((np.square(faces).mean(axis=1) + 1) ** 3 for faces in (drawn, real))
        return cls(
            _kernel_sums(drawn, of, drawn, of) - np.diag(itself @ of),
            _kernel_sums(real, of_real, real, of_real) - np.diag(itself_real @ of_real),
            _kernel_sums(drawn, of, real, of_real),
            of.sum(axis=0),
            of_real.sum(axis=0),
        )

    def without(self, group: int) -> _Sums:
        kept = np.arange(len(self.counts)) != group
        both = np.ix_(kept, kept)
        return _Sums(self.drawn[both], self.real[both], self.mixed[both], self.counts[kept], self.counts_real[kept])

    def distance(self) -> float:
        """NaN where fewer than two faces are left of either set."""
        count, count_real = self.counts.sum(), self.counts_real.sum()
        if min(count, count_real) < 2:
            return math.nan
        return float(
            self.drawn.sum() / (count * (count - 1))
            + self.real.sum() / (count_real * (count_real - 1))
            - 2 * self.mixed.sum() / (count * count_real)
        )


def _kernel_sums(a: np.ndarray, of_a: np.ndarray, b: np.ndarray, of_b: np.ndarray) -> np.ndarray:
    """Sum of k(x, y) over the pairs of each two groups. a: (N, E); of_a: (N, G), 1 at each face's group. Returns (G, G)."""
    sums = np.zeros((of_a.shape[1], of_b.shape[1]))
    for at in range(0, len(a), _BLOCK):
        kernel = (a[at : at + _BLOCK] @ b.T / a.shape[1] + 1) ** 3
        sums += of_a[at : at + _BLOCK].T @ (kernel @ of_b)
    return sums
