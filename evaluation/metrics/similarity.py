"""Cosine similarity of a drawn face to the speaker's real faces, in the space of a face embedder."""

from __future__ import annotations

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.gallery import Gallery
from evaluation.metrics.base import Metric, Score, Trial, mean_or_none, score_items, skip

NAME = "similarity"


class Similarity(Metric):
    """Cosine between the drawn face's embedding and its speaker's mean real embedding, -1..1.

    extractor: the face embedder.
    chance: real faces against the mean embeddings of the other speakers. upper: real faces against their own
    speaker's mean: training faces of seen speakers, of unseen ones the true faces, each left out of its own mean.
    Source: SF2F's ground-truth matrix of mean embeddings; the mean is of unit vectors and is brought to unit length.
    """

    def __init__(self, extractor: Embedder):
        self.extractor = extractor

    def __call__(self, trial: Trial) -> list[Score]:
        if not len(trial.generated) or not len(trial.gallery):
            return [skip(NAME, "no generated or no real faces", self.extractor.label)]
        gallery = Gallery(trial, self.extractor)
        position = gallery.position(trial.speaker)
        known = position >= 0
        items = np.where(known, (gallery.embed(trial.generated) * gallery.means[position]).sum(axis=1), np.nan)

        faces, speaker = gallery.real_queries()
        own = gallery.position(speaker)
        real = gallery.embed(faces)
        same = (real * gallery.means_without(faces, own)).sum(axis=1)
        other = np.full(len(real), np.nan)
        if len(gallery.speakers) > 1:
            cosines = real @ gallery.means.T  # (M, P)
            others = np.arange(len(gallery.speakers)) != own[:, None]
            other = (cosines * others).sum(axis=1) / others.sum(axis=1)
        return [
            score_items(
                NAME,
                items,
                trial,
                chance=mean_or_none(other, speaker),
                upper=mean_or_none(same, speaker),
                extractor=self.extractor.label,
                note=gallery.note
                + (f"; {(~known).sum()} faces of speakers without a real face left out" if not known.all() else ""),
            )
        ]
