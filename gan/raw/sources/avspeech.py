"""AVSpeech: a list of segments of films, and those of the films that somebody downloaded.

A row is: film, start and end in seconds, and where the speaker's face is at the start, as fractions of the picture. Nobody is
named. Those who downloaded it named their files in several ways; one walk over the folder finds them all. A file that was cut
from its film has a clock of its own, and its first frame is what x and y belong to.
"""

from __future__ import annotations

import argparse
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gan.data.films import FILMS
from gan.raw.item import Item, Listing
from gan.raw.sources.base import HEARD, Source, add_outside_argument, ending, folders, printable, some, stem
from gan.raw.tables import Row, read_lines

FILM = re.compile(r"[A-Za-z0-9_-]{11}")
CUT = re.compile(r"([A-Za-z0-9_-]{11})_(\d+(?:\.\d+)?)[-_](\d+(?:\.\d+)?)(?:_(video|audio))?")
Segment = tuple[str, float, float, float, float]  # film, start, end, x, y
CLOCKS = ("film", "segment")
LEAST_TOLERANCE = 0.0015  # s


@dataclass
class _Cut:
    """A file cut from a film. tolerance: seconds by which the times in its name may be rounded or cut short."""

    start: float
    end: float
    tolerance: float
    media: str = ""
    sound: str = ""


@dataclass
class _Index:
    """What lies on the disk. whole: film -> file that is named by the film alone."""

    cuts: dict[str, dict[tuple[str, str], _Cut]] = field(default_factory=lambda: defaultdict(dict))
    whole: dict[str, str] = field(default_factory=dict)
    sound: dict[str, str] = field(default_factory=dict)


class AVSpeech(Source):
    name = "avspeech"
    about = "a list of AVSpeech's segments, and the films or cut segments that were downloaded"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("table", metavar="LIST.csv", help="rows of film, start, end, x, y, as published")
        parser.add_argument(
            "--media", required=True, metavar="FOLDER", help="the downloaded films or segments, in any folders below it"
        )
        parser.add_argument(
            "--clock",
            choices=CLOCKS,
            default="film",
            help="what a file named by its film alone is: the whole film, or its first listed segment, cut (default: film)",
        )
        add_outside_argument(parser)

    def about_corpus(self, args: argparse.Namespace) -> str:
        return "AVSpeech (Ephrat et al., 2018): segments of films of YouTube, prepared by voxface"

    def list(self, args: argparse.Namespace) -> Listing:
        bad: list[tuple[str, str]] = []
        notes: list[str] = []
        index = _index(args.media, bad, args.allow_outside)
        items: dict[str, Item] = {}
        missing: list[str] = []
        films_missing: set[str] = set()
        later = rows = 0
        used: set[str] = set()
        for line, found in _segments(args.table, bad):
            rows += 1
            film, start, end, x, y = found
            key = f"{film}/{start:.3f}-{end:.3f}"
            if key in items:
                bad.append((f"{args.table}, line {line}", f"{key} is listed already; its first row is used"))
                continue
            item = _item(index, key, film, start, end, (x, y), args.clock)
            if item is None:
                films_missing.add(film)
                if len(missing) < 3:
                    missing.append(f"{film}_{start:.6f}-{end:.6f}.mp4")
                continue
            if args.clock == "segment" and item.start is not None and index.whole.get(film) == str(item.media):
                if film in used:
                    later += 1
                    continue
                used.add(film)
            items[key] = item
        if not rows:
            first = next(
                (f" First: {place.rpartition(', ')[2]}: {why}." for place, why in bad if place.startswith(args.table)), ""
            )
            raise ValueError(f"{args.table}: the list has no good row of film, start, end, x, y.{first}")
        if not items:
            raise ValueError(
                f"{args.media}: holds no film of {args.table}. "
                f"Looked for: {', '.join(missing)}, or the film's name with another ending."
            )
        gone = rows - len(items) - later - sum("is listed already" in why for _, why in bad)
        if gone:
            notes.append(
                f"Segments without a file: {gone} of {rows}, of {len(films_missing)} films. Looked for: {', '.join(missing)}"
                f"{', ...' if gone > len(missing) else ''}."
            )
        if later:
            notes.append(f"Segments that were never kept, as one was saved a film: {later} of {rows}.")
        listed = {item.film for item in items.values()}
        unlisted = sorted((index.cuts.keys() | index.whole.keys()) - listed - films_missing)
        if unlisted:
            notes.append(f"Films that the list does not name: {len(unlisted)} ({some(unlisted)}).")
        return Listing([items[key] for key in sorted(items)], {}, [], bad, notes)


