import math

import numpy as np
import pytest

from evaluation.intervals.jackknife import grouped, jackknife, spread_without


def mean_of(values):
    return lambda kept, kept_real: float(values[kept].mean())


def test_of_a_mean_it_is_the_t_interval():
    values = np.random.default_rng(0).normal(3, 2, 40)
    low, high = jackknife(values.mean(), mean_of(values), np.arange(40), np.zeros(0, int), groups=100)
    half = 2.0227 * values.std(ddof=1) / math.sqrt(40)  # t of 39 degrees at 97.5 %
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), rel=1e-4)


def test_holds_the_truth_as_often_as_it_says_also_in_groups_and_clusters():
    held = {20: 0, 100: 0}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = np.repeat(rng.normal(0, 1, 100), 3) + rng.normal(0, 0.3, 300)
        for groups in held:
            low, high = jackknife(values.mean(), mean_of(values), np.repeat(np.arange(100), 3), np.zeros(0, int), groups)
            held[groups] += low < 0 < high
    assert all(180 <= count <= 198 for count in held.values())


def test_a_speaker_is_in_one_group_whether_drawn_or_real():
    drawn, real, count = grouped(np.array([9, 4, 4, 7]), np.array([4, 7, 20]), groups=3)
    assert count == 3
    assert drawn.tolist() == [2, 0, 0, 1]
    assert real.tolist() == [0, 1, 0]


def test_one_group_has_no_interval():
    assert all(map(math.isnan, spread_without(1.0, [1.0])))
    assert all(map(math.isnan, jackknife(0.0, mean_of(np.ones(3)), np.zeros(3, int), np.zeros(3, int), groups=10)))
