"""Similarity of a drawn face to the speaker's real faces, in the space of a face embedder: cosine, or a distance."""

from __future__ import annotations

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.intervals.bootstrap import mean_or_none
from evaluation.metrics.base import Metric, score_items, skip
from evaluation.real_faces.gallery import MEASURES, Gallery, nearness, own_nearness
from evaluation.trial import Score, Trial


class Similarity(Metric):
    """The drawn face's embedding, of unit length, against its speaker's mean real embedding.

    extractor: the face embedder.
    measure: cosine, -1..1; l1, sum_d |u_d - p_d + 1e-6|; l2, the same with a 2-norm.
    renormalise: whether the mean of a speaker's unit embeddings is brought to unit length again, as SF2F's text says;
    its code, which made the published L1 and L2, does not. Cosines are the same either way.
    chance: real faces against the mean embeddings of the other speakers. upper: real faces against their own
    speaker's mean: training faces of seen speakers, of unseen ones the true faces, each left out of its own mean.
    Source: SF2F's ground-truth matrix of mean embeddings.
    """

    def __init__(self, extractor: Embedder, measure: str = "cosine", renormalise: bool = True):
        if measure not in MEASURES:
            raise ValueError(f"measure: {measure}. Have: {', '.join(MEASURES)}.")
        self.extractor, self.measure, self.renormalise = extractor, measure, renormalise
        self.name = "similarity" if measure == "cosine" else f"similarity/{measure}"
        if measure != "cosine" and not renormalise:
            self.name += "/raw_mean"

    def __call__(self, trial: Trial) -> list[Score]:
        similar = self.measure == "cosine"
        if not len(trial.generated) or not len(trial.gallery):
            return [skip(self.name, "no generated or no real faces", self.extractor.label, similar)]
        gallery = Gallery(trial, self.extractor, self.renormalise)
        sign = 1 if similar else -1  # nearness is minus the distance
        position = gallery.position(trial.speaker)
        known = position >= 0
        items = sign * own_nearness(gallery.embed(trial.generated), gallery.means[position], self.measure)

        faces, speaker = gallery.real_queries()
        own = gallery.position(speaker)
        real = gallery.embed(faces)
        same = sign * own_nearness(real, gallery.means_without(faces, own), self.measure)
        other = np.full(len(real), np.nan)
        if len(gallery.speakers) > 1:
            others = np.arange(len(gallery.speakers)) != own[:, None]
            other = sign * (nearness(real, gallery.means, self.measure) * others).sum(axis=1) / others.sum(axis=1)
        note = gallery.note
        if not similar:
            note += f", means {'brought to unit length' if self.renormalise else 'not brought to unit length'}"
        return [
            score_items(
                self.name,
                np.where(known, items, np.nan),
                trial,
                chance=mean_or_none(other, speaker),
                upper=mean_or_none(same, speaker),
                extractor=self.extractor.label,
                note=note + (f"; {(~known).sum()} faces of speakers without a real face left out" if not known.all() else ""),
                higher_is_better=similar,
            )
        ]
