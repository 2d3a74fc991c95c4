"""Is every face that of its speaker? Its embedding is held against the mean of the speaker's others, and of other speakers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.real_faces.gallery import sums_of, unit
from gan.audit.base import Finding, Names
from gan.build import build
from gan.data.corpus import Corpus

EMBEDDER = "dlib"
FEWEST_FACES = 3  # of a speaker: of two that differ nobody knows which is wrong
# In robust standard deviations of all faces' similarities to their own speaker. A face is a stranger if it is FAR below the
# median; or LOW, and another speaker's mean is nearer by NEARER.
FAR, LOW, NEARER = 6.0, 3.0, 2.0
# Of pictures nearly alike the deviation is almost nothing, and every shadow would be a stranger.
LEAST_DEVIATION = 0.003
BLOCK = 4096


@dataclass(frozen=True)
class Likeness:
    """How like its own people a face is, and other people, as cosines to means; arrays (N,) of the faces that were judged.

    similarity: to the mean of its own's other faces. nearest, nearest_is: to the nearest other mean, and whose that is.
    strange: is it none of its own? median, deviation: of the similarities, the second robust.
    """

    similarity: np.ndarray
    nearest: np.ndarray
    nearest_is: np.ndarray
    strange: np.ndarray
    median: float
    deviation: float


def likeness(embedded: np.ndarray, own: np.ndarray, judged: np.ndarray) -> Likeness:
    """embedded: unit vectors (M, E). own: whose each is, numbers from 0 on, (M,). judged: rows to judge, (N,), of people with
    FEWEST_FACES or more."""
    sums, _ = sums_of(embedded, own, int(own.max()) + 1)
    means = unit(sums)
    similarity, nearest, nearest_is = (np.zeros(len(judged)) for _ in range(3))
    for start in range(0, len(judged), BLOCK):
        rows, part = judged[start : start + BLOCK], slice(start, start + BLOCK)
        similarity[part] = (unit(sums[own[rows]] - embedded[rows]) * embedded[rows]).sum(axis=1)
        to_others = embedded[rows] @ means.T
        to_others[np.arange(len(rows)), own[rows]] = -1
        nearest[part], nearest_is[part] = to_others.max(axis=1), to_others.argmax(axis=1)
    median = float(np.median(similarity))
    deviation = max(1.4826 * float(np.median(np.abs(similarity - median))), LEAST_DEVIATION)
    strange = (similarity < median - FAR * deviation) | (
        (similarity < median - LOW * deviation) & (nearest > similarity + NEARER * deviation)
    )
    return Likeness(similarity, nearest, nearest_is, strange, median, deviation)


def check(corpus: Corpus) -> Finding:
    """Faces that are far from their speaker's mean; value: cosine similarity to it."""
    names = Names(corpus)
    question = dict(
        check="label_noise",
        question="Is every face that of its speaker?",
        leak=False,
        things="faces",
        unit="cosine to the speaker's other faces",
    )
    speakers, own = np.unique(corpus.faces["speaker"].astype(np.int64), return_inverse=True)
    counts = np.bincount(own, minlength=len(speakers))
    judged = np.flatnonzero(counts[own] >= FEWEST_FACES)
    if not len(judged):
        return Finding(**question, skipped=f"no speaker has {FEWEST_FACES} faces")  # type: ignore[arg-type]
    embedder = build(Embedder, {"name": EMBEDDER}, "audit")
    size = max(corpus.face_sizes)
    embedded = np.concatenate(
        [
            unit(embedder(corpus.pixels(rows, size), corpus.face_box).astype(np.float64)).astype(np.float32)
            for rows in np.array_split(np.arange(len(own)), -(-len(own) // BLOCK))
        ]
    )
    found = likeness(embedded, own, judged)
    similarity, nearest, median, deviation = found.similarity, found.nearest, found.median, found.deviation
    items = []
    for at in np.flatnonzero(found.strange)[np.argsort(similarity[found.strange])]:
        other = names.speaker(int(speakers[int(found.nearest_is[at])]))
        items.append(
            names.face(
                int(judged[at]),
                float(similarity[at]),
                f"nearer to {other} ({nearest[at]:.3f})" if nearest[at] > similarity[at] else "",
            )
        )
    notes = [f"{embedder.label}: cosine to the speaker's other faces, median {median:.3f}, robust deviation {deviation:.3f}."]
    if len(judged) < len(own):
        notes.append(f"{len(own) - len(judged)} faces of speakers with fewer than {FEWEST_FACES} were not judged.")
    return Finding(**question, checked=len(judged), items=items, notes=notes)  # type: ignore[arg-type]
