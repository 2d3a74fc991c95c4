import math

import numpy as np
import pytest

from evaluation.intervals.pairs import pair_intervals


def mean_of_pairs(effects):
    """The mean of a_i + a_j over different speakers, a pair weighing as its two."""

    def statistic(weights):
        pairs = np.outer(weights, weights) * ~np.eye(len(weights), dtype=bool)
        return [float((pairs * (effects[:, None] + effects)).sum() / pairs.sum()) if pairs.any() else math.nan]

    return statistic


def test_both_sides_of_a_pair_count():
    effects = np.random.default_rng(0).normal(size=200)
    value = 2 * effects.mean()
    ((low, high),) = pair_intervals(mean_of_pairs(effects), [value], 200, bounds=(-9, 9))
    assert (low + high) / 2 == pytest.approx(value)
    # Twice the standard error of a mean of 200, as each speaker is in both places.
    assert (high - low) / 2 == pytest.approx(1.97 * 2 * effects.std() / math.sqrt(200), rel=0.1)


def test_bounds_are_kept():
    effects = np.random.default_rng(0).normal(size=5)
    assert pair_intervals(mean_of_pairs(effects), [2 * effects.mean()], 5, bounds=(-0.1, 0.1))[0] == (-0.1, 0.1)


def test_too_few_speakers_and_nothing_to_say_are_nan():
    assert np.isnan(pair_intervals(lambda weights: [1.0, 2.0], [1, 2], 2)).all()
    assert np.isnan(pair_intervals(lambda weights: [math.nan], [0.5], 5)).all()


def test_the_same_seed_the_same_interval():
    statistic = mean_of_pairs(np.arange(6.0))
    first, again, other = (pair_intervals(statistic, [5], 6, seed, (-99, 99)) for seed in (0, 0, 1))
    assert first == again != other
