"""Precision, recall, density and coverage: are drawn faces where real ones are, and are real ones where drawn ones are?"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.intervals.jackknife import jackknife
from evaluation.metrics.base import Metric, score_items, skip
from evaluation.real_faces.sets import feature_sets, named
from evaluation.trial import Score, Trial

GROUPS = 100  # of speakers, at most, left out in turn
PARTS = ("precision", "recall", "density", "coverage")
_BLOCK = 2048  # rows of distances held at once


class NearestNeighbours(Metric):
    """Precision: share of drawn faces within some real face's ball, which reaches to its k-th nearest real face. Recall: share
    of real faces within some drawn face's ball. Density: in how many real balls a drawn face lies, of k. Coverage: share of
    real faces with a drawn one in their ball.

    extractor: the space. Precision and recall by T. Kynkaanniemi et al. 2019, the others by M. Naeem et al. 2020, whose code
    decides ties (within means nearer than the k-th). Recall forgives a drawn outlier, whose ball is large; coverage does not.
    Where the gallery holds more than k faces a speaker a ball is about one person wide, and precision asks for likeness to one
    of them; a larger k asks for less. All change with N, which the note gives. Precision and density have one value per
    generated face; the intervals of recall and coverage are a jackknife over the real faces' speakers. The balls themselves are
    not resampled. upper: other real faces, as many as were drawn where there are so many.
    """

    def __init__(self, extractor: Embedder, k: int = 5):
        if k < 1:
            raise ValueError(f"prdc.k: {k}; 1 or more.")
        self.extractor, self.k = extractor, k

    def __call__(self, trial: Trial) -> list[Score]:
        name, label, needed = named(f"prdc@{self.k}", self.extractor), self.extractor.label, self.k + 1
        sets = feature_sets(trial, self.extractor)
        if why := sets.too_few(needed):
            return [skip(f"{name}/{part}", why, label) for part in PARTS]
        found = neighbours(sets.drawn, sets.real, self.k)
        above = neighbours(sets.other, sets.reference, self.k) if sets.have_upper(needed) else {}
        scores = []
        for part in PARTS:
            items, upper = found[part], float(above[part].mean()) if above else None
            if part in ("precision", "density"):
                scores.append(score_items(f"{name}/{part}", items, trial, upper=upper, extractor=label, note=sets.note))
                continue
            value = float(items.mean())
            low, high = jackknife(value, partial(_mean_of, items), trial.speaker[:0], trial.gallery_speaker, GROUPS)
            scores.append(
                Score(f"{name}/{part}", value, (max(0.0, low), min(1.0, high)), upper=upper, extractor=label, note=sets.note)
            )
        return scores


def neighbours(drawn: np.ndarray, real: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """One value a face, whose means are the four numbers: precision and density (N,) of drawn, recall and coverage (M,) of real.

    drawn: (N, E), real: (M, E), N and M > k.
    """
    middle = real.mean(axis=0, dtype=np.float64)  # nearer to the origin squares cancel less
    drawn, real = drawn - middle, real - middle
    reach, reach_real = _reach(drawn, k), _reach(real, k)
    in_balls, nearest = np.zeros(len(drawn)), np.empty(len(real))
    recall = np.empty(len(real))
    for at in range(0, len(real), _BLOCK):
        rows = slice(at, at + _BLOCK)
        squared = _squared(real[rows], drawn)
        in_balls += (squared < reach_real[rows, None]).sum(axis=0)
        recall[rows] = (squared < reach).any(axis=1)
        nearest[rows] = squared.min(axis=1)
    return {
        "precision": (in_balls > 0).astype(np.float64),
        "recall": recall,
        "density": in_balls / k,
        "coverage": (nearest < reach_real).astype(np.float64),
    }


def _reach(faces: np.ndarray, k: int) -> np.ndarray:
    """(N, E) -> (N,): squared distance of each to the k-th nearest other."""
    found = np.empty(len(faces))
    for at in range(0, len(faces), _BLOCK):
        squared = _squared(faces[at : at + _BLOCK], faces)
        rows = np.arange(len(squared))
        squared[rows, at + rows] = np.inf
        found[at : at + _BLOCK] = np.partition(squared, k - 1, axis=1)[:, k - 1]
    return found


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, E), (M, E) -> (N, M) squared distances; those of equal rows are 0, not what rounding leaves."""
    lengths = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)
    squared = lengths - 2 * (a @ b.T)
    squared[squared < 1e-12 * lengths] = 0
    return squared


def _mean_of(items: np.ndarray, _: np.ndarray, kept: np.ndarray) -> float:
    return float(items[kept].mean()) if kept.any() else math.nan
