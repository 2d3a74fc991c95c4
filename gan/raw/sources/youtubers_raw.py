"""Presenters' films as Wav2Pix's makers downloaded them: a list of people, and <root>/<Name>/{video,audio}.

A film without sound and its sound lie in two folders. They are paired by name: the same name, the same YouTube id in it, the
same number at its end. By position only where both folders hold equally many and no name says otherwise, since one failed
download would shift all pairs after it.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from gan.data.films import FILMS
from gan.raw.item import Item, Listing
from gan.raw.names import fold, keep, stripped
from gan.raw.sources.base import HEARD, Source, add_outside_argument, ending, folders, printable, some, stem
from gan.raw.tables import read_table

LAYOUT = "<root>/<Name>/video and <root>/<Name>/audio"
YOUTUBE_ID = re.compile(r"\[([A-Za-z0-9_-]{11})\]$|^([A-Za-z0-9_-]{11})$|-([A-Za-z0-9_-]{11})$")
NUMBER = re.compile(r"(\d+)$")


class YoutubersRaw(Source):
    name = "youtubers-raw"
    about = "presenters' films: a list of names, and a folder a person with its films and their sound"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("table", metavar="LIST.csv", help="with the columns Name and, if known, Gender")
        parser.add_argument("--media", required=True, metavar="FOLDER", help=f"laid out as {LAYOUT}")
        add_outside_argument(parser)

    def about_corpus(self, args: argparse.Namespace) -> str:
        return "films of YouTube presenters, listed as by Wav2Pix (Duarte et al., ICASSP 2019), prepared by voxface"

    def list(self, args: argparse.Namespace) -> Listing:
        bad: list[tuple[str, str]] = []
        notes: list[str] = []
        people = _people(args.table, bad)
        there: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"video": [], "audio": []})
        for folder in folders(args.media, bad, args.allow_outside):
            if len(folder.parts) == 2 and folder.parts[1].lower() in ("video", "audio"):
                kind = folder.parts[1].lower()
                endings = FILMS if kind == "video" else (*HEARD, *FILMS)
                there[folder.parts[0]][kind] += [f"{folder.path}/{name}" for name in folder.files if ending(name) in endings]
        if not there:
            raise ValueError(f"{args.media}: no folder is laid out as {LAYOUT}.")
        folder_of = _folders_of(list(people), list(there), bad)
        items: list[Item] = []
        for name, folder_name in folder_of.items():
            items += _films(name, there[folder_name]["video"], there[folder_name]["audio"], bad, notes)
        absent = sorted(people.keys() - folder_of.keys())
        if not folder_of:
            raise ValueError(f"{args.media}: no folder is named after a person of {args.table}. Looked for: {some(absent)}.")
        bad += [(printable(name), "is on the list and has no folder") for name in absent]
        bad += [
            (printable(folder), "a folder of nobody on the list") for folder in sorted(there.keys() - set(folder_of.values()))
        ]
        items.sort(key=lambda item: item.key)
        return Listing(items, {name: people[name] for name in folder_of}, [], bad, notes)


def _people(path: str, bad: list[tuple[str, str]]) -> dict[str, dict[str, str]]:
    """Name in NFC -> attributes."""
    table = read_table(path)
    bad += [(f"{path}, line {line}", reason) for line, reason in table.bad]
    at, sex = table.column("Name"), table.column("Gender", "Sex") if table.has("Gender", "Sex") else None
    people: dict[str, dict[str, str]] = {}
    for row in table.rows:
        name = keep(row.cells[at])
        if not name or name in people:
            bad.append((f"{path}, line {row.line}", f"{printable(name)} is listed already" if name else "no name"))
            continue
        gender = row.cells[sex].lower()[:1] if sex is not None else ""
        people[name] = {"sex": gender} if gender in ("m", "f") else {}
    return people


def _folders_of(names: list[str], there: list[str], bad: list[tuple[str, str]]) -> dict[str, str]:
    """Name -> folder: spelt alike, else equal when folded, else equal in letters and digits. Two people never get one folder."""
    found: dict[str, str] = {}
    forms: tuple[Callable[[str], str], ...] = (keep, fold, stripped)
    for form in forms:
        free = [folder for folder in there if folder not in found.values()]
        wanted = defaultdict(list)
        for name in names:
            if name not in found:
                wanted[form(name)].append(name)
        offered = defaultdict(list)
        for folder in free:
            offered[form(folder)].append(folder)
        for key, people in wanted.items():
            if len(people) == len(offered[key]) == 1:
                found[people[0]] = offered[key][0]
            elif offered[key] and form is stripped:
                bad.append(
                    (
                        printable(" and ".join(people)),
                        f"cannot be told apart in the folders {printable(', '.join(offered[key]))}. Rename them",
                    )
                )
    return found


def _films(person: str, films: Sequence[str], sounds: Sequence[str], bad: list[tuple[str, str]], notes: list[str]) -> list[Item]:
    # Without a folder of sound the films' own is heard.
    pairs = dict.fromkeys(films, None) if not sounds else dict(_pairs(person, films, sounds, bad, notes))
    items = []
    for film, sound in pairs.items():
        name = stem(Path(film).name)
        youtube = _youtube_id(name)
        items.append(
            Item(
                f"{person}/{keep(name)}", Path(film), youtube or f"{person}/{keep(name)}", person, Path(sound) if sound else None
            )
        )
    twice = {key for key, count in Counter(item.key for item in items).items() if count > 1}
    for item in items:
        if item.key in twice:
            bad.append((printable(item.media), "another film has the same name but for its ending"))
    return [item for item in items if item.key not in twice]


def _pairs(
    person: str, films: Sequence[str], sounds: Sequence[str], bad: list[tuple[str, str]], notes: list[str]
) -> list[tuple[str, str]]:
    pairs = []
    left, right = list(films), list(sounds)
    for form in (_name, _id_of, _number):
        offered = defaultdict(list)
        for sound in right:
            offered[form(sound)].append(sound)
        wanted = Counter(form(film) for film in left)
        for film in list(left):
            key = form(film)
            if key and wanted[key] == len(offered[key]) == 1:
                pairs.append((film, offered[key][0]))
                left.remove(film)
                right.remove(offered[key][0])
    if left and len(films) == len(sounds) and not any(_contradict(*pair) for pair in zip(left, right, strict=True)):
        notes.append(
            f"{printable(person)}: {len(left)} films paired with their sound by position, as no name says which belongs to which."
        )
        return sorted(pairs + list(zip(left, right, strict=True)))
    bad += [(printable(film), "no sound has its name") for film in left]
    bad += [(printable(sound), "no film has its name") for sound in right]
    return sorted(pairs)


def _contradict(film: str, sound: str) -> bool:
    return any(form(film) and form(sound) and form(film) != form(sound) for form in (_id_of, _number))


def _name(path: str) -> str:
    return fold(stem(Path(path).name))


def _id_of(path: str) -> str:
    return _youtube_id(stem(Path(path).name))


def _youtube_id(name: str) -> str:
    found = YOUTUBE_ID.search(name)
    return next(filter(None, found.groups())) if found else ""


def _number(path: str) -> str:
    found = NUMBER.search(stem(Path(path).name))
    return str(int(found[1])) if found else ""
