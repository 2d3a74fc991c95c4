"""The contract of a metric, and how most of them make a Score."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from evaluation.intervals.bootstrap import interval, mean_over_speakers
from evaluation.trial import Score, Trial


class Metric(ABC):
    """A metric. Its constructor's keyword arguments are its config keys; nested components arrive built.

    needs_again: whether it needs Trial.again, the same speech drawn twice.
    """

    needs_again: bool = False

    @abstractmethod
    def __call__(self, trial: Trial) -> list[Score]:
        """The scores of one trial, in the order they are to be read. What cannot be scored is a skipped Score."""


def score_items(
    metric: str,
    items: np.ndarray,
    trial: Trial,
    *,
    chance: float | None = None,
    upper: float | None = None,
    extractor: str = "",
    note: str = "",
    higher_is_better: bool = True,
) -> Score:
    """A Score from one value per generated face, items (N,): mean over speakers of each speaker's mean, and its interval."""
    if not np.isfinite(items).any():
        return skip(metric, note or "nothing to score", extractor, higher_is_better)
    return Score(
        metric,
        mean_over_speakers(items, trial.speaker),
        interval(items, trial.speaker, seed=trial.seed),
        chance=chance,
        upper=upper,
        extractor=extractor,
        items=items,
        note=note,
        higher_is_better=higher_is_better,
    )


def skip(metric: str, why: str, extractor: str = "", higher_is_better: bool = True) -> Score:
    """A Score without a value. why: the reason, for a reader."""
    return Score(metric, math.nan, extractor=extractor, note=f"skipped: {why}", higher_is_better=higher_is_better)
