import numpy as np
import pytest

from evaluation.metrics.pixels import Pixels
from tests.evaluation.world import trial


def test_known_distance():
    shown = trial(speakers=3)
    target = np.clip(shown.target, 10, 240)
    (score,) = Pixels()(trial(speakers=3, target=target, generated=target + 7))
    assert score.value == 7
    assert score.interval == (7, 7)
    (score,) = Pixels()(trial(speakers=3, target=target, generated=target - 7))
    assert score.value == 7


def test_perfect_faces_score_nothing():
    shown = trial(speakers=3)
    (score,) = Pixels()(trial(speakers=3, generated=shown.target))
    assert score.value == 0


def test_real_faces_stand_between_perfection_and_chance():
    (score,) = Pixels()(trial())
    shown = trial()
    first, second = shown.gallery[0].astype(int), shown.gallery[1:3].astype(int)
    one = np.abs(first - second).mean()
    assert 0 < score.upper < score.chance
    assert score.upper == pytest.approx(one, rel=0.5)
