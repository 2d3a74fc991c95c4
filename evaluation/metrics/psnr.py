"""Peak signal-to-noise ratio against the true face."""

from __future__ import annotations

import numpy as np

from evaluation.metrics.base import Metric, score_items, skip
from evaluation.real_faces.ends import NOTE, real_ends
from evaluation.trial import Score, Trial

NAME = "psnr"
ROUNDING = 1 / 12  # mean squared error of rounding to whole levels


class Psnr(Metric):
    """10 log10(255^2 / mean squared difference) between the drawn face and its true face, dB, over pixels and channels.

    The mean is of the faces' decibels. Differences below those of rounding to whole levels count as those, so that equal
    pictures score 58.9 dB instead of infinity.
    chance: a real face of somebody else in the drawn one's place. upper: another real face of the same person. A
    blurred mean face beats both.
    """

    def __call__(self, trial: Trial) -> list[Score]:
        if not len(trial.generated):
            return [skip(NAME, "no generated faces")]
        chance, upper = real_ends(trial, lambda rows, at: psnr(trial.gallery[rows], trial.target[at]))
        items = psnr(trial.generated, trial.target)
        return [score_items(NAME, items, trial, chance=chance, upper=upper, note=f"dB; {NOTE}")]


def psnr(faces: np.ndarray, target: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 3) and the same, or one (H, W, 3) -> (N,), dB."""
    difference = faces.astype(np.float32) - target
    error = np.square(difference, out=difference).mean(axis=(1, 2, 3), dtype=np.float64)
    return 10 * np.log10(255**2 / np.maximum(error, ROUNDING))
