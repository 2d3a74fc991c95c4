import math

import numpy as np
import pytest
from scipy.special import log_softmax

from evaluation.extractors.base import Embedder
from evaluation.metrics.inception_score import InceptionScore, inception_scores
from tests.evaluation.world import Pooled, trial


def test_known_answers():
    sure = np.log(np.eye(8) * (1 - 8e-12) + 1e-12)
    one = np.zeros(8, dtype=np.int64)
    assert inception_scores(sure, one) == pytest.approx([8])  # each picture sure of a class of its own
    assert inception_scores(np.repeat(sure[:1], 8, axis=0), one) == pytest.approx([1])  # all of the same class
    assert inception_scores(np.full((8, 8), math.log(1 / 8)), one) == pytest.approx([1])  # none of any
    assert inception_scores(sure, np.arange(8) // 4) == pytest.approx([4, 4])  # four classes in each part


def test_equals_torch_fidelity():
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("torch_fidelity.metric_isc")
    logits = np.random.default_rng(0).normal(0, 3, (103, 20))
    expected = reference.isc_features_to_metric(torch.from_numpy(logits), splits=10, shuffle=False)
    part = np.searchsorted([i * 103 // 10 for i in range(1, 11)], np.arange(103), side="right")
    found = inception_scores(log_softmax(logits, axis=1), part)
    assert found.mean() == pytest.approx(expected["inception_score_mean"], rel=1e-6)
    assert found.std() == pytest.approx(expected["inception_score_std"], rel=1e-6)


def test_a_collapsed_generator_scores_one():
    shown = trial()
    (right,) = InceptionScore(Pooled(), splits=2)(shown)
    copies = np.repeat(shown.generated[:1], len(shown.generated), axis=0)
    (collapsed,) = InceptionScore(Pooled(), splits=2)(trial(generated=copies))
    assert collapsed.value == pytest.approx(1)
    assert collapsed.interval == pytest.approx((1, 1))
    assert right.value > 1.2
    assert right.upper == pytest.approx(right.value, rel=0.1)


def test_name_note_and_fewer_splits_for_few_faces():
    (score,) = InceptionScore(Pooled())(trial(speakers=6, runs=2))
    assert score.metric == "inception_score/pooled"
    assert score.note.startswith("N = 12 generated, 12 real; spread over 6 splits: ")

    class Published(Pooled):
        is_fids = True

    (score,) = InceptionScore(Published(), splits=3)(trial())
    assert score.metric == "inception_score"
    assert "spread over 3 splits" in score.note


def test_a_net_without_classes_is_refused():
    class Nameless(Embedder):
        name = "nameless"

        def embed(self, images, face_box):
            raise AssertionError

    with pytest.raises(ValueError, match=r"inception_score\.extractor: nameless") as caught:
        InceptionScore(Nameless())
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"inception_score\.splits: 0"):
        InceptionScore(Pooled(), splits=0)
