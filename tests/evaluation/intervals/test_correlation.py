import numpy as np
import pytest
from scipy import stats

from evaluation.intervals.correlation import correlation, interval_holding, pearson, resampled_speakers


def test_equals_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 20)), rng.normal(size=(3, 20))
    assert pearson(a, b) == pytest.approx([stats.pearsonr(x, y).statistic for x, y in zip(a, b, strict=True)])
    assert pearson(a, 5 - 3 * a) == pytest.approx(-1)


def test_what_does_not_vary_tells_nothing():
    a = np.arange(5.0)
    assert pearson(a, np.full(5, 0.1)) == 0
    assert pearson(1e9 / 3 + np.array([0, 1e-7, 0, 0, -1e-7]), a) == 0, "rounding is no variation"
    assert pearson(1e-9 * a, a) == pytest.approx(1)
    found = correlation(np.full(5, 0.3), a)
    assert (found.value, found.interval, found.spread) == (0, (0, 0), 0)


def test_spread_is_that_of_random_pairings():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=12), rng.normal(size=12)
    shuffled = pearson(np.stack([rng.permutation(a) for _ in range(5000)]), b)
    assert correlation(a, b).spread == pytest.approx(shuffled.std(), rel=0.05)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(60):
        a = rng.normal(size=20)
        low, high = correlation(a, 0.5 * a + np.sqrt(0.75) * rng.normal(size=20), seed).interval
        held += low <= 0.5 <= high
    assert 52 <= held <= 60


def test_same_seed_same_samples():
    assert np.array_equal(resampled_speakers(7, 3), resampled_speakers(7, 3))
    assert not np.array_equal(resampled_speakers(7, 3), resampled_speakers(7, 4))


def test_the_interval_holds_the_value():
    assert interval_holding(np.zeros(100), 0.5, 9) == (0, 0.5)
