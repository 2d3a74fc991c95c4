"""People who are two names in a source: found by the films they share and by like names.

Two ids that share many films and whose names are one name, spelt in two ways, are one person. Where the names are only like each
other (twins, brothers, a band, a stage name), films cannot tell, and a person decides; until then no split may part them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations

from gan.data.prepare.shared_audio import Groups
from gan.raw.names import fold, like_name, same_name

SHARED_FILMS = 4
SHARED_FRACTION = 0.25  # of the films of whoever has fewer
MOST_PEOPLE = 50  # in one film; more is a compilation, of which nothing follows


@dataclass(frozen=True)
class Double:
    """Two people who are one (sure), or may be. shared: films of both; of: films of the one who has fewer."""

    first: str
    second: str
    shared: int
    of: int
    sure: bool


def doubles(films: Mapping[str, Collection[str]], names: Mapping[str, str]) -> list[Double]:
    """films: person -> films. names: person -> name; people without one are compared with nobody.

    Sure: >= SHARED_FILMS and >= SHARED_FRACTION of the fewer are shared and the names are one, or the names are equal but for
    marks and signs and any film is shared. To be decided: the names are only like, or equal without a shared film.
    """
    shared = Counter[tuple[str, str]]()
    inverse = defaultdict(list)
    for person in sorted(films):
        for film in set(films[person]):
            inverse[film].append(person)
    for people in inverse.values():
        if 1 < len(people) <= MOST_PEOPLE:
            shared.update(combinations(people, 2))
    by_name = defaultdict(list)
    for person in sorted(films):
        if names.get(person):
            by_name[fold(names[person])].append(person)
    equal = {pair for people in by_name.values() for pair in combinations(people, 2)}
    found = []
    for pair in sorted(equal | shared.keys()):
        a, b = (names.get(person, "") for person in pair)
        of = min(len(set(films[person])) for person in pair)
        often = shared[pair] >= SHARED_FILMS and shared[pair] >= SHARED_FRACTION * of
        if pair in equal:
            found.append(Double(*pair, shared[pair], of, shared[pair] > 0))
        elif often and a and b and like_name(a, b):
            found.append(Double(*pair, shared[pair], of, same_name(a, b)))
    return found


def joined(found: Collection[Double]) -> dict[str, str]:
    """Person -> the first of those who are surely the same person; those who are nobody else are not in it."""
    people = sorted({person for each in found if each.sure for person in (each.first, each.second)})
    number = {person: at for at, person in enumerate(people)}
    groups = Groups(len(people))
    for each in found:
        if each.sure:
            groups.join(number[each.first], number[each.second])
    first: dict[int, str] = {}
    return {person: first.setdefault(groups.find(number[person]), person) for person in people}
