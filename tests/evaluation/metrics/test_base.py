import numpy as np
import pytest

from evaluation.metrics import base
from evaluation.metrics.base import Metric
from evaluation.trial import Score, Trial
from tests.evaluation.world import trial


def test_the_outside_gets_the_same_classes():
    assert (Metric, Score, Trial) == (base.Metric, base.Score, base.Trial)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("generated", np.zeros((36, 32, 32, 3)), "generated: float64"),
        ("speaker", np.zeros(35, int), "speaker: shape"),
        ("clip", np.zeros(35, int), "clip: shape"),
        ("target", np.zeros((36, 16, 16, 3), np.uint8), "target: uint8"),
        ("gallery", np.zeros((36, 16, 16, 3), np.uint8), "gallery: .*16x16.*32x32"),
        ("gallery_speaker", np.zeros(2, int), "gallery_speaker: shape"),
        ("face_box", (0.5, 0.5, 0.4, 0.6), "face_box"),
    ],
)
def test_a_trial_that_does_not_fit_is_refused(key, value, message):
    with pytest.raises(ValueError, match=message) as caught:
        trial(**{key: value})
    assert "\n" not in str(caught.value)


def test_items_nobody_could_score_make_a_skipped_score():
    shown = trial(speakers=3)
    score = base.score_items("m", np.full(len(shown.speaker), np.nan), shown)
    assert score.skipped
    assert score.note == "skipped: nothing to score"
