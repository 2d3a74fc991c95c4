"""Correlation over speakers between what was drawn and what is true, with its interval and what luck alone would give."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evaluation.intervals.bootstrap import widened_percentiles

FEWEST = 3  # speakers; any two points lie on a line


@dataclass(frozen=True)
class Correlation:
    """value: Pearson's r. interval: 95 %. spread: standard deviation of r over pairings of drawn and true at random.

    resampled: r of each bootstrap sample, (R,), from which means over several correlations get their interval.
    """

    value: float
    interval: tuple[float, float]
    spread: float
    resampled: np.ndarray


def correlation(drawn: np.ndarray, true: np.ndarray, seed: int = 0) -> Correlation:
    """drawn, true: (P,), a value a speaker, P >= 3, in the same order of speakers. Resamples speakers."""
    value = float(pearson(drawn, true))
    chosen = resampled_speakers(len(drawn), seed)
    resampled = pearson(drawn[chosen], true[chosen])
    # Over all pairings the mean of r is 0 and its variance 1 / (P - 1) exactly; of a constant r is 0 in all of them.
    spread = 1 / math.sqrt(len(drawn) - 1) if value else 0.0
    return Correlation(value, interval_holding(resampled, value, len(drawn)), spread, resampled)


def pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's r along the last axis, (..., P) twice -> (...). 0 if either does not vary: one value for all tells nothing."""
    (a, spread_a), (b, spread_b) = _centred(a), _centred(b)
    product = spread_a * spread_b
    return np.where(product > 0, np.clip((a * b).sum(axis=-1) / np.where(product > 0, product, 1.0), -1, 1), 0.0)


def _centred(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., P) less its mean, and that vector's length, 0 where the values differ by their rounding only."""
    centred = values - values.mean(axis=-1, keepdims=True)
    length, whole = np.linalg.norm(centred, axis=-1), np.linalg.norm(values, axis=-1)
    return centred, np.where(length > 1e-12 * whole, length, 0.0)


def resampled_speakers(speakers: int, seed: int, resamples: int = 2000) -> np.ndarray:
    """(resamples, speakers) positions, drawn with replacement; the same for the same seed and number."""
    return np.random.default_rng(seed).integers(0, speakers, (resamples, speakers))


def interval_holding(resampled: np.ndarray, value: float, speakers: int) -> tuple[float, float]:
    """95 % interval of resampled values, (R,), widened as in evaluation/intervals/bootstrap.py, that contains `value`."""
    low, high = widened_percentiles(resampled, speakers)
    return min(low, value), max(high, value)
