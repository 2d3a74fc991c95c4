"""Verification: the equal error rate and the area under the curve of telling own faces from imposters' by similarity."""

from __future__ import annotations

import math

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.intervals.pairs import pair_intervals
from evaluation.metrics.base import Metric, skip
from evaluation.real_faces.gallery import Gallery, groups
from evaluation.trial import Score, Trial

PAIRS = 200_000  # imposter pairs an interval is made from: a thousand resamples of them take seconds
DECIMALS = 9  # to which cosines are compared: a matrix product and a row sum round differently


class Verification(Metric):
    """EER and AUC over pairs of a drawn face and a speaker's mean real embedding, by their cosine.

    extractor: the face embedder.
    matched: an attribute, such as sex, that imposters share with the speaker; speakers without a known one are left out.
    An own pair is a drawn face with its speaker, an imposter pair the same face with another speaker. One threshold serves
    all pairs. Every speaker weighs the same, and so do the imposters of one face together, so that one face drawn for
    everybody scores chance, 0.5, in groups of any sizes. Equal cosines count one half.
    auc: chance that an own pair is nearer than an imposter pair; its items are the share of imposter pairs below the face's
    own one. eer: the error at the threshold where misses and false alarms are equally frequent.
    upper: real faces: training faces of seen speakers; of unseen ones the true faces, each left out of its own mean.
    """

    def __init__(self, extractor: Embedder, matched: str | None = None):
        self.extractor, self.matched = extractor, matched
        suffix = f"/{matched}" if matched else ""
        self.names = f"verification/auc{suffix}", f"verification/eer{suffix}"

    def __call__(self, trial: Trial) -> list[Score]:
        label = self.extractor.label
        if not len(trial.generated) or not len(trial.gallery):
            return self._skip("no generated or no real faces")
        gallery = Gallery(trial, self.extractor)
        kind, kinds = groups(trial, gallery.speakers, self.matched)
        meets = (kind[:, None] == kind) & (kind >= 0) & ~np.eye(len(kind), dtype=bool)
        position = gallery.position(trial.speaker)
        cosines = gallery.embed(trial.generated) @ gallery.means.T
        own = np.where(position >= 0, cosines[np.arange(len(cosines)), position], np.nan)
        drawn = _Pairs(cosines, own, position, meets)
        if not len(drawn.own):
            return self._skip(f"no speaker has an imposter{f' of the same {self.matched}' if self.matched else ''}")
        values = drawn.figures(np.ones(len(kind)))
        items = np.full(len(own), np.nan)
        items[drawn.query] = drawn.below()

        faces, speaker = gallery.real_queries()
        at = gallery.position(speaker)
        asking = gallery.embed(faces)
        real = _Pairs(asking @ gallery.means.T, (asking * gallery.means_without(faces, at)).sum(axis=1), at, meets)
        uppers = real.figures(np.ones(len(kind))) if len(real.own) else (None, None)

        share = PAIRS / len(drawn.imposter)
        kept = drawn
        if share < 1:
            kept = _Pairs(cosines, own, position, meets & (np.random.default_rng(trial.seed).random(meets.shape) < share))
        intervals = pair_intervals(kept.figures, values, len(kind), trial.seed)

        note = f"{gallery.note}; {len(drawn.own)} own and {len(drawn.imposter)} imposter pairs"
        if self.matched:
            note += f" of the same {self.matched}: " + ", ".join(f"{name} {(kind == n).sum()}" for n, name in enumerate(kinds))
        if missing := len(items) - len(drawn.own):
            note += f"; {missing} faces of speakers without a real face or an imposter left out"
        return [
            Score(
                name,
                value,
                interval,
                chance=0.5,
                upper=upper,
                extractor=label,
                items=items if "auc" in name else None,
                note=note,
                higher_is_better="auc" in name,
            )
            for name, value, interval, upper in zip(self.names, values, intervals, uppers, strict=True)
        ]

    def _skip(self, why: str) -> list[Score]:
        return [skip(name, why, self.extractor.label, higher_is_better="auc" in name) for name in self.names]


class _Pairs:
    """Own and imposter pairs of the queries that have both, and the figures made from them.

    cosines: (N, P), queries against speakers. own: (N,), each one's own pair, NaN if it has none. position: (N,), whose
    query, -1 if nobody's. meets: bool (P, P), whether a query of the first is held against the second as an imposter.
    After: query: (n,), which queries were kept; own: (n,); imposter: (m,), all sorted by query.
    """

    def __init__(self, cosines: np.ndarray, own: np.ndarray, position: np.ndarray, meets: np.ndarray):
        self.query = np.flatnonzero((position >= 0) & (meets.sum(axis=1) > 0)[position] & np.isfinite(own))
        self.own = own[self.query].round(DECIMALS)
        self._speaker = position[self.query]
        self._asked, self._enrolled = np.nonzero(meets[self._speaker])
        self.imposter = cosines[self.query[self._asked], self._enrolled].round(DECIMALS)
        self._meets = meets.astype(np.float64)
        self._faces = np.bincount(self._speaker, minlength=len(meets))
        scores = np.concatenate([self.own, self.imposter])
        self._order = np.argsort(scores)
        self._ends = np.flatnonzero(np.diff(scores[self._order], append=np.inf) > 0)  # the last of each run of equal scores

    def figures(self, weights: np.ndarray) -> tuple[float, float]:
        """AUC and EER when each speaker counts `weights`, (P,), times. NaN where nothing is left to count."""
        own, imposter = self._weights(weights)
        if own.sum() <= 0 or imposter.sum() <= 0:
            return math.nan, math.nan
        nothing = np.zeros(len(imposter)), np.zeros(len(own))
        missed = np.concatenate([own, nothing[0]])[self._order].cumsum()[self._ends]
        passed = np.concatenate([nothing[1], imposter])[self._order].cumsum()[self._ends]
        # At a threshold just above each score: own pairs below it are misses, imposters not below it false alarms.
        misses = np.concatenate([[0.0], missed / missed[-1]])
        alarms = np.concatenate([[1.0], 1 - passed / passed[-1]])
        auc = float((-np.diff(alarms) * (1 - (misses[1:] + misses[:-1]) / 2)).sum())
        gap = misses - alarms  # rises from -1 to 1; straight between two scores, as equal scores are in random order
        at = int(np.argmax(gap >= 0))
        part = -gap[at - 1] / (gap[at] - gap[at - 1])
        return auc, float(misses[at - 1] + part * (misses[at] - misses[at - 1]))

    def below(self) -> np.ndarray:
        """(n,): the weight of the imposter pairs below each own pair, and half of those equal to it."""
        _, weight = self._weights(np.ones(len(self._meets)))
        order = np.argsort(self.imposter)
        total = np.concatenate([[0.0], weight[order].cumsum()])
        low, high = (total[np.searchsorted(self.imposter[order], self.own, side)] for side in ("left", "right"))
        return (low + high) / 2 / total[-1]

    def _weights(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A speaker's own pairs share the speaker's weight, and the imposters of one face the weight of that face."""
        others = (self._meets @ weights)[self._speaker]
        own = np.where(others > 0, weights[self._speaker] / self._faces[self._speaker], 0.0)
        return own, (own / np.maximum(others, 1e-300))[self._asked] * weights[self._enrolled]
