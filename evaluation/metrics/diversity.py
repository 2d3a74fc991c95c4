"""How much the faces of one voice differ, against how much those of different voices do."""

from __future__ import annotations

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.intervals.bootstrap import mean_or_none, mean_over_speakers, speaker_means
from evaluation.intervals.correlation import interval_holding, resampled_speakers
from evaluation.metrics.base import Metric, score_items, skip
from evaluation.real_faces.gallery import sums_of, unit
from evaluation.trial import Score, Trial

NAME = "diversity"


class Diversity(Metric):
    """Spread within a voice, between voices, and their ratio; spread is the mean cosine distance of embeddings, 0..2.

    extractor: the face embedder.
    diversity/within: between two faces drawn from the same speech with other noise; 0 for a model without noise.
    diversity/between: between a drawn face and those drawn from other people's speech; 0 for a collapsed model.
    diversity/ratio: within over between. 1: the voice decides nothing, noise everything. 0: the voice decides everything.
    upper: real faces, within and between people. They vary in pose and light, drawn faces in noise alone, so a ratio below that
    of real faces is no fault.
    """

    needs_again = True

    def __init__(self, extractor: Embedder):
        self.extractor = extractor

    def __call__(self, trial: Trial) -> list[Score]:
        names, label = [f"{NAME}/{one}" for one in ("within", "between", "ratio")], self.extractor.label
        if not len(trial.generated):
            return [skip(name, "no generated faces", label, name != names[2]) for name in names]
        if trial.again is None:
            return [skip(name, "no second face was drawn of each speech", label, name != names[2]) for name in names]
        drawn, again, real = (
            unit(self.extractor(faces, trial.face_box).astype(np.float64))
            for faces in (trial.generated, trial.again, trial.gallery)
        )
        same = (trial.generated == trial.again).all(axis=(1, 2, 3))
        within = np.where(same, 0.0, np.maximum(1 - (drawn * again).sum(axis=1), 0))
        between = _to_others(drawn, trial.speaker)
        real_within = mean_or_none(_to_own(real, trial.gallery_speaker), trial.gallery_speaker)
        real_between = mean_or_none(_to_others(real, trial.gallery_speaker), trial.gallery_speaker)
        note = f"cosine distance; N = {len(drawn)} drawn twice"
        if same.all():
            note += "; a model without noise: the same speech gives the same face"
        scores = [
            score_items(name, items, trial, upper=upper, extractor=label, note=note)
            for name, items, upper in zip(names, (within, between), (real_within, real_between), strict=False)
        ]
        if not np.isfinite(between).any():
            alone = "one speaker; between voices needs two or more"
            return [scores[0], *(skip(name, alone, label, name != names[2]) for name in names[1:])]
        return [*scores, self._ratio(names[2], within, between, trial, real_within, real_between, note)]

    def _ratio(
        self,
        name: str,
        within: np.ndarray,
        between: np.ndarray,
        trial: Trial,
        real_within: float | None,
        real_between: float | None,
        note: str,
    ) -> Score:
        """Of the means, not the mean of ratios, which one pair of like voices could make as large as it likes."""
        if (whole := mean_over_speakers(between, trial.speaker)) < 1e-6:
            return skip(name, "all voices give the same face", self.extractor.label, higher_is_better=False)
        value = mean_over_speakers(within, trial.speaker) / whole
        inner, outer = speaker_means(within, trial.speaker)[1], speaker_means(between, trial.speaker)[1]
        chosen = resampled_speakers(len(inner), trial.seed)
        interval = interval_holding(inner[chosen].mean(axis=1) / outer[chosen].mean(axis=1), value, len(inner))
        upper = None if real_within is None or not real_between else real_within / real_between
        return Score(
            name,
            value,
            interval,
            upper=upper,
            extractor=self.extractor.label,
            note=note + "; 1: noise decides as much as the voice",
            higher_is_better=False,
        )


def _to_others(units: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """(N, E) of unit length -> (N,): mean cosine distance of each to all faces of other speakers; NaN if there are none."""
    own, counts = _own_sums(units, speaker)
    return _mean_distance(units, units.sum(axis=0) - own, len(units) - counts)


def _to_own(units: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """(N, E) of unit length -> (N,): mean cosine distance of each to the speaker's other faces; NaN if there are none."""
    own, counts = _own_sums(units, speaker)
    return _mean_distance(units, own - units, counts - 1)


def _own_sums(units: np.ndarray, speaker: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sum (N, E) and number (N,) of all faces of each face's speaker."""
    speakers, place = np.unique(speaker, return_inverse=True)
    sums, counts = sums_of(units, place, len(speakers))
    return sums[place], counts[place]


def _mean_distance(units: np.ndarray, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean cosine distance of each vector to `counts` others that add up to `sums`; never negative, as rounding might be."""
    cosines = np.divide((units * sums).sum(axis=1), counts, out=np.full(len(units), np.nan), where=counts > 0)
    return np.maximum(1 - cosines, 0)
