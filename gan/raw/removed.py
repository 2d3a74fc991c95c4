"""A list of people, films and recordings that must not be used, against what a source listed.

One name, id, film or key a line; `#` begins a comment. Of a line with commas that matches nothing as a whole, its cells are tried,
so that a table will do.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gan.raw.item import Listing
from gan.raw.names import fold, keep
from gan.raw.sources.base import printable, some
from gan.raw.tables import Row, read_lines

_CELLS = re.compile(r"[\t;,]")


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
        entry = re.sub(r"(^|\s)#.*", "", _whole(row)).strip()
        if entry:
            entries.append(entry)
    if not entries:
        raise ValueError(f"{path}: names nobody. Write one name, id or film a line, or leave --removed out.")
    return entries


def match(
    entries: Iterable[str], people: Mapping[str, Mapping[str, str]], films: Iterable[str], keys: Iterable[str] = ()
) -> Removal:
    """people: speaker -> attributes, of which `name` and `also` (other ids and names of the same person) are compared too."""
    by_id: dict[str, set[str]] = defaultdict(set)
    by_name: dict[str, set[str]] = defaultdict(set)
    for speaker, facts in people.items():
        for name in (speaker, facts.get("name", ""), *facts.get("also", "").split("; ")):
            if name:
                by_id[keep(name).casefold()].add(speaker)
                by_name[fold(name)].add(speaker)
    known_films, known_keys = set(films), set(keys)
    gone: tuple[set[str], set[str], set[str]] = set(), set(), set()
    matched: dict[str, tuple[str, ...]] = {}
    unmatched = []
    for entry in entries:
        for text in (entry, *(cell.strip().strip('"') for cell in _CELLS.split(entry) if _CELLS.search(entry))):
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
    removal = match(read_removed(path), {**nameless, **listing.people}, films, (item.key for item in listing.items))
    notes = [
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
    return replace(listing, items=items, people=people, same=same, notes=[*listing.notes, *notes])


def _whole(row: Row) -> str:
    return row.cells[0] if row.cells else ""
