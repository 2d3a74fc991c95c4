import numpy as np
import pytest

from evaluation.metrics.psnr import Psnr, psnr
from tests.evaluation.world import trial


@pytest.mark.parametrize(("difference", "decibels"), [(1, 48.1308), (7, 31.2289), (255, 0.0)])
def test_known_decibels(difference, decibels):
    low = np.zeros((2, 8, 8, 3), np.uint8)
    high = np.full_like(low, difference)
    assert psnr(low, high) == pytest.approx(decibels, abs=1e-4)
    assert psnr(high, low) == pytest.approx(psnr(low, high))
    assert psnr(high, low[0]) == pytest.approx(psnr(low, high))


def test_equal_pictures_are_finite():
    shown = trial(speakers=3)
    (score,) = Psnr()(trial(speakers=3, generated=shown.target))
    assert score.value == pytest.approx(10 * np.log10(255**2 * 12))
    assert np.isfinite(score.items).all()


def test_real_faces_stand_between_chance_and_perfection():
    (score,) = Psnr()(trial())
    assert score.chance < score.upper < 59
    assert score.note.startswith("dB; ")
