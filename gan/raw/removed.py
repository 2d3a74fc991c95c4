"""A list of people, films and recordings that must not be used, against what a source listed.

One name, id, film or key a line; `#` begins a comment. Of a line with commas that matches nothing as a whole, its cells are
tried, so that a table will do.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gan.raw.item import Listing
from gan.raw.names import fold, keep
from gan.raw.sources.base import printable, some
from gan.raw.tables import read_lines

_COMMENT = re.compile(r"(^|\s)#.*")


@dataclass(frozen=True)
class Removal:
    """What a list removes. matched: entry -> what it stands for. unmatched: entries that stand for nothing here."""

    people: frozenset[str]
    films: frozenset[str]
    keys: frozenset[str]
    matched: Mapping[str, tuple[str, ...]]
    unmatched: tuple[str, ...]


def read_removed(path: str | Path) -> list[str]:
    """The entries, in order. Raises ValueError, one line, if the file is missing, holds a line that is no text, or no entry."""
    entries = []
    for row in read_lines(path, separator="\n"):
        if row.fault:
            # Somebody may be meant by it: nothing may be prepared as if nobody were.
            raise ValueError(f"{path}: line {row.line}: {row.fault}.")
        entry = _COMMENT.sub("", row.cells[0]).strip()
        if entry:
            entries.append(entry)
    if not entries:
        raise ValueError(f"{path}: names nobody. Write one name, id or film a line, or leave --removed out.")
    return entries


def match(
    entries: Iterable[str], people: Mapping[str, Mapping[str, str]], films: Iterable[str], keys: Iterable[str] = ()
) -> Removal:
    """people: speaker -> attributes, of which `full_name` and `also` (other ids and names of theirs) are compared too."""
    by_id: dict[str, set[str]] = defaultdict(set)
    by_name: dict[str, set[str]] = defaultdict(set)
    for speaker, facts in people.items():
        for name in _names(speaker, facts):
            by_id[keep(name).casefold()].add(speaker)
            by_name[fold(name)].add(speaker)
    known_films, known_keys = set(films), set(keys)
    gone: tuple[set[str], set[str], set[str]] = set(), set(), set()
    matched: dict[str, tuple[str, ...]] = {}
    unmatched = []
    for entry in entries:
        for text in (entry, *_cells(entry)):
            found = (
                by_id.get(keep(text).casefold(), set()) | (by_name.get(fold(text), set()) if text else set()),
                {text} & known_films,
                {text} & known_keys,
            )
            if any(found):
                matched[entry] = (*matched.get(entry, ()), *sorted(set().union(*found)))
                for all_of, some_of in zip(gone, found, strict=True):
                    all_of |= some_of
                if text == entry:
                    break
        if entry not in matched:
            unmatched.append(entry)
    return Removal(frozenset(gone[0]), frozenset(gone[1]), frozenset(gone[2]), matched, tuple(unmatched))


def removed_from(listing: Listing, path: str | Path) -> Listing:
    """The listing without them, which says in its notes what matched, what did not, and who may be the same person and stays."""
    films = {item.film for item in listing.items} - {""}
    nameless: dict[str, Mapping[str, str]] = {item.speaker: {} for item in listing.items if item.speaker}
    entries, unnamed = _films_of(read_removed(path), {item.film for item in listing.items if not item.speaker} - {""})
    removal = match(entries, {**nameless, **listing.people}, films, (item.key for item in listing.items))
    notes = [f"{path}: {printable(name)} is known by a face in one film: that film goes whole." for name in unnamed]
    notes += [
        f"{path}: {len(removal.matched)} entries removed {len(removal.people)} people, "
        f"{len(removal.films)} films, {len(removal.keys)} recordings."
    ]
    if removal.unmatched:
        notes.append(f"{path}: {len(removal.unmatched)} entries match nothing here: {printable(some(removal.unmatched, 10))}.")
    same = []
    for group in listing.same:
        if set(group) & removal.people and (stay := [name for name in group if name not in removal.people]):
            notes.append(f"{printable(', '.join(stay))}: may be a person on {path} and stays. If so, add it there.")
        if len(stay := [name for name in group if name not in removal.people]) > 1:
            same.append(tuple(stay))
    items = [
        item
        for item in listing.items
        if item.speaker not in removal.people and item.film not in removal.films and item.key not in removal.keys
    ]
    people = {name: facts for name, facts in listing.people.items() if name not in removal.people}
    names = {name for person in removal.people for name in _names(person, listing.people.get(person, {}))}
    kept = {item.key for item in items}
    files = {str(path) for item in listing.items if item.key not in kept for path in (item.media, item.sound) if path}
    bad = [entry for entry in listing.bad if not any(_mentions(text, names, files) for text in entry)]
    notes = [*(note for note in listing.notes if not _mentions(note, names, files)), *notes]
    return replace(listing, items=items, people=people, same=same, bad=bad, notes=notes)


def _names(person: str, facts: Mapping[str, str]) -> list[str]:
    """All names and ids of one person that a source knows."""
    return [name for name in (person, facts.get("full_name", ""), *facts.get("also", "").split("; ")) if name]


def _mentions(text: str, names: Collection[str], files: Collection[str]) -> bool:
    """Does a line of what could not be listed name somebody who is removed, or a file of theirs?"""
    return any(file in text for file in files) or any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names)


def _films_of(entries: Sequence[str], films: Collection[str]) -> tuple[list[str], list[str]]:
    """Entries, with the film in the place of FILM/NUMBER, where the source names nobody in it; and those that it stands for.

    Such a number is given by what faces are found, and may be another's in the next corpus.
    """
    found = {entry: film for entry in entries if (film := entry.rpartition("/")[0]) in films and entry[len(film) + 1 :].isdigit()}
    return [found.get(entry, entry) for entry in entries], list(found)


def _cells(entry: str) -> list[str]:
    """Its cells, if it is a row of a table."""
    separator = "\t" if "\t" in entry else ";" if ";" in entry else ","
    try:
        cells = next(csv.reader([entry], delimiter=separator, skipinitialspace=True))
    except csv.Error:
        cells = entry.split(separator)
    return [cell.strip() for cell in cells if cell.strip()]
