"""L1 distance to the true face, in pixels' own units."""

from __future__ import annotations

import numpy as np

from evaluation.metrics.base import Metric, Score, Trial, mean_or_none, score_items, skip

NAME = "l1"
OTHERS = 8  # faces of other people held against each true face for the chance level


class Pixels(Metric):
    """Mean absolute difference between the drawn face and its true face, 0..255, over pixels and channels.

    chance: a real face of somebody else in the drawn one's place. upper: another real face of the same person. A
    blurred mean face beats both, so read it beside the identity metrics.
    """

    def __call__(self, trial: Trial) -> list[Score]:
        if not len(trial.generated):
            return [skip(NAME, "no generated faces", higher_is_better=False)]
        rng = np.random.default_rng(trial.seed)
        same, other = np.full(len(trial.target), np.nan), np.full(len(trial.target), np.nan)
        for at, (target, speaker) in enumerate(zip(trial.target, trial.speaker, strict=True)):
            own = np.flatnonzero(trial.gallery_speaker == speaker)
            own = own[(trial.gallery[own] != target).any(axis=(1, 2, 3))]
            others = np.flatnonzero(trial.gallery_speaker != speaker)
            if len(own):
                same[at] = _distance(trial.gallery[own], target).mean()
            if len(others):
                drawn = rng.choice(others, min(OTHERS, len(others)), replace=False)
                other[at] = _distance(trial.gallery[drawn], target).mean()
        return [
            score_items(
                NAME,
                _distance(trial.generated, trial.target),
                trial,
                chance=mean_or_none(other, trial.speaker),
                upper=mean_or_none(same, trial.speaker),
                note="0..255; chance: a real face of another person; real faces: another one of the same person",
                higher_is_better=False,
            )
        ]


def _distance(faces: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) and the same, or one (H, W, 3) -> (N,)."""
    larger, smaller = np.maximum(faces, target), np.minimum(faces, target)  # uint8 cannot be negative
    return (larger - smaller).mean(axis=(1, 2, 3), dtype=np.float64)
