import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from evaluation.intervals.bootstrap import interval, mean_over_speakers, paired_difference, speaker_means
from tests.properties import examples


def test_each_speaker_counts_once():
    values, speaker = np.array([1.0, 1.0, 1.0, 5.0, np.nan]), np.array([7, 7, 7, 2, 2])
    speakers, means = speaker_means(values, speaker)
    assert speakers.tolist() == [2, 7]
    assert means.tolist() == [5.0, 1.0]
    assert mean_over_speakers(values, speaker) == 3.0


def test_nothing_known_is_nan():
    assert math.isnan(mean_over_speakers(np.array([np.nan]), np.array([0])))
    assert all(map(math.isnan, interval(np.ones(5), np.zeros(5))))
    assert math.isnan(paired_difference(np.ones(2), np.arange(2), np.ones(2), np.arange(2) + 5).mean)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"\(N,\) alike"):
        speaker_means(np.ones(3), np.ones(2))


@examples(25)
@given(arrays.arrays(np.float64, 20, elements=st.floats(-100, 100)), st.integers(0, 5))
def test_interval_holds_the_mean_and_follows_the_seed(values, seed):
    speaker = np.arange(20) % 7
    low, high = interval(values, speaker, seed=seed, resamples=500)
    assert low - 1e-9 <= mean_over_speakers(values, speaker) <= high + 1e-9
    assert (low, high) == interval(values, speaker, seed=seed, resamples=500)


def test_order_of_the_items_does_not_matter():
    rng = np.random.default_rng(0)
    values, speaker, order = rng.random(40), np.arange(40) % 8, rng.permutation(40)
    assert interval(values, speaker) == pytest.approx(interval(values[order], speaker[order]))


def test_repeated_faces_of_one_speaker_do_not_narrow_it():
    values, speaker = np.random.default_rng(0).random(10), np.arange(10)
    once = interval(values, speaker)
    assert once == pytest.approx(interval(np.repeat(values, 50), np.repeat(speaker, 50)))


@pytest.mark.parametrize(("speakers", "least"), [(6, 0.91), (20, 0.93)])
def test_covers_the_truth_about_95_times_in_100(speakers, least):
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(400):
        low, high = interval(rng.normal(size=speakers), np.arange(speakers), seed=seed, resamples=1000)
        hits += low <= 0 <= high
    assert least <= hits / 400 <= 0.99


def test_paired_difference_sees_what_two_intervals_do_not():
    rng = np.random.default_rng(0)
    easy = rng.normal(0, 10, 15)  # speakers differ far more than systems do
    a, b = easy + 0.5 + rng.normal(0, 0.1, 15), easy
    found = paired_difference(a, np.arange(15), b[::-1], np.arange(15)[::-1])
    assert found.mean == pytest.approx((a - b).mean())
    assert found.interval[0] > 0
    assert found.p < 0.01
    assert found.speakers == 15


@examples(25)
@given(arrays.arrays(np.float64, 12, elements=st.floats(-1, 1).map(lambda value: round(value, 3))))
def test_p_below_5_percent_says_the_same_as_the_interval(values):
    found = paired_difference(values, np.arange(12), np.zeros(12), np.arange(12), resamples=2000)
    low, high = found.interval
    if min(abs(low), abs(high)) > 0.01:  # not at the edge, where the percentiles are interpolated
        assert (found.p < 0.05) == (low > 0 or high < 0)


def test_a_minus_b_is_minus_b_minus_a():
    rng = np.random.default_rng(1)
    a, b, speaker = rng.random(30), rng.random(30), np.arange(30) % 10
    forth, back = paired_difference(a, speaker, b, speaker), paired_difference(b, speaker, a, speaker)
    assert forth.mean == pytest.approx(-back.mean)
    assert forth.interval == pytest.approx((-back.interval[1], -back.interval[0]))
    assert forth.p == pytest.approx(back.p)


def test_only_shared_speakers_are_paired():
    found = paired_difference(np.array([1.0, 2.0, 9.0]), np.array([0, 1, 2]), np.array([0.0, 1.0]), np.array([0, 1]))
    assert found.mean == 1.0
    assert found.speakers == 2
