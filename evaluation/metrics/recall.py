"""Retrieval of the right person by the drawn face, among all speakers of the split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.gallery import Gallery
from evaluation.metrics.base import Metric, Score, Trial, mean_or_none, score_items, skip


class Recall(Metric):
    """Share of drawn faces whose speaker is among the k speakers whose mean real embeddings are nearest by cosine.

    k: the ranks asked for. extractor: the face embedder.
    The gallery is every speaker of the split, so chance is k / its size; both are in the score. Equal similarities
    share their ranks, as a random order would, so that one face drawn for everybody scores chance.
    upper: real faces as queries: training faces of seen speakers; of unseen ones the true faces, each left out of its
    own speaker's mean.
    Source: recall@K of SF2F (there: three galleries of 100 speakers).
    """

    def __init__(self, extractor: Embedder, k: Sequence[int] = (1, 5, 10)):
        self.k = [int(rank) for rank in k]
        if not self.k or min(self.k) < 1:
            raise ValueError(f"k: {list(k)}; needs ranks of 1 or more.")
        self.extractor = extractor

    def __call__(self, trial: Trial) -> list[Score]:
        names = [f"recall@{k}" for k in self.k]
        if not len(trial.generated) or not len(trial.gallery):
            return [skip(name, "no generated or no real faces", self.extractor.label) for name in names]
        gallery = Gallery(trial, self.extractor)
        size = len(gallery.speakers)
        position = gallery.position(trial.speaker)
        known = position >= 0
        ranks = _count(gallery.embed(trial.generated), gallery.means[position], gallery.means, position)
        faces, owner = gallery.real_queries()
        own = gallery.position(owner)
        real_ranks = _count(gallery.embed(faces), gallery.means_without(faces, own), gallery.means, own)
        left_out = f"; {(~known).sum()} faces of speakers without a real face left out" if not known.all() else ""
        scores = []
        for k, name in zip(self.k, names, strict=True):
            if k >= size:
                scores.append(skip(name, f"a gallery of {size} speakers always holds it", self.extractor.label))
                continue
            scores.append(
                score_items(
                    name,
                    np.where(known, _found(*ranks, k), np.nan),
                    trial,
                    chance=k / size,
                    upper=mean_or_none(_found(*real_ranks, k), owner),
                    extractor=self.extractor.label,
                    note=gallery.note + left_out,
                )
            )
        return scores


def _count(
    queries: np.ndarray, own: np.ndarray, means: np.ndarray, position: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many other speakers are nearer to each query than its own, and how many are equally near. NaN if unknown."""
    cosines = queries @ means.T  # (N, P)
    mine = (queries * own).sum(axis=1)
    others = np.arange(len(means)) != position[:, None]
    # A matrix product and a row sum round differently, so equality is to a tolerance.
    gap = cosines - mine[:, None]
    nearer = ((gap > 1e-9) & others).sum(axis=1).astype(np.float64)
    equal = ((np.abs(gap) <= 1e-9) & others).sum(axis=1).astype(np.float64)
    nearer[np.isnan(mine)] = np.nan
    return nearer, equal


def _found(nearer: np.ndarray, equal: np.ndarray, k: int) -> np.ndarray:
    """Probability of rank <= k when the equally near ones are put in random order."""
    return np.clip((k - nearer) / (equal + 1), 0, 1)
