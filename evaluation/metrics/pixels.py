"""L1 distance to the true face, in pixels' own units."""

from __future__ import annotations

import numpy as np

from evaluation.metrics.base import Metric, score_items, skip
from evaluation.real_faces.ends import NOTE, real_ends
from evaluation.trial import Score, Trial

NAME = "l1"


class Pixels(Metric):
    """Mean absolute difference between the drawn face and its true face, 0..255, over pixels and channels.

    chance: a real face of somebody else in the drawn one's place. upper: another real face of the same person. A
    blurred mean face beats both, so read it beside the identity metrics.
    """

    def __call__(self, trial: Trial) -> list[Score]:
        if not len(trial.generated):
            return [skip(NAME, "no generated faces", higher_is_better=False)]
        chance, upper = real_ends(trial, lambda rows, at: _distance(trial.gallery[rows], trial.target[at]))
        return [
            score_items(
                NAME,
                _distance(trial.generated, trial.target),
                trial,
                chance=chance,
                upper=upper,
                note=f"0..255; {NOTE}",
                higher_is_better=False,
            )
        ]


def _distance(faces: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) and the same, or one (H, W, 3) -> (N,)."""
    larger, smaller = np.maximum(faces, target), np.minimum(faces, target)  # uint8 cannot be negative
    return (larger - smaller).mean(axis=(1, 2, 3), dtype=np.float64)
