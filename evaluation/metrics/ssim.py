"""Structural similarity to the true face."""

from __future__ import annotations

import functools

import numpy as np

from evaluation.metrics.base import Metric, score_items, skip
from evaluation.real_faces.ends import NOTE, real_ends
from evaluation.trial import Score, Trial

NAME = "ssim"
WINDOW, SIGMA = 11, 1.5  # pixels
K1, K2, PEAK = 0.01, 0.03, 255
BATCH = 64


class Ssim(Metric):
    """Structural similarity of the drawn face and its true face, -1..1: the mean over windows and the three channels.

    The published constants: Gaussian window of 11 x 11 px with sigma 1.5 px, K1 = 0.01, K2 = 0.03, peak 255; windows lie
    wholly inside the picture; variances are divided by the window's weight, not by one less. The window is a number of
    pixels, so values at 64 and at 128 px are no more comparable than the pictures are.
    chance: a real face of somebody else in the drawn one's place. upper: another real face of the same person.
    Source: Z. Wang, A. Bovik, H. Sheikh and E. Simoncelli 2004, there of grey pictures.
    """

    def __call__(self, trial: Trial) -> list[Score]:
        if not len(trial.generated):
            return [skip(NAME, "no generated faces")]
        if min(size := trial.generated.shape[1:3]) < WINDOW:
            return [skip(NAME, f"its window is {WINDOW} px wide, the faces {size[0]}x{size[1]} px")]
        chance, upper = real_ends(trial, lambda rows, at: ssim(trial.gallery[rows], trial.target[at]))
        items = ssim(trial.generated, trial.target)
        note = f"Gaussian window {WINDOW} px, sigma {SIGMA} px, RGB; {NOTE}"
        return [score_items(NAME, items, trial, chance=chance, upper=upper, note=note)]


def ssim(faces: np.ndarray, target: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 3), 11 px or more each way, and the same, or one (H, W, 3) -> (N,)."""
    if target.ndim == 4 and len(faces) > BATCH:
        pieces = [slice(start, start + BATCH) for start in range(0, len(faces), BATCH)]
        return np.concatenate([ssim(faces[piece], target[piece]) for piece in pieces])
    a, b = np.moveaxis(faces, -1, 1).astype(np.float64), np.moveaxis(target, -1, -3).astype(np.float64)
    mean_a, mean_b = _smooth(a), _smooth(b)
    variance_a, variance_b = _smooth(a * a) - mean_a**2, _smooth(b * b) - mean_b**2
    covariance = _smooth(a * b) - mean_a * mean_b
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity /= (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return similarity.mean(axis=(1, 2, 3))


def _smooth(planes: np.ndarray) -> np.ndarray:
    """(..., H, W) -> (..., H - 10, W - 10): the Gaussian mean round each pixel that has a whole window."""
    return _windows(planes.shape[-2]) @ planes @ _windows(planes.shape[-1]).T


@functools.cache
def _windows(length: int) -> np.ndarray:
    """(length - 10, length): row i holds the window that starts at pixel i."""
    weights = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / SIGMA) ** 2)
    starts = np.arange(length - WINDOW + 1)
    windows = np.zeros((len(starts), length))
    windows[starts[:, None], starts[:, None] + np.arange(WINDOW)] = weights / weights.sum()
    return windows
