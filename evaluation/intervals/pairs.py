"""Intervals for figures made of pairs of speakers, such as an error rate over imposters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from evaluation.intervals.bootstrap import LEVEL


def pair_intervals(
    statistics: Callable[[np.ndarray], Sequence[float]],
    values: Sequence[float],
    speakers: int,
    seed: int = 0,
    bounds: tuple[float, float] = (0.0, 1.0),
    resamples: int = 1000,
) -> list[tuple[float, float]]:
    """95 % intervals of figures in which every speaker meets every other: value -/+ t times its bootstrap error.

    statistics: how often each speaker was drawn, float64 (P,) -> the figures; a pair counts as the product of its two
    speakers; NaN for a figure that is undefined. values: the figures themselves. bounds: their possible range.
    Both sides of a pair are resampled together; an interval of the faces' own values would miss one side. Percentiles are
    not used: a resampled speaker never meets its own copy, which shifts them. NaN for fewer than three speakers.
    """
    if speakers < 3:
        return [(math.nan, math.nan) for _ in values]
    rng = np.random.default_rng(seed)
    drawn = np.array(
        [
            statistics(np.bincount(rng.integers(0, speakers, speakers), minlength=speakers).astype(np.float64))
            for _ in range(resamples)
        ]
    )
    # sqrt(P / (P - 1)) and t: a bootstrap's error is too small for few speakers.
    widening = stats.t.ppf((1 + LEVEL) / 2, speakers - 1) * math.sqrt(speakers / (speakers - 1))
    found = []
    for value, column in zip(values, drawn.T, strict=True):
        said = column[np.isfinite(column)]
        spread = widening * said.std() if len(said) > 1 else math.nan
        low, high = np.clip([value - spread, value + spread], *bounds)
        found.append((float(low), float(high)))
    return found
