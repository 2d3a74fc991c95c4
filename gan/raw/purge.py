"""What a removal list means for a folder of work that was begun without it: what was read of a person leaves all its files.

Only what is on the list goes. An item that a listing lacks for another reason (a disk that is not mounted) stays, so that it need
not be read anew.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gan.files import write_atomically
from gan.raw.item import Item, Listing
from gan.raw.removed import removed_from
from gan.raw.store import Shard, forget
from gan.raw.work import Work, alone_at

_PART = re.compile(r"#\d+$")  # as gan/raw/parts.py numbers them


@dataclass(frozen=True)
class Gone:
    """What a removal list takes out of a listing. people: also those who are known by the film alone in which they are seen."""

    items: frozenset[str]
    people: frozenset[str]
    films: frozenset[str]

    @classmethod
    def between(cls, before: Listing, after: Listing) -> Gone:
        stay = {item.key for item in after.items}
        gone = [item for item in before.items if item.key not in stay]
        people = {item.speaker for item in gone} | before.people.keys() - after.people.keys()
        films = {item.film for item in gone} - {item.film for item in after.items}
        return cls(
            frozenset(item.key for item in gone),
            frozenset(people - {item.speaker for item in after.items} - {""}),
            frozenset(films - {""}),
        )

    def has_item(self, key: str) -> bool:
        """key: of an item, or of a part, face or clip of one."""
        ways = (key, key.rpartition("@")[0], "/".join(key.split("/")[:-2]))
        return any(way in self.items or _PART.sub("", way) in self.items for way in ways)

    def has_person(self, name: str) -> bool:
        """name: as the source has it, or FILM/NUMBER of somebody whom it does not name."""
        return name in self.people or name.rpartition("/")[0] in self.films


def purge(folder: Path, removed: str | Path, listing: Listing) -> bool:
    """Take what a removal list names out of a folder of work, if there is one, before it is gone on with.

    listing: what the source lists now, people of the removal list included. Returns whether the list names any of it.
    Raises ValueError while a job is still at a shard.
    """
    try:
        work = Work.open(folder)
        before = work.listing()
    except (ValueError, FileNotFoundError):  # Work.make says what is wrong; or nothing was read yet
        return False
    known = {item.key: item for item in [*before.items, *listing.items]}
    whole = Listing(list(known.values()), {**before.people, **listing.people}, [*before.same, *listing.same])
    gone = Gone.between(whole, removed_from(whole, removed))
    _purge_shards(work, gone, (known[key] for key in gone.items))
    _purge_answers(work.answers, gone)
    if gone.items:
        # They are written anew, or tell of jobs that are over; each may name somebody.
        (folder / "left_out.csv").unlink(missing_ok=True)
        shutil.rmtree(folder / "logs", ignore_errors=True)
        for left in folder.rglob(".*.tmp"):
            left.unlink()
    return bool(gone.items)


def _purge_shards(work: Work, gone: Gone, items: Iterable[Item]) -> None:
    names = {f"{number:05d}" for number in work.by_shard(list(items))}
    for path in sorted(work.path.glob("shards/*/*.jsonl")):
        if path.stem in names:
            with alone_at(path.with_suffix("")):
                forget(Shard(path.with_suffix("")), gone.items)


def _purge_answers(folder: Path, gone: Gone) -> None:
    for path in sorted(folder.glob("*.jsonl")):
        lines = path.read_bytes().splitlines(keepends=True)
        stay = [line for line in lines if not _names(line, gone)]
        if stay != lines:
            write_atomically(path, b"".join(stay))


def _names(line: bytes, gone: Gone) -> bool:
    """Is an answer about somebody or something that is gone?"""
    try:
        answer = json.loads(line)
        return gone.has_item(answer["picture"]) or gone.has_person(answer["person"])
    except (ValueError, KeyError, TypeError):  # cut: gan/pages/answers.py says what it thinks of it
        return False
