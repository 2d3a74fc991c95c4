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
from scipy.stats import norm as normal

from evaluation.real_faces.gallery import unit
from gan.audit.label_noise import FAR, FEWEST_FACES, likeness
from gan.data.prepare.shared_audio import Groups

MOST_SIGHTS = 2000  # from which is known what is near
TWO_KINDS = 2.0  # times as long as joins within people are those between people, at least
FEW = 20  # pairs of two people: too few to tell how far they spread
ROUNDS = 3  # of looking for strangers: without the worst, the others stand out
APART = 4.0  # farther than any two
BLOCK = 256


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
    """faces: embeddings (n, E). name: whom the source says it shows, "" if nobody. start, end: seconds on the clock of an item of
    its film; two segments that were cut from one film may each begin at 0."""

    film: str
    name: str
    start: float
    end: float
    faces: np.ndarray
    item: str = ""

    @property
    def mean(self) -> np.ndarray:
        """(E,), of unit length."""
        return np.asarray(unit(unit(self.faces.astype(np.float64)).mean(axis=0)))


def strangers(sights: Sequence[Sight]) -> np.ndarray:
    """bool (N,): which sights that have a name are not of the person who has it. Of one or two sights nobody knows.

    The person is whoever is seen in most of the films, then most often. Guests are so many in some films that they must not count
    when it is asked how a person looks; who is seen beside the person is a guest for certain.
    """
    strange = np.zeros(len(sights), bool)
    named = np.array([bool(sight.name) for sight in sights], bool)
    if not named.any():
        return strange
    means = np.stack([sight.mean for sight in sights]).astype(np.float32)
    main = _main(sights, named)
    for i, j in _at_once(sights):
        if sights[i].name == sights[j].name and main[i] != main[j]:
            strange[j if main[i] else i] = True
    found = None
    for _ in range(ROUNDS):
        left = np.flatnonzero(named & main & ~strange)
        names, own = np.unique([sights[at].name for at in left.tolist()], return_inverse=True)
        judged = np.flatnonzero(np.bincount(own)[own] >= FEWEST_FACES)
        if not len(judged):
            break
        found = likeness(means[left], own, judged)
        if not found.strange.any():
            break
        strange[left[judged[found.strange]]] = True
    if found is None:
        return strange
    known = {names[at]: unit(means[left[own == at]].sum(axis=0)) for at in np.unique(own[judged]).tolist()}
    for at in np.flatnonzero(named & ~main).tolist():
        if sights[at].name in known and known[sights[at].name] @ means[at] < found.median - FAR * found.deviation:
            strange[at] = True
    return strange


def _main(sights: Sequence[Sight], named: np.ndarray) -> np.ndarray:
    """bool (N,): sights of whoever is seen in most films of this name, or most often; all of them where two are alike in that."""
    main = np.ones(len(sights), bool)
    near, _ = nearness([sights[at] for at in np.flatnonzero(named).tolist()])
    theirs: dict[str, list[int]] = {}
    for at in np.flatnonzero(named).tolist():
        theirs.setdefault(sights[at].name, []).append(at)
    for those in theirs.values():
        labels = in_film([sights[at] for at in those], near)
        seen = [
            (len({sights[at].film or str(at) for at, label in zip(those, labels, strict=True) if label == number}), count)
            for number, count in enumerate(np.bincount(labels).tolist())
        ]
        if seen.count(max(seen)) == 1:
            main[those] = labels == seen.index(max(seen))
    return main


