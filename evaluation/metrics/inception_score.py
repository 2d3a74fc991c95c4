"""Inception score: are the pictures each sure of one class, and of many classes together? It never sees a real face."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, logsumexp

from evaluation.extractors.base import Classifier, Embedder
from evaluation.intervals.jackknife import jackknife
from evaluation.metrics.base import Metric, skip
from evaluation.real_faces.sets import by_content, feature_sets, named
from evaluation.trial import Score, Trial

GROUPS = 50  # of speakers, at most, left out in turn


class InceptionScore(Metric):
    """exp of the mean Kullback-Leibler divergence of each picture's class probabilities from their mean; mean over splits.

    extractor: {name: inception, weights: ...}. splits: into how many parts the trial's seed divides the faces; fewer if a part
    would have less than two. The note gives their number and the spread (standard deviation) over them.
    1 for a generator that always draws the same. Its classes are ImageNet's, none of which is a face, so it says how varied
    the pictures are and little of how good; and it rises with N. The interval is a jackknife over speakers. upper: real faces.
    Source: T. Salimans et al., Improved Techniques for Training GANs, 2016; steps as in torch-fidelity.
    Raises ValueError if the extractor's net has no classes.
    """

    def __init__(self, extractor: Embedder, splits: int = 10):
        if not isinstance(extractor, Classifier):
            raise ValueError(
                f"inception_score.extractor: {extractor.name} names no classes. Write {{name: inception, weights: FILE}}."
            )
        if splits < 1:
            raise ValueError(f"inception_score.splits: {splits}; 1 or more.")
        self.extractor, self.splits = extractor, splits

    def __call__(self, trial: Trial) -> list[Score]:
        name, label = named("inception_score", self.extractor), self.extractor.label
        sets = feature_sets(trial, self.extractor)
        count = len(sets.drawn)
        if count < 2:
            return [skip(name, f"two faces are needed, came {count} generated", label)]
        part = self._dealt(sets.drawn, trial.seed)
        log_p = self._log_p(sets.drawn)
        scores = inception_scores(log_p, part)

        def without(kept: np.ndarray, _: np.ndarray) -> float:
            return float(inception_scores(log_p[kept], part[kept]).mean()) if kept.any() else np.nan

        value = float(scores.mean())
        low, high = jackknife(value, without, trial.speaker, trial.gallery_speaker[:0], GROUPS)
        real = sets.real if sets.reference is not sets.real else np.concatenate([sets.real, sets.other])
        real = real[by_content(real)[np.random.default_rng(trial.seed).permutation(len(real))[:count]]]
        upper = None
        if len(real) >= 2:
            upper = float(inception_scores(self._log_p(real), self._dealt(real, trial.seed)).mean())
        note = f"N = {count} generated, {len(real)} real; spread over {len(scores)} splits: {scores.std():.2g}"
        return [
            Score(
                name,
                value,
                (max(1.0, low), high),
                upper=upper,
                extractor=label,
                note=note + "; interval: jackknife over speakers",
            )
        ]

    def _log_p(self, features: np.ndarray) -> np.ndarray:
        return log_softmax(self.extractor.logits(features), axis=1)

    def _dealt(self, features: np.ndarray, seed: int) -> np.ndarray:
        """(N,): the part each face is in, whatever the order the faces come in."""
        parts = min(self.splits, len(features) // 2)
        order = by_content(features)[np.random.default_rng(seed).permutation(len(features))]
        part = np.empty(len(features), dtype=np.int64)
        part[order] = np.arange(len(features)) * parts // len(features)
        return part


def inception_scores(log_p: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The score of each part. log_p: (N, classes), natural logarithms of class probabilities. part: (N,)."""
    scores = []
    for one in np.unique(part):
        chosen = log_p[part == one]
        mean = logsumexp(chosen, axis=0) - np.log(len(chosen))
        scores.append(np.exp((np.exp(chosen) * (chosen - mean)).sum(axis=1).mean()))
    return np.array(scores)
