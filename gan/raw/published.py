"""The divisions that data sets and papers were published with, as our splits, and what each shares across its parts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gan.raw.item import Item, Listing
from gan.raw.names import fold
from gan.raw.splits import OWNERS
from gan.raw.tables import read_lines

SplitOf = Callable[[Item], str]  # "" for what a division says nothing of
PUBLISHED = ("voice2face", "sf2f", "voxceleb")
PARTS = {"dev": "train", "train": "train", "test": "unseen_speaker"}
FILM_PARTS = {"1": "train", "2": "val_speech", "3": "unseen_speech"}
_FILM = re.compile(r"(id\d{5})/([A-Za-z0-9_-]{11})(?:/.*)?")


def published(name: str, listing: Listing) -> dict[str, str]:
    """Speaker -> split, of a division by person. Raises ValueError if the listing lacks what it goes by.

    voice2face: by the first letter of the name, F to Z train. sf2f: by the row of the person's table, counted from 0, modulo 10.
    voxceleb: dev trains, test is held out. People of whom a division says nothing are not in it.
    """
    if name not in PUBLISHED:
        raise ValueError(f"splits.published: {name} came. Allowed: {', '.join(PUBLISHED)}.")
    parts: dict[str, str] = {}
    for item in listing.items:
        # Whoever has two ids, one of each part, is held out.
        parts[item.speaker] = "test" if parts.get(item.speaker) == "test" else item.part
    split_of = {
        "voice2face": lambda speaker, facts: by_letter(facts.get("full_name", "")),
        "sf2f": lambda speaker, facts: by_row(int(facts["row"])) if "row" in facts else "",
        "voxceleb": lambda speaker, facts: PARTS.get(parts.get(speaker, ""), ""),
    }[name]
    found = {speaker: split for speaker, facts in listing.people.items() if (split := split_of(speaker, facts))}
    if not found:
        needs = {"voice2face": "names", "sf2f": "rows of a table", "voxceleb": "dev or test"}[name]
        raise ValueError(f"splits.published: {name} goes by {needs}, which this source does not give. Leave it out.")
    return found


@dataclass(frozen=True)
class Division:
    """splits: person -> split. left_out: (who, kind, reason) of those who are not in it. shared: what its parts share."""

    splits: Mapping[str, str]
    left_out: Sequence[tuple[str, str, str]]
    shared: Crossing


def divide(name: str, listing: Listing, people: Collection[str], same: Iterable[tuple[str, ...]]) -> Division:
    """Those of `people` whom a division names, without those who may be one person with somebody of a part that is held out.

    same: groups of people who are, or may be, one. Raises ValueError as `published` does.
    """
    every = published(name, listing)
    shared = crossing(listing.items, by_part if name == "voxceleb" else by_person(every), same)
    splits = {person: split for person, split in every.items() if person in people}
    left_out = [
        (person, "person of no part", f"{name}'s division does not say where they belong")
        for person in sorted(set(people) - splits.keys())
    ]
    for group in shared.people:
        there = [person for person in group if person in splits]
        owner = next((split for split in OWNERS if split in {splits[person] for person in there}), "")
        for person in there:
            if splits[person] != owner:
                left_out.append(
                    (person, "person of two splits", f"may be one with somebody who is held out ({', '.join(group)})")
                )
                del splits[person]
    return Division(splits, left_out, shared)


def by_letter(name: str) -> str:
    """voice2face: F to Z train; A to E, validation and test together, are held out. "" without a letter."""
    first = fold(name)[:1]
    if not ("a" <= first <= "z"):
        return ""
    return "unseen_speaker" if first <= "e" else "train"


def by_row(row: int) -> str:
    """SF2F: row of the table, counted from 0: modulo 10 an 8 is test, a 9 validation."""
    return {8: "unseen_speaker", 9: "val_speaker"}.get(row % 10, "train")


def read_films(path: str | Path) -> dict[tuple[str, str], str]:
    """A list such as VoxCeleb's iden_split.txt, `<1, 2 or 3> <id>/<film>/<utterance>` a line -> (speaker, film) -> split.

    Raises ValueError, one line, at a line that reads otherwise, or a film that is in two parts for one speaker.
    """
    found: dict[tuple[str, str], str] = {}
    for row in read_lines(path, separator="\n"):
        part, _, name = " ".join(row.cells).partition(" ")
        film = _FILM.fullmatch(name.strip())
        if row.fault or part not in FILM_PARTS or not film:
            raise ValueError(f"{path}: line {row.line}: {row.fault or 'not 1, 2 or 3 and <id>/<film>/<utterance>'}.")
        key = film[1], film[2]
        if found.setdefault(key, FILM_PARTS[part]) != FILM_PARTS[part]:
            raise ValueError(f"{path}: line {row.line}: {film[1]}/{film[2]} is in another part already. A film must be in one.")
    if not found:
        raise ValueError(f"{path}: the list is empty.")
    return found


@dataclass(frozen=True)
class Crossing:
    """What a division shares across its parts.

    films: those of `of` that are in several splits. people: groups in several splits who are, or may be, one person.
    """

    films: Sequence[str]
    of: int
    people: Sequence[tuple[str, ...]]

    def __str__(self) -> str:
        share = f" ({len(self.films) / self.of:.1%})" if self.of else ""
        return (
            f"The published division shares {len(self.films)} of {self.of} films{share} across its parts, "
            f"and {len(self.people)} people who are, or may be, one under two names."
        )


def crossing(items: Iterable[Item], split_of: SplitOf, same: Iterable[tuple[str, ...]]) -> Crossing:
    """Count what lies on several sides. split_of: item -> split."""
    films: dict[str, set[str]] = defaultdict(set)
    people: dict[str, set[str]] = defaultdict(set)
    for item in items:
        split = split_of(item)
        if split:
            if item.film:
                films[item.film].add(split)
            people[item.speaker].add(split)
    crossed = sorted(film for film, splits in films.items() if len(splits) > 1)
    groups: list[tuple[str, ...]] = [(name,) for name, splits in sorted(people.items()) if name and len(splits) > 1]
    groups += [group for group in same if len(set().union(*(people.get(name, set()) for name in group))) > 1]
    return Crossing(crossed, len(films), groups)


def by_person(splits: Mapping[str, str]) -> SplitOf:
    return lambda item: splits.get(item.speaker, "")


def by_part(item: Item) -> str:
    """As the source itself divides its items; a person who is two ids may then be on both sides."""
    return PARTS.get(item.part, "")