def nearness(sights: Sequence[Sight]) -> tuple[float, float]:
    """Distances of two means of unit length below which they are of one person: within a film, and between films.

    What is near and what is far, the sights tell themselves: a tree of them is cut where its joins fall into two kinds, short
    within people and long between them. The first distance lies in the middle between what 95 in 100 pairs of one person
    leave and what one in a hundred pairs of two people is below. The second is no greater, and less the more people there are:
    by chance three in a hundred are that near to anybody else, so that few are chained who are not one.
    """
    some = _whole_films(sights, MOST_SIGHTS)
    if len(some) < 2:
        return 0.0, 0.0
    means = np.stack([sight.mean for sight in some])
    distances = pdist(means)
    tree = linkage(distances, "average")
    labels = fcluster(tree, _cut(np.sort(tree[:, 2]), some), "distance")
    i, j = np.triu_indices(len(some), 1)
    inside, between = distances[labels[i] == labels[j]], distances[labels[i] != labels[j]]
    at_once = [float(np.linalg.norm(means[a] - means[b])) for a, b in _at_once(some)]
    between = np.concatenate([between, at_once])
    if not len(between):
        return 2.0, 2.0  # all are one person
    # Below the middle lie pairs of one person that were not joined; so the spread is taken from above it.
    middle = float(np.median(between))
    deviation = (float(np.quantile(between, 0.99)) - middle) / normal.ppf(0.99)
    far = middle - deviation * normal.ppf(0.99)
    if len(between) < FEW:
        far = min(far, 0.7 * middle)
    near = float(np.quantile(inside, 0.95)) if len(inside) else 0.5 * far
    within = (near + max(near, far)) / 2
    between_films = middle - deviation * float(normal.ppf(1 - 0.03 / max(10, len(sights))))
    return float(within), float(min(within, between_films))


def _whole_films(sights: Sequence[Sight], most: int) -> list[Sight]:
    """All, or those of films drawn until there are so many."""
    if len(sights) <= most:
        return list(sights)
    films: dict[str, list[Sight]] = {}
    for at, sight in enumerate(sights):
        films.setdefault(sight.film or f"{at}", []).append(sight)
    names = list(films)
    drawn = (films[names[at]] for at in np.random.default_rng(0).permutation(len(names)).tolist())
    return [sight for film in drawn for sight in film][:most]


def _cut(heights: np.ndarray, sights: Sequence[Sight]) -> float:
    """The height at which a tree is cut into people. heights: of its joins, in order.

    Where all joins are of one kind, a track tells whether they are short: by how its own faces differ.
    """
    if len(heights) > 1:
        logs = np.log(np.maximum(heights, 1e-9))
        number = np.arange(1, len(logs))
        sums = np.cumsum(logs)
        lower, upper = sums[:-1] / number, (sums[-1] - sums[:-1]) / (len(logs) - number)
        at = int(np.argmax(number * (len(logs) - number) * np.square(upper - lower))) + 1  # Otsu (1979)
        if np.median(heights[at:]) > TWO_KINDS * np.median(heights[:at]):
            return float(np.sqrt(heights[at - 1] * heights[at]))
    steps = [
        np.linalg.norm(np.diff(unit(each.faces.astype(np.float64)), axis=0), axis=1) for each in sights if len(each.faces) > 1
    ]
    own = float(np.median(np.concatenate(steps))) if steps else 0.0
    return 0.0 if np.median(heights) > TWO_KINDS * own else 2.0


def _at_once(sights: Sequence[Sight]) -> list[tuple[int, int]]:
    """Pairs of sights that are seen at the same time in one film."""
    order = sorted(range(len(sights)), key=lambda at: (sights[at].film, sights[at].item, sights[at].start))
    pairs = []
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            one, other = sights[i], sights[j]
            if not one.film or (one.film, one.item) != (other.film, other.item) or other.start >= one.end:
                break
            pairs.append((i, j))
    return pairs


def in_film(sights: Sequence[Sight], near: float) -> np.ndarray:
    """int (N,): the person of each sight of one film, numbered in the order of first sight. near: as nearness says it."""
    if len(sights) < 2:
        return np.zeros(len(sights), int)
    means = np.stack([sight.mean for sight in sights])
    distances = pdist(means)
    for i, j in _at_once(sights):  # are two people, whatever they look like
        i, j = min(i, j), max(i, j)
        distances[len(sights) * i - i * (i + 1) // 2 + j - i - 1] = APART
    labels = fcluster(linkage(distances, "average"), near, "distance")
    first = {label: number for number, label in enumerate(dict.fromkeys(labels.tolist()))}
    return np.array([first[label] for label in labels.tolist()])


def alike(means: np.ndarray, near: float) -> list[list[int]]:
    """Groups of rows of unit means (N, E) that are chained by distances below `near`; groups of one are not given."""
    groups = Groups(len(means))
    least = 1 - near * near / 2  # cosine
    for start in range(0, len(means), BLOCK):
        cosines = means[start : start + BLOCK] @ means[start:].T
        for i, j in np.argwhere(cosines > least).tolist():
            if i < j:
                groups.join(start + i, start + j)
    return [group for group in groups.members() if len(group) > 1]
