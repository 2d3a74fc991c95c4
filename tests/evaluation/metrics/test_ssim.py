import numpy as np
import pytest

from evaluation.metrics.ssim import BATCH, Ssim, ssim
from tests.evaluation.world import trial


def by_the_book(a, b):
    """Window by window, from the definition."""
    x = np.arange(11) - 5
    weights = np.exp(-(x[:, None] ** 2 + x[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = 2.55**2, 7.65**2
    values = []
    for channel in range(3):
        for top in range(a.shape[0] - 10):
            for left in range(a.shape[1] - 10):
                p, q = (one[top : top + 11, left : left + 11, channel].astype(float) for one in (a, b))
                m, n = (weights * p).sum(), (weights * q).sum()
                v, w, c = (weights * (p - m) ** 2).sum(), (weights * (q - n) ** 2).sum(), (weights * (p - m) * (q - n)).sum()
                values.append((2 * m * n + c1) * (2 * c + c2) / ((m * m + n * n + c1) * (v + w + c2)))
    return np.mean(values)


@pytest.mark.parametrize("shape", [(11, 11), (16, 13)])
def test_equals_the_definition(shape):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    b = np.clip(a + rng.normal(0, 30, a.shape), 0, 255).astype(np.uint8)
    assert ssim(a[None], b[None])[0] == pytest.approx(by_the_book(a, b), abs=1e-12)
    assert ssim(a[None], b)[0] == pytest.approx(by_the_book(a, b), abs=1e-12)


def test_equals_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (40, 32, 3), dtype=np.uint8)
    b = np.clip(a + rng.normal(0, 30, a.shape), 0, 255).astype(np.uint8)
    settings = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2)
    expected = metrics.structural_similarity(a, b, **settings)
    assert ssim(a[None], b[None])[0] == pytest.approx(expected, abs=1e-6)


def test_two_flat_pictures():
    """Only the brightness term is left: (2 m n + c1) / (m^2 + n^2 + c1)."""
    a, b = np.full((1, 16, 16, 3), 100, np.uint8), np.full((1, 16, 16, 3), 50, np.uint8)
    assert ssim(a, b)[0] == pytest.approx((2 * 5000 + 2.55**2) / (12500 + 2.55**2))
    assert ssim(a, a)[0] == pytest.approx(1)


def test_more_than_a_batch():
    faces = np.random.default_rng(0).integers(0, 256, (BATCH + 3, 12, 12, 3), dtype=np.uint8)
    together = ssim(faces, faces[::-1])
    assert together == pytest.approx([ssim(faces[at : at + 1], faces[::-1][at])[0] for at in range(len(faces))])
    assert together[0] == pytest.approx(together[-1])


def test_small_pictures_are_skipped():
    (score,) = Ssim()(trial(speakers=3, size=8))
    assert score.skipped
    assert "11 px wide, the faces 8x8 px" in score.note


def test_perfect_faces():
    shown = trial(speakers=3)
    (score,) = Ssim()(trial(speakers=3, generated=shown.target))
    assert score.value == pytest.approx(1)
    assert score.chance < score.upper < 1
