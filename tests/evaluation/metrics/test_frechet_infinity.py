import numpy as np
import pytest

from evaluation.metrics.frechet import distance
from evaluation.metrics.frechet_infinity import FrechetInfinity, extrapolated
from evaluation.real_faces.sets import fit
from tests.evaluation.world import Pooled, trial

DIM = 8


def pair(seed, count, at):
    rng = np.random.default_rng(seed)
    return rng.normal(at, 1, (count, DIM)), rng.normal(0, 1, (count, DIM))


@pytest.mark.parametrize("at", [0.0, 0.5])
def test_two_normal_laws_are_nearer_to_the_truth_than_without_it(at):
    truth = DIM * at**2
    plain, lines = [], []
    for seed in range(30):
        drawn, real = pair(seed, 200, at)
        plain.append(distance(fit(drawn), fit(real)))
        lines.append(extrapolated(drawn, real, points=15, seed=seed)[0])
    assert np.mean(plain) > truth + 0.1
    assert abs(np.mean(lines) - truth) < 0.25 * abs(np.mean(plain) - truth)
    assert abs(np.mean(lines) - truth) < 4 * np.std(lines) / np.sqrt(30)


def test_as_published_the_bias_of_the_real_set_stays():
    ends, corrected = [], []
    for seed in range(30):
        drawn, real = pair(seed, 200, 0.0)
        ends.append(extrapolated(drawn, real, points=15, seed=seed, whole=fit(real))[0])
        corrected.append(extrapolated(drawn, real, points=15, seed=seed)[0])
    assert np.mean(ends) > np.mean(corrected) + 0.05


def test_interval_is_the_lines():
    (score,) = FrechetInfinity(Pooled(), points=5)(trial())
    assert score.metric == "frechet_infinity/pooled"
    low, high = score.interval
    assert score.value - low == pytest.approx(high - score.value)
    assert "5 sizes of both sets; interval: of the line; below 0" in score.note
    assert "fewer faces than twice the 48 dimensions" in score.note
    (score,) = FrechetInfinity(Pooled(), both=False)(trial())
    assert "15 sizes of the generated set" in score.note


def test_seed_decides_and_fids_net_names_it():
    class Published(Pooled):
        is_fids = True

    first, again, other = (FrechetInfinity(Published())(trial(seed=seed))[0] for seed in (1, 1, 2))
    assert first.metric == "fid_infinity"
    assert first.value == again.value != other.value


def test_too_few_faces_or_points():
    (score,) = FrechetInfinity(Pooled())(trial(speakers=3))
    assert "12 faces a set are needed, came 9 generated and 9 real" in score.note
    with pytest.raises(ValueError, match=r"frechet_infinity\.points: 2"):
        FrechetInfinity(Pooled(), points=2)
