"""Whose face is it? Tracks and pictures -> people, by the corpus's own distances: no absolute threshold serves two corpora.

A sight is a track, or a picture of no film: all its faces are one person's. Where the source names who is in a film, the sights
that are unlike that person's others are strangers. Where it names nobody, sights of a film that are alike are one person; people
of several films that are alike may be one, and are never parted by a split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from evaluation.real_faces.gallery import unit
from gan.audit.label_noise import FEWEST_FACES, likeness
from gan.data.prepare.shared_audio import Groups

PAIRS = 200_000  # of sights of different people, from which their distances are known
ROUNDS = 3  # of looking for strangers: without the worst, the others stand out
BLOCK = 2048


@dataclass(frozen=True)
class PeopleSettings:
    """strangers: leave out faces that are unlike the others of the person whom the source names.
    only_speaking: in films, keep faces of tracks that are found to speak. least_difference: of two pictures, of 255
    (gan/media/copies.py). most_a_film, most_a_person: pictures kept, the best first; 0 for all.

    Raises ValueError for a negative value.
    """

    strangers: bool = True
    only_speaking: bool = True
    least_difference: float = 10.0
    most_a_film: int = 12
    most_a_person: int = 0

    def __post_init__(self) -> None:
        for name in ("least_difference", "most_a_film", "most_a_person"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"people.{name}: {getattr(self, name)} came. Allowed: 0 or more.")


@dataclass(frozen=True)
class Sight:
    """faces: embeddings (n, E). start, end: seconds in its film. name: whom the source says it shows, "" if nobody."""

    film: str
    name: str
    start: float
    end: float
    faces: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """(E,), of unit length."""
        return np.asarray(unit(unit(self.faces.astype(np.float64)).mean(axis=0)))


def strangers(sights: Sequence[Sight]) -> np.ndarray:
    """bool (N,): which sights that have a name are not of the person who has it. Of one or two sights nobody knows."""
    strange = np.zeros(len(sights), bool)
    named = np.array([bool(sight.name) for sight in sights], bool)
    if not named.any():
        return strange
    means = np.stack([sight.mean for sight in sights]).astype(np.float32)
    for _ in range(ROUNDS):
        left = np.flatnonzero(named & ~strange)
        _, own = np.unique([sights[at].name for at in left.tolist()], return_inverse=True)
        judged = np.flatnonzero(np.bincount(own)[own] >= FEWEST_FACES)
        if not len(judged):
            break
        found = likeness(means[left], own, judged).strange
        if not found.any():
            break
        strange[left[judged[found]]] = True
    return strange


def nearness(sights: Sequence[Sight]) -> float:
    """The distance of two means of unit length below which they are of one person.

    In the middle between what one person's sights leave (99 of 100 halves of a track are nearer to each other) and what different
    people do (one in a hundred is nearer): two who are seen at once, or who have different names; where the source names nobody,
    also any two of different films.
    """
    halves = [
        float(np.linalg.norm(unit(unit(sight.faces[::2]).mean(axis=0)) - unit(unit(sight.faces[1::2]).mean(axis=0))))
        for sight in sights
        if len(sight.faces) >= 4
    ]
    means = np.stack([sight.mean for sight in sights])
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(sights), (2, PAIRS))
    names = np.unique([sight.name for sight in sights], return_inverse=True)[1]
    films = np.unique([sight.film for sight in sights], return_inverse=True)[1]
    nameless = np.array([not sight.name for sight in sights])
    other = np.where(nameless[a] | nameless[b], films[a] != films[b], names[a] != names[b])
    apart = np.linalg.norm(means[a[other]] - means[b[other]], axis=1)
    at_once = [float(np.linalg.norm(means[i] - means[j])) for i, j in _at_once(sights)]
    if not len(apart) and not at_once:
        return 0.0
    far = min((float(np.quantile(each, 0.01)) for each in (apart, at_once) if len(each) >= 100), default=None)
    if far is None:  # few: from where most lie, not from the nearest of them
        far = 0.7 * float(np.median(np.concatenate([apart, at_once])))
    near = float(np.quantile(halves, 0.99)) if halves else 0.5 * far
    return (min(near, far) + far) / 2


def _at_once(sights: Sequence[Sight]) -> list[tuple[int, int]]:
    """Pairs of sights that are seen at the same time in one film."""
    order = sorted(range(len(sights)), key=lambda at: (sights[at].film, sights[at].start))
    pairs = []
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            if sights[j].film != sights[i].film or sights[j].start >= sights[i].end or not sights[i].film:
                break
            pairs.append((i, j))
    return pairs


def in_film(sights: Sequence[Sight], near: float) -> np.ndarray:
    """int (N,): the person of each sight of one film, numbered in the order of first sight. near: of nearness."""
    if len(sights) < 2:
        return np.zeros(len(sights), int)
    means = np.stack([sight.mean for sight in sights])
    labels = fcluster(linkage(pdist(means), "average"), near, "distance")
    first = {label: number for number, label in enumerate(dict.fromkeys(labels.tolist()))}
    return np.array([first[label] for label in labels.tolist()])


def alike(means: np.ndarray, near: float) -> list[list[int]]:
    """Groups of rows of unit means (N, E) that are chained by distances below `near`; groups of one are not given."""
    groups = Groups(len(means))
    least = 1 - near * near / 2  # cosine
    for start in range(0, len(means), BLOCK):
        cosines = means[start : start + BLOCK] @ means.T
        for i, j in zip(*np.nonzero(cosines > least), strict=True):
            if start + i < j:
                groups.join(start + int(i), int(j))
    return [group for group in groups.members() if len(group) > 1]
