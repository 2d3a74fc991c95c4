"""What a source lists, and what later stages know of where a thing comes from: items of media, people, what was not listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Item:
    """One stretch of a film, one sound file, or one picture.

    key: unique in a listing, made of the source's own names, the same at every listing: "id10001/1zcIwhmdeo4/00001".
    media: the file that is seen, and heard unless `sound` names another. A picture is an item of its own, without sound.
    film: what recordings are keyed by: the film's own name, whoever speaks in it. "" for a picture of no film.
    speaker: "" where the source names nobody; people are then found by their faces, within a film first.
    start, end: seconds on the file's own clock; None: its beginning, its end.
    centre: where the speaker's face lies at `start`, x and y as fractions of the picture from its top left.
    part: the part of the source's own division it belongs to ("dev", "test", ...).
    """

    key: str
    media: Path
    film: str
    speaker: str = ""
    sound: Path | None = None
    start: float | None = None
    end: float | None = None
    centre: tuple[float, float] | None = None
    part: str = ""


@dataclass
class Listing:
    """What a source found. Only names and tables are read for it, no media.

    items: in the order of their keys. people: speaker -> attributes for speakers.csv (sex, ...).
    same: groups of speakers who are one person under several names, or may be (a decision is printed, or asked for).
    bad: (file, row or person, reason): not listed. notes: what else a person should be told, a line each.
    """

    items: list[Item]
    people: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    same: list[tuple[str, ...]] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
