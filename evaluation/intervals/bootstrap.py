"""95 % intervals by a bootstrap that resamples speakers, never single faces.

Faces drawn from one voice are not independent, so a speaker is the unit: values are averaged within each speaker, and
the speakers are resampled. The percentiles are widened as for a t interval ("expanded percentile", T. Hesterberg,
What Teachers Should Know About the Bootstrap, 2015): the plain percentile interval is too narrow for few speakers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95
_CHUNK = 4_000_000  # resampled indices held at once: 32 MB


@dataclass(frozen=True)
class Difference:
    """System A minus system B, over the speakers both have.

    mean: of the per-speaker differences. interval: 95 %. p: two-sided, for a true mean of 0. speakers: how many.
    All NaN where fewer than two speakers are shared.
    """

    mean: float
    interval: tuple[float, float]
    p: float
    speakers: int


def speaker_means(values: np.ndarray, speaker: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """values, speaker: (N,). Returns (speakers, means), both (P,), sorted by speaker; NaN values are left out."""
    values, speaker = np.asarray(values, dtype=np.float64), np.asarray(speaker)
    if values.shape != speaker.shape or values.ndim != 1:
        raise ValueError(f"values and speaker must be (N,) alike; came {values.shape} and {speaker.shape}.")
    kept = np.isfinite(values)
    speakers, position = np.unique(speaker[kept], return_inverse=True)
    counts = np.bincount(position, minlength=len(speakers))
    return speakers, np.bincount(position, values[kept], minlength=len(speakers)) / np.maximum(counts, 1)


def mean_over_speakers(values: np.ndarray, speaker: np.ndarray) -> float:
    """Mean of the speakers' means, so that each speaker counts once. values, speaker: (N,). NaN if there is no value."""
    means = speaker_means(values, speaker)[1]
    return float(means.mean()) if len(means) else math.nan


def mean_or_none(values: np.ndarray, speaker: np.ndarray) -> float | None:
    """mean_over_speakers, or None if no value is known, as Score.chance and Score.upper want it."""
    mean = mean_over_speakers(values, speaker)
    return None if math.isnan(mean) else mean


def interval(values: np.ndarray, speaker: np.ndarray, seed: int = 0, resamples: int = 10_000) -> tuple[float, float]:
    """95 % interval of mean_over_speakers. values, speaker: (N,). NaN for fewer than two speakers."""
    means = speaker_means(values, speaker)[1]
    if len(means) < 2:
        return math.nan, math.nan
    return widened_percentiles(_resampled_means(means, seed, resamples), len(means))


def paired_difference(
    values_a: np.ndarray,
    speaker_a: np.ndarray,
    values_b: np.ndarray,
    speaker_b: np.ndarray,
    seed: int = 0,
    resamples: int = 10_000,
) -> Difference:
    """A minus B on the speakers' means, paired by speaker. A: (N,), B: (M,). Speakers of only one of them are left out."""
    speakers_a, means_a = speaker_means(values_a, speaker_a)
    speakers_b, means_b = speaker_means(values_b, speaker_b)
    shared, at_a, at_b = np.intersect1d(speakers_a, speakers_b, assume_unique=True, return_indices=True)
    if len(shared) < 2:
        return Difference(math.nan, (math.nan, math.nan), math.nan, len(shared))
    differences = means_a[at_a] - means_b[at_b]
    drawn = _resampled_means(differences, seed, resamples)
    return Difference(
        float(differences.mean()), widened_percentiles(drawn, len(shared)), _p_value(drawn, len(shared)), len(shared)
    )


def _resampled_means(means: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK // len(means))
    return np.concatenate(
        [
            means[rng.integers(0, len(means), (min(rows, resamples - done), len(means)))].mean(axis=1)
            for done in range(0, resamples, rows)
        ]
    )


def widened_percentiles(drawn: np.ndarray, speakers: int) -> tuple[float, float]:
    """The 95 % interval of resampled values, (R,), widened for few speakers as Student's t is."""
    tail = stats.norm.cdf(math.sqrt(speakers / (speakers - 1)) * stats.t.ppf((1 - LEVEL) / 2, speakers - 1))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def _p_value(drawn: np.ndarray, speakers: int) -> float:
    """The level at which the widened interval just touches 0, so p < 0.05 and "0 is outside" agree."""
    below = ((drawn < 0).sum() + 0.5 * (drawn == 0).sum()) / len(drawn)
    below = min(max(below, 0.5 / len(drawn)), 1 - 0.5 / len(drawn))
    deviate = stats.norm.ppf(below) * math.sqrt((speakers - 1) / speakers)
    return float(2 * stats.t.cdf(-abs(deviate), speakers - 1))
