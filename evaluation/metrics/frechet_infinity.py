"""Frechet distance as it would be with infinitely many faces, by a straight line through smaller samples."""

from __future__ import annotations

import numpy as np
from scipy import stats

from evaluation.extractors.base import Embedder
from evaluation.intervals.bootstrap import LEVEL
from evaluation.metrics.base import Metric, skip
from evaluation.metrics.frechet import distance
from evaluation.real_faces.sets import Law, by_content, feature_sets, fit, fit_once, named
from evaluation.trial import Score, Trial

FEWEST = 12  # faces a set below which there is no line to speak of


class FrechetInfinity(Metric):
    """Where the line through (1 / N, Frechet distance at N faces) meets 1 / N = 0. M. Chong, D. Forsyth, Effectively Unbiased
    FID and Inception Score and where to find them, CVPR 2020 (FID-infinity).

    extractor: as for frechet. points: how many N, evenly from a third of the faces to all; the faces of each are drawn by the
    trial's seed, without replacement. both: shrink the real set alongside, so that its finite number is corrected for too;
    without, as published, all real faces are kept (there 50,000, whose bias is small).
    The interval is that of the line's end alone: speakers are not resampled. The line holds where N is several times the
    features' length (the note says where it is not) and where the two sets are drawn independently. Sets that show the same
    people, as real faces against real ones of the same speakers do, are nearer to each other than their N allows, and the line
    then ends below 0: read the value beside `upper`, which is so too.
    """

    def __init__(self, extractor: Embedder, points: int = 15, both: bool = True):
        if points < 3:
            raise ValueError(f"frechet_infinity.points: {points}; 3 or more make a line with an error.")
        self.extractor, self.points, self.both = extractor, points, both

    def __call__(self, trial: Trial) -> list[Score]:
        name, label = named("frechet_infinity", self.extractor, "fid_infinity"), self.extractor.label
        sets = feature_sets(trial, self.extractor)
        if why := sets.too_few(FEWEST):
            return [skip(name, why, label, higher_is_better=False)]
        value, error = self._line_end(sets.drawn, sets.real, trial.seed)
        upper = self._line_end(sets.other, sets.reference, trial.seed)[0] if sets.have_upper(FEWEST) else None
        note = f"{sets.note}; {self.points} sizes of {'both sets' if self.both else 'the generated set'}; interval: of the line"
        note += "; below 0 where both sets show the same people"
        if min(len(sets.drawn), len(sets.real)) < 2 * self.extractor.dim:
            note += f"; fewer faces than twice the {self.extractor.dim} dimensions: the line is a rough one"
        return [
            Score(name, value, (value - error, value + error), upper=upper, extractor=label, note=note, higher_is_better=False)
        ]

    def _line_end(self, drawn: np.ndarray, real: np.ndarray, seed: int) -> tuple[float, float]:
        whole = None if self.both else fit_once(real, self.extractor.label)
        return extrapolated(drawn[by_content(drawn)], real[by_content(real)], self.points, seed, whole)


def extrapolated(drawn: np.ndarray, real: np.ndarray, points: int, seed: int, whole: Law | None = None) -> tuple[float, float]:
    """The line's end and half its 95 % interval.

    drawn: (N, E). real: (M, E). whole: the law of all real faces, where it is to be used for every N.
    """
    rng = np.random.default_rng(seed)
    shares = np.linspace(1 / 3, 1, points)
    counts = np.maximum(2, np.round(shares * len(drawn)).astype(np.int64))
    distances = []
    for share, count in zip(shares, counts.tolist(), strict=True):
        some = drawn[rng.choice(len(drawn), count, replace=False)]
        against = whole or fit(real[rng.choice(len(real), max(2, round(share * len(real))), replace=False)])
        distances.append(distance(fit(some), against))
    line = stats.linregress(1 / counts, distances)
    return float(line.intercept), float(line.intercept_stderr * stats.t.ppf((1 + LEVEL) / 2, points - 2))
