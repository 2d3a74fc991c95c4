import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics.frechet import Frechet, distance, frechet_distance, moments
from evaluation.real_faces.sets import fit
from tests.evaluation.world import Pooled, trial
from tests.properties import examples


def gaussian(seed, dim, rank=None):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(dim, rank or dim))
    return rng.normal(size=dim), root @ root.T


def test_normal_laws_with_a_known_answer():
    eye = np.eye(5)
    # Both spherical: |m|^2 + dim (a - b)^2, with standard deviations a and b.
    assert frechet_distance(np.zeros(5), 4 * eye, np.full(5, 3.0), 9 * eye) == pytest.approx(5 * 9 + 5 * 1)
    # Commuting: sum of squared differences of the standard deviations.
    a, b = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 1.0])
    assert frechet_distance(np.zeros(3), np.diag(a), np.zeros(3), np.diag(b)) == pytest.approx(1 + 0 + 4)


def test_samples_of_known_laws():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (20_000, 4)), rng.normal(1, 2, (20_000, 4))
    assert frechet_distance(*moments(a), *moments(b)) == pytest.approx(4 * (1 + 1), rel=0.05)


@examples(30)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12))
def test_symmetric_zero_on_itself_and_never_negative(seed, dim, rank):
    a, b = gaussian(seed, dim, rank), gaussian(seed + 1, dim)
    assert frechet_distance(*a, *a) == pytest.approx(0, abs=1e-4 * (1 + np.trace(a[1])))
    assert frechet_distance(*a, *b) == pytest.approx(frechet_distance(*b, *a), rel=1e-4, abs=1e-4)
    assert frechet_distance(*a, *b) >= 0


@pytest.mark.parametrize(("faces", "dim"), [(400, 16), (60, 32), (20, 32)])
def test_equals_pytorch_fid(faces, dim):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its use of scipy's matrix root is deprecated
        from pytorch_fid.fid_score import calculate_frechet_distance

        rng = np.random.default_rng(0)
        a = rng.normal(size=(faces, dim)) @ rng.normal(size=(dim, dim))
        b = rng.normal(0.2, 1, size=(faces, dim)) @ rng.normal(size=(dim, dim))
        expected = calculate_frechet_distance(*moments(a), *moments(b))
    assert frechet_distance(*moments(a), *moments(b)) == pytest.approx(expected, rel=1e-6)
    assert distance(fit(a), fit(b)) == pytest.approx(expected, rel=1e-6)


def test_nothing_is_made_of_nan():
    features = np.random.default_rng(0).normal(size=(9, 4))
    features[2, 1] = np.nan
    with pytest.raises(ValueError, match="no finite number"):
        frechet_distance(*moments(features), np.zeros(4), np.eye(4))


def test_says_how_many_and_on_which_net():
    (score,) = Frechet(Pooled())(trial(speakers=6, runs=2))
    assert score.metric == "frechet/pooled"
    assert "N = 12 generated, 18 real; real faces: 12 against 18 others; not FID" in score.note
    (score,) = Frechet(Pooled())(trial(speakers=6, runs=2, seen=False))
    assert "real faces: 9 against 9 others" in score.note


def test_too_few_faces_for_the_dimensions_are_said():
    (few,), (enough,) = (Frechet(Pooled())(trial(speakers=speakers, runs=2)) for speakers in (47, 48))
    assert "; fewer faces than twice the 48 dimensions: " in few.note
    assert "fewer faces" not in enough.note


def test_only_on_fids_own_net_it_is_fid():
    class Published(Pooled):
        is_fids = True

    (score,) = Frechet(Published())(trial(speakers=6))
    assert score.metric == "fid"
    assert "not FID" not in score.note


def test_interval_is_a_jackknife_over_speakers():
    shown = trial(speakers=5)
    (score,) = Frechet(Pooled())(shown)
    drawn, real = (Pooled()(faces, shown.face_box) for faces in (shown.generated, shown.gallery))
    left = [
        frechet_distance(*moments(drawn[shown.speaker != one]), *moments(real[shown.gallery_speaker != one])) for one in range(5)
    ]
    error = 2.7764 * np.sqrt(4 / 5 * np.sum((left - np.mean(left)) ** 2))  # t of 4 degrees at 97.5 %
    assert score.interval == pytest.approx((max(0, score.value - error), score.value + error), rel=1e-4)


def test_a_collapsed_generator_is_worse_than_real_faces_and_than_a_right_one():
    shown = trial()
    (right,) = Frechet(Pooled())(shown)
    (collapsed,) = Frechet(Pooled())(trial(generated=np.repeat(shown.generated[:1], len(shown.generated), axis=0)))
    assert right.value < 3 * right.upper
    assert collapsed.value > 10 * right.value


def test_one_face_cannot_have_a_covariance():
    shown = trial(speakers=2)
    one = {key: getattr(shown, key)[:1] for key in ("generated", "speaker", "clip", "run", "target")}
    (score,) = Frechet(Pooled())(trial(speakers=2, **one))
    assert score.skipped
    assert "came 1 generated and 6 real" in score.note
