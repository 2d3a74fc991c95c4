"""What every source gives, and the walk over a folder of media that they share."""

from __future__ import annotations

import argparse
import os
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gan.data.audio import SOUND
from gan.data.films import PACKED_SOUND
from gan.raw.item import Listing

# Of several files of one utterance the first of these is heard: what was decoded already loses nothing more.
HEARD = (*SOUND, *PACKED_SOUND)


class Source(ABC):
    """Media on a disk and the tables beside them -> Listing.

    name: as in `voxface prepare NAME`. about: one line for --help.
    """

    name: ClassVar[str]
    about: ClassVar[str]

    @abstractmethod
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Its own options; those of all sources are added elsewhere."""

    @abstractmethod
    def list(self, args: argparse.Namespace) -> Listing:
        """Everything that there is, in the order of keys. Raises ValueError, one line, where nothing can be made of the input."""

    @abstractmethod
    def about_corpus(self, args: argparse.Namespace) -> str:
        """What corpus.json says of where its media come from."""

    def default_name(self, args: argparse.Namespace) -> str:
        """The name of the corpus where none is given."""
        return self.name


@dataclass(frozen=True)
class Folder:
    """One folder below a root: names of the folders on the way, its path, names of its files in order, all of them safe."""

    parts: tuple[str, ...]
    path: str
    files: Sequence[str]


def add_outside_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--allow-outside", action="store_true", help="follow links that lead out of the named folders")


def folders(root: str | Path, bad: list[tuple[str, str]], allow_outside: bool = False) -> Iterator[Folder]:
    """All folders below root that hold files, root first, in the order of names. Hidden files and folders are passed over.

    Links that lead out of root (unless allowed), links in a circle and names with control characters are appended to `bad`.
    Raises ValueError if root is no folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder.")
    home = os.path.realpath(root)
    todo: list[tuple[tuple[str, ...], str, tuple[str, ...]]] = [((), str(root), ())]
    while todo:
        parts, path, links = todo.pop()
        inner, files = [], []
        try:
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            bad.append((printable(path), f"cannot be read ({error.strerror})"))
            continue
        for entry in found:
            name = entry.name
            if name.startswith("."):
                continue
            if not name.isprintable() and not _only_odd_letters(name):
                bad.append((printable(entry.path), "its name holds a line break or another control character. Rename it"))
                continue
            after = links
            if entry.is_symlink():
                target = os.path.realpath(entry.path)
                if not os.path.exists(target):
                    bad.append((printable(entry.path), "a link to nothing"))
                    continue
                if not allow_outside and os.path.commonpath([home, target]) != home:
                    bad.append((printable(entry.path), f"a link out of {root}. To follow it: --allow-outside"))
                    continue
                if entry.is_dir():
                    if target in links or os.path.commonpath([target, os.path.realpath(path)]) == target:
                        bad.append((printable(entry.path), "a link to a folder that it lies in"))
                        continue
                    after = (*links, target)
            if entry.is_dir():
                inner.append(((*parts, name), entry.path, after))
            elif entry.is_file():
                files.append(name)
        todo += reversed(inner)
        if files:
            yield Folder(parts, path, files)


def ending(name: str) -> str:
    """ "a.MP4" -> ".mp4"; "" if there is none."""
    return os.path.splitext(name)[1].lower()


def stem(name: str) -> str:
    return os.path.splitext(name)[0]


def printable(text: object) -> str:
    """For messages: control characters and bytes that are no text written out."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in str(text))


def some(names: Sequence[str], most: int = 3) -> str:
    """The first of many, for a message."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _only_odd_letters(name: str) -> bool:
    """Letters that are merely not for print (a soft hyphen, a joiner between letters), as names of many languages hold."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name)
