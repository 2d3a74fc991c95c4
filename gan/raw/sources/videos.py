"""Any folder of films: <speaker>/<film>, or films of people whom nobody named.

A film may be one file, or a folder of its pieces. A sound file beside a film of the same name is that film's sound; alone it is a
voice without a picture. Pictures in a speaker's folder show the speaker.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gan.data.films import FILMS
from gan.data.pictures import PICTURES
from gan.raw.item import Item, Listing
from gan.raw.names import keep
from gan.raw.sources.base import HEARD, Source, add_outside_argument, ending, folders, printable, some, stem

SPEAKER = ("folder", "film")
# Looks like an id that YouTube gives, and not like a word: such a film is the same film in whosever folder it lies.
YOUTUBE_ID = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9_-])[A-Za-z0-9_-]{11}")


class Videos(Source):
    name = "videos"
    about = "a folder of films: one folder a speaker, or films of people whom nobody named"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("folder", metavar="FOLDER", help="laid out as <speaker>/<film>; with --speaker film in any way")
        parser.add_argument(
            "--speaker",
            choices=SPEAKER,
            default="folder",
            help="who speaks: whom the first folder names, or nobody is named, and faces will tell (default: folder)",
        )
        add_outside_argument(parser)

    def about_corpus(self, args: argparse.Namespace) -> str:
        return f"films of the folder {Path(args.folder).name}, prepared by voxface"

    def default_name(self, args: argparse.Namespace) -> str:
        return Path(args.folder).resolve().name

    def list(self, args: argparse.Namespace) -> Listing:
        bad: list[tuple[str, str]] = []
        notes: list[str] = []
        items: list[Item] = []
        loose: list[str] = []
        pictures: list[str] = []
        for folder in folders(args.folder, bad, args.allow_outside):
            parts = tuple(keep(part) for part in folder.parts)
            named = args.speaker == "folder"
            for base, files in _by_stem(folder.files).items():
                paths = {name: f"{folder.path}/{name}" for name in files}
                shown = [name for name in files if ending(name) in FILMS]
                heard = [name for name in files if ending(name) in HEARD]
                seen = [name for name in files if ending(name) in PICTURES]
                if named and not 1 <= len(parts) <= 2:
                    loose += [paths[name] for name in (*shown, *heard, *seen)]
                    continue
                speaker = parts[0] if named else ""
                if named:
                    items += [Item("/".join((*parts, name)), Path(paths[name]), "", speaker) for name in seen]
                else:
                    pictures += [paths[name] for name in seen]
                media = shown or heard[:1]
                sound = Path(paths[heard[0]]) if len(shown) == 1 and heard else None
                for name in media:
                    film = "/".join(parts) if len(parts) == 2 and named else "/".join((*parts, base))
                    if len(media) > 1:
                        film = "/".join((*parts, name))
                    items.append(Item("/".join((*parts, name)), Path(paths[name]), film, speaker, sound))
        if not any(item.film for item in items):
            first = f" First of {len(loose)} files that lie elsewhere: {printable(loose[0])}." if loose else ""
            raise ValueError(f"{args.folder}: no film is laid out as <speaker>/<film>. Without speakers: --speaker film.{first}")
        bad += [(printable(path), "not laid out as <speaker>/<film>") for path in loose]
        if pictures:
            notes.append(f"Pictures are not used where no folder names a speaker: {len(pictures)} ({some(pictures)}).")
        items = [_shared(item) for item in items]
        items.sort(key=lambda item: item.key)
        speakers = sorted({item.speaker for item in items} - {""})
        return Listing(items, {speaker: {} for speaker in speakers}, [], bad, notes)


def _by_stem(files: Sequence[str]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for name in files:
        found[keep(stem(name))].append(name)
    return found


def _shared(item: Item) -> Item:
    """A film of YouTube is known by its id, whoever's folder it lies in."""
    name = item.film.rpartition("/")[2]
    return replace(item, film=name) if YOUTUBE_ID.fullmatch(name) else item
