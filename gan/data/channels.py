"""Several channels of one sound -> one: their mean, or the loudest alone where they would silence each other."""

from __future__ import annotations

import numpy as np

# Of what independent channels leave in their mean: with less, they take each other away. Two must correlate below -0.9.
LEAST_LEFT = 0.1
INAUDIBLE = 1e-9  # variance of rounding to 16 bits
OPPOSITE = "channels of opposite phase, which silence each other; the loudest was taken alone"


def sums_of(channels: np.ndarray) -> np.ndarray:
    """(channels, S) -> float64 (2, channels): sums of each one's samples and of their squares."""
    with np.errstate(invalid="ignore", over="ignore"):  # what is infinite is refused later
        return np.stack([channels.sum(axis=1, dtype=np.float64), np.square(channels, dtype=np.float64).sum(axis=1)])


def loudest_of_opposite(mean: np.ndarray, sums: np.ndarray) -> int | None:
    """Which channel is to be taken alone, because they silence each other in their mean, (S,); None: take the mean.

    sums: (2, channels), as sums_of gives them, of all S samples.
    """
    averages, squares = sums / max(len(mean), 1)
    variances = squares - averages**2
    if len(variances) < 2 or mean.var(dtype=np.float64) + INAUDIBLE >= LEAST_LEFT * variances.mean() / len(variances):
        return None
    return int(variances.argmax())
