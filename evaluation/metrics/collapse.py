"""Collapse: how alike the faces drawn for different people are."""

from __future__ import annotations

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.intervals.pairs import pair_intervals
from evaluation.metrics.base import Metric, skip
from evaluation.real_faces.gallery import Gallery, sums_of
from evaluation.trial import Score, Trial

NAMES = ("collapse/inter_person", "collapse/drawn")


class Collapse(Metric):
    """Mean cosines between different people's faces; the higher, the more everybody is drawn alike.

    extractor: the face embedder.
    collapse/inter_person: drawn faces against the mean real embeddings of the other speakers (SF2F's off-diagonal mean).
    collapse/drawn: drawn faces against the drawn faces of the other speakers; 1 is one face for everybody.
    Every speaker weighs the same. upper: the same of real faces, asking as in `similarity`: what a system that draws
    people as different as they are would score. There is no chance level. A value below the real faces' means unlike
    faces, not better ones.
    Source: SF2F's inter-person similarity.
    """

    def __init__(self, extractor: Embedder):
        self.extractor = extractor

    def __call__(self, trial: Trial) -> list[Score]:
        label = self.extractor.label
        if not len(trial.generated) or not len(trial.gallery):
            return [skip(name, "no generated or no real faces", label, higher_is_better=False) for name in NAMES]
        gallery = Gallery(trial, self.extractor)
        drawn, position = gallery.embed(trial.generated), gallery.position(trial.speaker)
        faces, speaker = gallery.real_queries()
        real, real_position = gallery.embed(faces), gallery.position(speaker)
        size = len(gallery.speakers)
        own, known = _speaker_means(drawn, position, size)
        own_real, known_real = _speaker_means(real, real_position, size)
        everybody = np.ones(size, dtype=bool)
        scores = []
        for name, others, there, others_real, there_real in (
            (NAMES[0], gallery.means, everybody, gallery.means, everybody),
            (NAMES[1], own, known, own_real, known_real),
        ):
            value = _between(own, known, others, there, np.ones(size))
            if np.isnan(value):
                scores.append(skip(name, "no two different speakers", label, higher_is_better=False))
                continue

            def resampled(weights: np.ndarray, others: np.ndarray = others, there: np.ndarray = there) -> tuple[float]:
                return (_between(own, known, others, there, weights),)

            (interval,) = pair_intervals(resampled, [value], size, trial.seed, bounds=(-1.0, 1.0))
            upper = _between(own_real, known_real, others_real, there_real, np.ones(size))
            note = gallery.note
            if name == NAMES[1]:
                note = f"{(position >= 0).sum()} drawn faces of {known.sum()} speakers; one face for everybody: 1"
            if (position < 0).any():
                note += f"; {(position < 0).sum()} faces of speakers without a real face left out"
            scores.append(
                Score(
                    name,
                    value,
                    interval,
                    upper=None if np.isnan(upper) else upper,
                    extractor=label,
                    items=_items(drawn, position, others, there),
                    note=note,
                    higher_is_better=False,
                )
            )
        return scores


def _speaker_means(embedded: np.ndarray, position: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, E) and whose, (N,), -1 for nobody -> mean of each speaker, (size, E), not of unit length, and who has one."""
    sums, counts = sums_of(embedded, position, size)
    return sums / np.maximum(counts, 1)[:, None], counts > 0


def _between(a: np.ndarray, has_a: np.ndarray, b: np.ndarray, has_b: np.ndarray, weights: np.ndarray) -> float:
    """Mean of a_i . b_j over pairs of different speakers, a pair weighing as its two speakers; NaN where there is none.

    a, b: (P, E). has_a, has_b: (P,). All pairs at once: the product of the sums, less the speakers with themselves.
    """
    weights_a, weights_b = weights * has_a, weights * has_b
    pairs = weights_a.sum() * weights_b.sum() - weights_a @ weights_b
    if pairs <= 0:
        return float("nan")
    total = (weights_a @ a) @ (weights_b @ b) - (weights_a * weights_b) @ (a * b).sum(axis=1)
    return float(total / pairs)


def _items(embedded: np.ndarray, position: np.ndarray, others: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(N,): mean cosine of each face to the other speakers; NaN where there are none."""
    number = there.sum() - there[position]
    to_all = embedded @ (others * there[:, None]).sum(axis=0)
    to_own = (embedded * others[position]).sum(axis=1) * there[position]
    return np.where((position >= 0) & (number > 0), (to_all - to_own) / np.maximum(number, 1), np.nan)
