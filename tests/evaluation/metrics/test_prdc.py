import numpy as np
import pytest

from evaluation.metrics.prdc import PARTS, NearestNeighbours, neighbours
from tests.evaluation.world import Pooled, trial


def means(drawn, real, k=3):
    return {part: float(items.mean()) for part, items in neighbours(drawn, real, k).items()}


def sample(seed, count=200, at=0.0, dim=8):
    return np.random.default_rng(seed).normal(at, 1, (count, dim))


def test_worked_out_by_hand():
    real = np.array([[0.0], [1.0], [3.0], [6.0]])  # to the nearest other: 1, 1, 2, 3
    drawn = np.array([[0.5], [5.5], [20.0]])  # 5, 5, 14.5
    found = neighbours(drawn, real, 1)
    assert found["precision"].tolist() == [1, 1, 0]  # 0.5 lies in the balls of 0 and of 1, 5.5 in that of 6
    assert found["density"].tolist() == [2, 1, 0]
    assert found["recall"].tolist() == [1, 1, 1, 1]  # 6 in the ball of 5.5
    assert found["coverage"].tolist() == [1, 1, 0, 1]


def test_identical_sets():
    found = means(sample(0), sample(0))
    assert found["precision"] == found["recall"] == found["coverage"] == 1


def test_one_and_the_same_law():
    """Coverage of one law is known: 1 - (M - 1) ... (M - k) / (N + M - 1) ... (N + M - k); Naeem et al., Lemma 2."""
    count, k = 400, 5
    expected = 1 - np.prod([(count - i) / (2 * count - i) for i in range(1, k + 1)])
    found = means(sample(0, count), sample(1, count), k)
    assert found["coverage"] == pytest.approx(expected, abs=0.03)
    assert found["density"] == pytest.approx(1, abs=0.1)


def test_disjoint_sets():
    assert means(sample(0), sample(1, at=50)) == dict(precision=0, recall=0, density=0, coverage=0)


def test_a_collapsed_generator_is_precise_and_covers_nothing():
    found = means(np.repeat(np.zeros((1, 8)), 50, axis=0), sample(1))
    assert found["precision"] == 1
    assert found["recall"] == 0
    assert found["coverage"] < 0.4
    exact = means(np.repeat(sample(1)[:1], 50, axis=0), sample(1))  # the rounding of equal rows makes no ball
    assert exact["recall"] == 0


@pytest.mark.parametrize("shift", [0, 0.3, 2])
def test_equals_prdc(shift):
    reference = pytest.importorskip("prdc")
    drawn, real = sample(0, 150, shift), sample(1, 220)
    assert means(drawn, real, 5) == pytest.approx(reference.compute_prdc(real, drawn, 5))


@pytest.mark.parametrize("shift", [0, 0.3, 2])
def test_equals_torch_fidelity(shift):
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("torch_fidelity.metric_prc")
    drawn, real = sample(0, 150, shift), sample(1, 220)
    keys = dict(prc_neighborhood=3, prc_batch_size=64, save_cpu_ram=False, verbose=False)
    expected = reference.prc_features_to_metric(torch.from_numpy(drawn), torch.from_numpy(real), **keys)
    found = means(drawn, real)
    assert (found["precision"], found["recall"]) == pytest.approx((expected["precision"], expected["recall"]))


def test_blocks_change_nothing(monkeypatch):
    drawn, real = sample(0, 50, 0.5), sample(1, 40)
    whole = neighbours(drawn, real, 3)
    monkeypatch.setattr("evaluation.metrics.prdc._BLOCK", 7)
    for part, items in neighbours(drawn, real, 3).items():
        assert np.array_equal(items, whole[part])


def test_names_notes_and_items():
    shown = trial(speakers=6, runs=2)
    scores = NearestNeighbours(Pooled(), k=3)(shown)
    assert [score.metric for score in scores] == [f"prdc@3/pooled/{part}" for part in PARTS]
    assert {score.note for score in scores} == {"N = 12 generated, 18 real; real faces: 12 against 18 others"}
    assert [score.items is not None for score in scores] == [True, False, True, False]
    assert all(score.upper > 0.3 for score in scores)


def test_fewer_faces_than_neighbours():
    scores = NearestNeighbours(Pooled(), k=6)(trial(speakers=2))
    assert all("7 faces a set are needed, came 6 generated and 6 real" in score.note for score in scores)
    with pytest.raises(ValueError, match=r"prdc\.k: 0"):
        NearestNeighbours(Pooled(), k=0)
