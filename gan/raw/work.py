"""The folder in which a corpus is being prepared. Any process can read from it how far the work is.

    WORK/
        work.json            version, source, number of shards, what the corpus will say of itself
        items.jsonl          what the source listed, a line an item
        people.json          attributes, people under several names, notes, what was not listed
        profile.yaml         every setting
        shards/<stages>/     00012.jsonl and 00012.bin (gan/raw/store.py); <stages> stands for the settings that they hang on
        lease.json           who is at it
        answers/             what people said of the faces (gan/raw/review.py)
        left_out.csv  faces/ what became of what, for people to look at

An item belongs to the shard that the name of its film draws, so that a listing may grow and all that was read is found again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gan.files import write_atomically
from gan.lease import Lease
from gan.raw.item import Item, Listing
from gan.raw.profile import Profile, load_profile
from gan.raw.store import Row, Writer

VERSION = 1
LEASE = "lease.json"
ITEMS_A_SHARD, MOST_SHARDS = 64, 4096
FEWEST_SHARDS = 64  # where there are as many items: a shard is one worker's at a time, and an item may be an hour's film


@dataclass(frozen=True)
class Work:
    """A folder of work, opened. about: the content of work.json."""

    path: Path
    about: Mapping[str, Any]

    @classmethod
    def make(cls, path: Path, source: str, listing: Listing, profile: Profile, corpus: Mapping[str, Any]) -> Work:
        """The folder with this listing and profile, made now or taken up again.

        corpus: name, source, licence, consent, ...: what the corpus will say of itself.
        Raises ValueError if the folder is of another source or of another version, or holds anything else.
        """
        number = min(MOST_SHARDS, max(1, len(listing.items) // ITEMS_A_SHARD, min(len(listing.items), FEWEST_SHARDS)))
        for left in path.glob(".*.tmp"):  # by a command that was killed
            left.unlink()
        if path.exists() and any(LEASE not in entry.name for entry in path.iterdir()):
            before = cls.open(path).about
            if before["source"] != source:
                raise ValueError(f"{path}: holds work on {before['source']}, not on {source}. Name another folder with --work.")
            number = before["num_shards"]
        path.mkdir(parents=True, exist_ok=True)
        about = dict(version=VERSION, source=source, num_shards=number, num_items=len(listing.items), corpus=dict(corpus))
        lines = "".join(json.dumps(_to_row(item), ensure_ascii=False) + "\n" for item in listing.items)
        people = dict(people=listing.people, same=listing.same, bad=listing.bad, notes=listing.notes)
        # The first file, so that a folder is known as ours however soon a kill comes; the others are written anew each time.
        write_atomically(path / "work.json", json.dumps(about, indent=1, ensure_ascii=False).encode())
        write_atomically(path / "items.jsonl", lines.encode("utf-8", "surrogateescape"))
        write_atomically(path / "people.json", json.dumps(people, ensure_ascii=False).encode("utf-8", "surrogateescape"))
        write_atomically(path / "profile.yaml", profile.to_yaml().encode())
        return cls(path, about)

    @classmethod
    def open(cls, path: Path) -> Work:
        """Raises ValueError if it is no folder of work that this version reads."""
        try:
            about = json.loads((path / "work.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise ValueError(f"{path}: has no work.json. Name a folder that voxface prepare SOURCE --work made.") from None
        except ValueError:
            raise ValueError(f"{path / 'work.json'}: not valid JSON. Prepare into another folder.") from None
        if about.get("version") != VERSION:
            raise ValueError(
                f"{path}: work of version {about.get('version')}; this voxface goes on with version {VERSION}. "
                "Name another folder with --work."
            )
        return cls(path, about)

    @cached_property
    def profile(self) -> Profile:
        return load_profile(self.path / "profile.yaml")

    @property
    def num_items(self) -> int:
        return int(self.about["num_items"])

    @property
    def lease(self) -> Path:
        return self.path / LEASE

    @property
    def answers(self) -> Path:
        return self.path / "answers"

    def listing(self) -> Listing:
        """What the source listed."""
        with open(self.path / "items.jsonl", encoding="utf-8", errors="surrogateescape") as file:
            items = [_from_row(json.loads(line)) for line in file]
        people = json.loads((self.path / "people.json").read_text(encoding="utf-8", errors="surrogateescape"))
        return Listing(
            items,
            people["people"],
            [tuple(names) for names in people["same"]],
            [tuple(entry) for entry in people["bad"]],
            people["notes"],
        )

    def shard_of(self, item: Item) -> int:
        """The number of the shard that an item belongs to, the same for all of a film."""
        name = (item.film or item.key).encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.sha256(name).digest()[:8]) % int(self.about["num_shards"])

    def by_shard(self, items: list[Item]) -> dict[int, list[Item]]:
        shards: dict[int, list[Item]] = {}
        for item in items:
            shards.setdefault(self.shard_of(item), []).append(item)
        return shards

    def unread(self, items: list[Item]) -> list[Path]:
        """The shards, by path without ending, that hold an item which has not ended yet."""
        shards = {self.shard(number): those for number, those in self.by_shard(items).items()}
        return [path for path, those in shards.items() if {item.key for item in those} - ended(_ends(path)).keys()]

    def shard(self, number: int) -> Path:
        """Its path without ending, below the folder of the present settings."""
        return self.path / "shards" / self.profile.stages_key / f"{number:05d}"


def lease_of(shard: Path) -> Path:
    """The file of whoever writes to a shard. shard: its path without ending."""
    return shard.with_suffix(".lease.json")


@contextmanager
def alone_at(shard: Path) -> Iterator[None]:
    """Within, no job writes to a shard. Raises ValueError if one does: a job of a command that was killed ends its part first."""
    if (lease := Lease.take(lease_of(shard))) is None:
        raise ValueError(f"{shard}: a job of a preparation that was stopped is at it still. Wait a minute, then try again.")
    with lease:
        yield


def size_of(item: Item) -> list[int]:
    """Sizes in bytes of the files of an item, by which an exchanged one is known. Raises OSError where one is missing."""
    return [path.stat().st_size for path in (item.media, item.sound) if path is not None]


def ended(rows: Iterable[Row]) -> dict[str, Row]:
    """Of the rows of a shard, the last with which each item ended: done or failed."""
    over: dict[str, Row] = {}
    for row in rows:
        if "again" in row:
            over.pop(row["item"], None)
        elif "part" not in row:
            over[row["item"]] = row
    return over


def forget_failed(folder: Path) -> None:
    """Have the items tried again that failed. Raises ValueError where a job is still at work."""
    for path in sorted(folder.glob("*.jsonl")):
        if failed := [item for item, row in ended(_ends(path)).items() if "failed" in row]:
            with alone_at(path.with_suffix("")), Writer(path.with_suffix("")) as writer:
                for item in failed:
                    writer.append({"item": item, "again": True})


class Tally:
    """How far a folder of shards is, looked at again and again: of every journal only what is new is read, unchecked."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._over: dict[Path, dict[str, tuple[str, float]]] = {}  # item -> kind of failure, or "" and its seconds

    def look(self) -> tuple[int, Counter[str], float]:
        """Items done, items failed by kind, and seconds of media read."""
        for path in self._folder.glob("*.jsonl"):
            before, size = self._read.get(path, 0), path.stat().st_size
            if size < before:  # what a kill had torn was cut away
                before = 0
            if before == 0:
                self._over[path] = {}
            if size > before:
                self._read[path] = before + self._take(path, before)
        over = [end for ends in self._over.values() for end in ends.values()]
        return (
            sum(not kind for kind, _ in over),
            Counter(kind for kind, _ in over if kind),
            sum(seconds for _, seconds in over),
        )

    def _take(self, path: Path, start: int) -> int:
        """Bytes of the whole lines from start on, which are counted."""
        over, taken = self._over[path], 0
        with open(path, "rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n"):  # being written now
                    break
                taken += len(line)
                if b'"part"' not in line:
                    row = json.loads(line)
                    over.pop(row["item"], None)
                    if "again" not in row:
                        over[row["item"]] = (row.get("kind", ""), row.get("seconds", 0.0))
        return taken


def written(folder: Path) -> int:
    """Bytes of all journals of a folder of shards, which grow with every part: of a long film long before it ends."""
    return sum(path.stat().st_size for path in folder.glob("*.jsonl"))


def _ends(path: Path) -> Iterator[Row]:
    """The rows of a shard with which items end, without a look at their arrays."""
    if not path.with_suffix(".jsonl").exists():
        return
    with open(path.with_suffix(".jsonl"), "rb") as file:
        for line in file:
            if b'"part"' not in line:
                try:
                    yield json.loads(line)
                except ValueError:  # being written now
                    return


def _to_row(item: Item) -> dict[str, Any]:
    row = {name: value for name, value in vars(item).items() if value not in (None, "")}
    return row | {name: str(row[name]) for name in ("media", "sound") if name in row}


def _from_row(row: dict[str, Any]) -> Item:
    paths = {name: Path(row[name]) for name in ("media", "sound") if name in row}
    centre = {"centre": tuple(row["centre"])} if "centre" in row else {}
    return Item(**{"film": ""} | row | paths | centre)
