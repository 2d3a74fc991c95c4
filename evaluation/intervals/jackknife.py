"""95 % intervals of what is not a mean of single faces' values: a jackknife that leaves speakers out.

Resampling with replacement repeats faces, which biases covariances, nearest neighbours and unbiased estimates alike; leaving
out does not. Above a number of speakers they are left out in groups (delete-a-group jackknife, P. Kott, 2001), which costs less
and says the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from evaluation.intervals.bootstrap import LEVEL


def jackknife(
    value: float, statistic: Callable[[np.ndarray, np.ndarray], float], drawn: np.ndarray, real: np.ndarray, groups: int
) -> tuple[float, float]:
    """95 % interval of a statistic of two sets of faces. Each group of speakers is left out in turn.

    value: of all faces. statistic: takes bool (N,) and bool (M,), the faces that stay. drawn: (N,), real: (M,), the speaker of
    each face. groups: at most so many. NaN if there are fewer than two speakers, or if the statistic is NaN without a group.
    """
    group, group_real, count = grouped(drawn, real, groups)
    if count < 2:
        return math.nan, math.nan
    return spread_without(value, [statistic(group != one, group_real != one) for one in range(count)])


def grouped(drawn: np.ndarray, real: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Speakers (N,) and (M,) -> the group of each face, (N,) and (M,), and how many groups: one a speaker or `groups`."""
    speakers = np.unique(np.concatenate([drawn, real]))
    count = min(groups, len(speakers))
    return np.searchsorted(speakers, drawn) % count, np.searchsorted(speakers, real) % count, count


def spread_without(value: float, left: Sequence[float]) -> tuple[float, float]:
    """95 % interval round value from the values found without each group. NaN for fewer than two groups."""
    if len(left) < 2:
        return math.nan, math.nan
    error = math.sqrt((len(left) - 1) ** 2 / len(left) * np.var(left, ddof=1))
    error *= float(stats.t.ppf((1 + LEVEL) / 2, len(left) - 1))
    return value - error, value + error
