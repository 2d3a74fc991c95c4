import numpy as np
import pytest

from evaluation.metrics.kid import KernelDistance, kernel_distance, over_subsets
from tests.evaluation.world import Pooled, trial


def direct(a, b):
    """The definition, pair by pair."""
    kernel = lambda x, y: (x @ y / len(x) + 1) ** 3  # noqa: E731
    within = [np.mean([kernel(x, y) for i, x in enumerate(of) for j, y in enumerate(of) if i != j]) for of in (a, b)]
    return sum(within) - 2 * np.mean([kernel(x, y) for x in a for y in b])


def test_equals_the_definition():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 3)), rng.normal(1, 1, (9, 3))
    assert kernel_distance(a, b) == pytest.approx(direct(a, b))


def test_normal_laws_with_a_known_answer():
    """In one dimension E (x y + 1)^3 = m3 m3' + 3 m2 m2' + 3 m1 m1' + 1, of the moments of the two laws."""
    a = np.array([1, 2, 4])  # first three moments of N(1, 1)
    b = np.array([0, 4, 0])  # of N(0, 4)
    expected = np.array([3, 3, 1]) @ (a - b) ** 2
    rng = np.random.default_rng(0)
    found = [kernel_distance(rng.normal(1, 1, (200, 1)), rng.normal(0, 2, (200, 1))) for _ in range(200)]
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / np.sqrt(200))


@pytest.mark.parametrize("count", [5, 20, 100])
def test_one_and_the_same_law_is_zero_on_average_at_any_number(count):
    rng = np.random.default_rng(0)
    found = [kernel_distance(rng.normal(size=(count, 4)), rng.normal(size=(2 * count, 4))) for _ in range(400)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(400)
    assert min(found) < 0


def test_the_mean_over_subsets_tends_to_the_value_of_all():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(60, 4)), rng.normal(0.5, 1, (50, 4))
    found = over_subsets(a, b, 2000, 20, np.random.RandomState(0))
    assert found.mean() == pytest.approx(kernel_distance(a, b), abs=4 * found.std() / np.sqrt(2000))


def test_equals_torch_fidelity():
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("torch_fidelity.metric_kid")
    rng = np.random.default_rng(0)
    a, b = (rng.normal(at, 1, (300, 32)).astype(np.float32) for at in (0, 0.2))
    keys = dict(kid_subsets=20, kid_subset_size=100, rng_seed=2020, verbose=False)
    expected = reference.kid_features_to_metric(torch.from_numpy(a), torch.from_numpy(b), **keys)
    found = over_subsets(a, b, 20, 100, np.random.RandomState(2020))
    assert found.mean() == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-3)
    assert found.std() == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-3)


def test_equals_clean_fid():
    clean = pytest.importorskip("cleanfid.fid")
    rng = np.random.default_rng(0)
    a, b = (rng.normal(at, 1, (200, 32)) for at in (0, 0.2))
    assert kernel_distance(a, b) == pytest.approx(clean.kernel_distance(a, b, num_subsets=2, max_subset_size=200), rel=1e-6)


def test_interval_is_a_jackknife_over_speakers():
    shown = trial(speakers=5)
    (score,) = KernelDistance(Pooled())(shown)
    drawn, real = (Pooled()(faces, shown.face_box) for faces in (shown.generated, shown.gallery))
    assert score.value == pytest.approx(kernel_distance(drawn, real), rel=1e-6)
    left = [kernel_distance(drawn[shown.speaker != one], real[shown.gallery_speaker != one]) for one in range(5)]
    error = 2.7764 * np.sqrt(4 / 5 * np.sum((left - np.mean(left)) ** 2))  # t of 4 degrees at 97.5 %
    assert score.interval == pytest.approx((score.value - error, score.value + error), rel=1e-3)


def test_name_and_note():
    (score,) = KernelDistance(Pooled(), subsets=7, subset_size=10)(trial(speakers=6, runs=2))
    assert score.metric == "kid/pooled"
    assert score.note.startswith("N = 12 generated, 18 real; real faces: 12 against 18 others; spread over 7 subsets of 6: ")
    assert not score.higher_is_better

    class Published(Pooled):
        is_fids = True

    assert KernelDistance(Published())(trial(speakers=6))[0].metric == "kid"


def test_collapsed_and_disjoint_sets_are_far():
    shown = trial()
    (right,) = KernelDistance(Pooled())(shown)
    (collapsed,) = KernelDistance(Pooled())(trial(generated=np.repeat(shown.generated[:1], len(shown.generated), axis=0)))
    (disjoint,) = KernelDistance(Pooled())(trial(generated=255 - shown.generated // 4))
    assert abs(right.value) < 0.1 * min(collapsed.value, disjoint.value)
    assert right.interval[1] < min(collapsed.interval[0], disjoint.interval[0])


@pytest.mark.parametrize(("key", "value"), [("subsets", 0), ("subset_size", 1)])
def test_bad_keys(key, value):
    with pytest.raises(ValueError, match=f"kid.{key}: {value}"):
        KernelDistance(Pooled(), **{key: value})