def _index(media: str, bad: list[tuple[str, str]], allow_outside: bool) -> _Index:
    index = _Index()
    for folder in folders(media, bad, allow_outside):
        for name in folder.files:
            kind = ending(name)
            heard = kind in HEARD
            if not heard and kind not in FILMS:
                continue
            path = f"{folder.path}/{name}"
            base = stem(name)
            if FILM.fullmatch(base):
                (index.sound if heard else index.whole).setdefault(base, path)
            elif found := CUT.fullmatch(base):
                film, start, end, _ = found.groups()
                decimals = min(len(each.partition(".")[2]) for each in (start, end))
                cut = index.cuts[film].setdefault(
                    (start, end), _Cut(float(start), float(end), max(LEAST_TOLERANCE, 1.0001 * 10.0**-decimals))
                )
                if heard:
                    cut.sound = cut.sound or path
                else:
                    cut.media = cut.media or path
    return index


def _item(index: _Index, key: str, film: str, start: float, end: float, centre: tuple[float, float], clock: str) -> Item | None:
    near = [
        (max(abs(cut.start - start), abs(cut.end - end)), cut)
        for cut in index.cuts.get(film, {}).values()
        if cut.media and max(abs(cut.start - start), abs(cut.end - end)) <= cut.tolerance
    ]
    if near:
        cut = min(near, key=lambda pair: pair[0])[1]
        return Item(key, Path(cut.media), film, sound=Path(cut.sound) if cut.sound else None, start=0.0, centre=centre)
    if film not in index.whole:
        return None
    sound = Path(index.sound[film]) if film in index.sound else None
    if clock == "segment":
        return Item(key, Path(index.whole[film]), film, sound=sound, start=0.0, centre=centre)
    return Item(key, Path(index.whole[film]), film, sound=sound, start=start, end=end, centre=centre)


def _segments(path: str, bad: list[tuple[str, str]]) -> Iterator[tuple[int, Segment]]:
    """(line, (film, start, end, x, y)) of every good row; the others go to `bad`."""
    first = True
    for row in read_lines(path):
        found, fault = _segment(row)
        if first and fault and not row.fault and not any(_number(cell) is not None for cell in row.cells):
            first = False
            continue  # a header
        first = False
        if found is None:
            bad.append((f"{path}, line {row.line}", fault))
        else:
            yield row.line, found


def _segment(row: Row) -> tuple[Segment | None, str]:
    cells = row.cells
    if row.fault:
        return None, row.fault
    if len(cells) == 6:  # a serial number stands first
        cells = cells[1:]
    if len(cells) != 5:
        return None, f"{len(cells)} cells. Allowed: film, start, end, x, y, and a serial number before them"
    film, numbers = cells[0], [_number(cell) for cell in cells[1:]]
    if not FILM.fullmatch(film):
        return None, f"{printable(film)[:40]!r} came for a film. Allowed: 11 of A-Z a-z 0-9 _ -"
    for name, cell, value in zip(("start", "end", "x", "y"), cells[1:], numbers, strict=True):
        if value is None:
            return None, f"{name}: {printable(cell)[:40]!r} came. Allowed: a number"
    start, end, x, y = (value for value in numbers if value is not None)
    if start < 0 or end <= start:
        return None, f"start {start:g} s, end {end:g} s came. Allowed: 0 <= start < end"
    for name, value in (("x", x), ("y", y)):
        if not 0 <= value <= 1:
            return None, f"{name}: {value:g} came. Allowed: 0 to 1, a fraction of the picture"
    return (film, start, end, x, y), ""


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
