import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics.recall import Recall
from tests.evaluation.world import Pooled, trial


def test_right_faces_are_found_and_wrong_ones_are_not():
    metric = Recall(Pooled(), k=[1, 5])
    assert [score.value for score in metric(trial())] == [1, 1]
    assert metric(trial(shift=1))[0].value == 0


def test_chance_and_gallery_are_said():
    scores = Recall(Pooled(), k=[1, 5, 10])(trial(speakers=12))
    assert [score.metric for score in scores] == ["recall@1", "recall@5", "recall@10"]
    assert [score.chance for score in scores] == [1 / 12, 5 / 12, 10 / 12]
    assert all("gallery of 12 speakers, 36 faces" in score.note for score in scores)
    assert all(score.upper == 1 for score in scores)


def test_a_gallery_no_larger_than_k_is_skipped():
    first, second = Recall(Pooled(), k=[1, 5])(trial(speakers=5))
    assert not first.skipped
    assert second.skipped
    assert "always holds it" in second.note


@settings(deadline=None, max_examples=10)
@given(st.integers(2, 12), st.integers(1, 11))
def test_one_face_for_everybody_scores_chance_exactly(speakers, k):
    shown = trial(speakers=speakers, runs=1)
    face = np.broadcast_to(shown.training[:1], shown.generated.shape).copy()
    (score,) = Recall(Pooled(), k=[k])(trial(speakers=speakers, runs=1, generated=face))
    assert score.skipped or score.value == pytest.approx(k / speakers)


def test_equal_similarities_share_their_ranks():
    shown = trial(speakers=6)
    gallery = np.broadcast_to(shown.gallery[:1], shown.gallery.shape).copy()
    for score in Recall(Pooled(), k=[1, 3])(trial(speakers=6, gallery=gallery)):
        assert score.value == pytest.approx(score.chance)


def test_recall_grows_with_k():
    noise = np.random.default_rng(0).integers(0, 256, trial().generated.shape, dtype=np.uint8)
    values = [score.value for score in Recall(Pooled(), k=[1, 2, 4, 8])(trial(generated=noise))]
    assert values == sorted(values)


@pytest.mark.parametrize("k", [[], [0], [1, -1]])
def test_bad_k(k):
    with pytest.raises(ValueError, match="k: "):
        Recall(Pooled(), k=k)
