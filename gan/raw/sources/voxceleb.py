"""VoxCeleb 1 and 2, or both in one folder, with the faces that others collected for the same people.

Every habit of laying it out ends in <id>/<film>/<utterance>.<ending>, and that is all that is looked for: wav, aac, mp4, raw_wav,
dev and test may stand before it. A wav, an m4a and a film crop of one utterance are one item. A film is keyed by its YouTube id
alone: some films show several of these people, and some are in both sets.

Faces are joined by name, or by VGGFace2 id through a column of the table, never by the number in the id: VGGFace2's n000012 and
VoxCeleb2's id00012 are different people more often than not.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gan.data.films import FILMS
from gan.data.pictures import PICTURES
from gan.raw.item import Item, Listing
from gan.raw.names import fold, keep
from gan.raw.sources.base import HEARD, Source, add_outside_argument, ending, folders, printable, some, stem
from gan.raw.tables import Row, Table, read_table
from gan.raw.twins import doubles, joined

ID = re.compile(r"id\d{5}")
VGGFACE2_ID = re.compile(r"n\d{6}")
STORED_FEATURES = (".pickle", ".pkl", ".npy")
KINDS = ("masked", "origin")  # of HQ-VoxCeleb's faces: masked_faces, origin_faces
RANK = {each: at for at, each in enumerate(HEARD)}


@dataclass
class Person:
    """A row of a table, or of several of the same person. row: its number in its table, from 0. table: in which it was first."""

    name: str = ""
    vggface2: str = ""
    sex: str = ""
    part: str = ""
    table: str = ""
    row: int = 0


@dataclass
class _Utterance:
    film: str = ""
    sound: str = ""
    part: str = ""


class VoxCeleb(Source):
    name = "voxceleb"
    about = "VoxCeleb 1 or 2 or both, wav or m4a or film crops, with faces by name or by VGGFace2 id"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("root", metavar="ROOT", help="the folder that holds .../<id>/<film>/<utterance>.wav, .m4a or .mp4")
        parser.add_argument("--faces", metavar="FOLDER", help="pictures, a folder a person: named by person, or by VGGFace2 id")
        parser.add_argument(
            "--meta",
            nargs="+",
            default=[],
            required=True,
            metavar="TABLE",
            help="vox1_meta.csv, vox2_meta.csv, full_vox2_meta.csv, ...",
        )
        parser.add_argument(
            "--faces-kind", choices=KINDS, default="masked", help="of HQ-VoxCeleb's faces (default: masked, white behind)"
        )
        add_outside_argument(parser)

    def about_corpus(self, args: argparse.Namespace) -> str:
        return "VoxCeleb (Nagrani, Chung, Zisserman): utterances cut from films of YouTube, prepared by voxface"

    def list(self, args: argparse.Namespace) -> Listing:
        bad: list[tuple[str, str]] = []
        notes: list[str] = []
        people = read_people(args.meta, bad)
        utterances = _utterances(args.root, bad, notes, args.allow_outside)
        voices: dict[str, set[str]] = defaultdict(set)
        filmed = set()
        for (speaker, film, _), each in utterances.items():
            voices[speaker].add(film)
            if each.film:
                filmed.add(speaker)
        pictures: dict[str, list[str]] = defaultdict(list)
        if args.faces:
            pictures = _pictures(args, people, bad, notes)
        elif not filmed:
            raise ValueError(f"{args.root}: holds sound only, and no faces were named. Add --faces FOLDER.")
        items = [
            Item(
                f"{speaker}/{film}/{name}",
                Path(each.film or each.sound),
                film,
                speaker,
                Path(each.sound) if each.film and each.sound else None,
                part=people[speaker].part or each.part,
            )
            for (speaker, film, name), each in utterances.items()
            if speaker in people and (speaker in pictures or speaker in filmed)
        ]
        if not items:
            raise ValueError(
                f"{args.root}: none of the {len(voices)} people with sound ({some(sorted(voices))}) has both a row in the tables "
                f"and a face. Rows: {len(voices.keys() & people.keys())}; faces: {len(voices.keys() & pictures.keys())}."
            )
        _say_who_is_left_out(people, voices, pictures, filmed, bad, notes)
        for speaker, paths in pictures.items():
            if speaker in voices:
                home = Path(args.faces)
                items += [
                    Item(
                        f"{speaker}/faces/{Path(path).relative_to(home).as_posix()}",
                        Path(path),
                        "",
                        speaker,
                        part=people[speaker].part,
                    )
                    for path in paths
                ]
        return _joined(items, people, voices, bad, notes)


def read_people(paths: Iterable[str | Path], bad: list[tuple[str, str]]) -> dict[str, Person]:
    """Tables in any form -> VoxCeleb id -> person. Rows that are wrong go to `bad`, by line.

    VGGFace2's identity_meta.csv, which has no VoxCeleb id, gives names to the ids of a table that has none.
    Raises ValueError if a table has neither kind of id, or no good row.
    """
    people: dict[str, Person] = {}
    by_vggface2: dict[str, str] = {}
    for path in paths:
        table = read_table(path)
        bad += [(f"{table.path}, line {line}", reason) for line, reason in table.bad]
        if table.has("VoxCeleb1 ID", "VoxCeleb2 ID", "VoxCeleb ID"):
            _read_ids(table, people, bad)
        elif table.has("Class_ID", "VGGFace2 ID") and table.has("Name"):
            number, name = table.column("Class_ID", "VGGFace2 ID"), table.column("Name")
            by_vggface2 |= {row.cells[number]: keep(row.cells[name]) for row in table.rows}
        else:
            table.column("VoxCeleb1 ID", "VoxCeleb2 ID")
    for person in people.values():
        person.name = person.name or by_vggface2.get(person.vggface2, "")
    if not people:
        raise ValueError(
            f"{', '.join(map(str, paths))}: no table has VoxCeleb ids. Add vox1_meta.csv or vox2_meta.csv to --meta."
        )
    return people


def _read_ids(table: Table, people: dict[str, Person], bad: list[tuple[str, str]]) -> None:
    def position(*names: str) -> int | None:
        return table.column(*names) if table.has(*names) else None

    number = table.column("VoxCeleb1 ID", "VoxCeleb2 ID", "VoxCeleb ID")
    # VoxCeleb1 gives its names under "VGGFace1 ID".
    name, vggface2 = position("Name", "VGGFace1 ID"), position("VGGFace2 ID", "Class_ID")
    sex, part = position("Gender", "Gender_y", "Gender_x", "Sex"), position("Set")
    here: set[str] = set()
    good = 0
    for row in table.rows:

        def cell(column: int | None, row: Row = row) -> str:
            return row.cells[column] if column is not None else ""

        found = Person(keep(cell(name)), cell(vggface2), cell(sex).lower()[:1], cell(part).lower(), str(table.path), row.line - 2)
        speaker, fault = cell(number), ""
        before = people.get(speaker)
        if not ID.fullmatch(speaker):
            fault = f"{printable(speaker)[:40]!r} came for a VoxCeleb id. Allowed: id and five digits"
        elif name is not None and not found.name:
            fault = f"{speaker} has no name"
        elif speaker in here:
            fault = f"{speaker} is there already; its first row is used"
        elif before and any(
            a and b and a != b
            for a, b in ((fold(before.name), fold(found.name)), (before.vggface2, found.vggface2), (before.sex, found.sex))
        ):
            fault = f"{speaker} is another person in {before.table}; that row is used"
        if fault:
            bad.append((f"{table.path}, line {row.line}", fault))
            continue
        good += 1
        here.add(speaker)
        if before:
            for key in ("name", "vggface2", "sex", "part"):
                setattr(before, key, getattr(before, key) or getattr(found, key))
        else:
            people[speaker] = found
    if not good and not people:
        place, reason = bad[-1]
        raise ValueError(f"{table.path}: the table has no good row. Last: {place.rpartition(', ')[2]}: {reason}.")


def _utterances(
    root: str, bad: list[tuple[str, str]], notes: list[str], allow_outside: bool
) -> dict[tuple[str, str, str], _Utterance]:
    """(id, film, utterance) -> its files, each utterance once."""
    found: dict[tuple[str, str, str], _Utterance] = {}
    features: list[str] = []
    twice = 0
    for folder in folders(root, bad, allow_outside):
        if features_here := [name for name in folder.files if ending(name) in STORED_FEATURES]:
            features.append(f"{folder.path}/{features_here[0]}")
        if len(folder.parts) < 2 or not ID.fullmatch(folder.parts[-2]):
            continue
        speaker, film = folder.parts[-2:]
        part = next((each for each in folder.parts[:-2] if each in ("dev", "test")), "")
        for name in folder.files:
            kind = ending(name)
            if kind not in RANK and kind not in FILMS:
                continue
            each = found.setdefault((speaker, film, stem(name)), _Utterance())
            each.part = each.part or part
            path = f"{folder.path}/{name}"
            if kind in FILMS:
                twice += bool(each.film)
                each.film = each.film or path
            elif not each.sound or RANK[kind] < RANK[ending(each.sound)]:
                each.sound = path
            else:
                twice += kind == ending(each.sound)
    if not found and features:
        raise ValueError(
            f"{root}: holds stored features ({features[0]}), not sound. Name the folder with the wav or m4a files of VoxCeleb."
        )
    if not found:
        raise ValueError(
            f"{root}: no file is laid out as <id>/<film>/<utterance>.wav (or .m4a, .mp4), with an id such as id10001."
        )
    if features:
        notes.append(f"Stored features lie beside the sound and are not used ({features[0]}).")
    if twice:
        notes.append(f"{twice} utterances are there twice in the same form, in several folders; the first of each is used.")
    return dict(sorted(found.items()))


def _pictures(
    args: argparse.Namespace, people: Mapping[str, Person], bad: list[tuple[str, str]], notes: list[str]
) -> dict[str, list[str]]:
    """VoxCeleb id -> paths of pictures."""
    by_name: dict[str, list[str]] = defaultdict(list)
    by_number: dict[str, list[str]] = defaultdict(list)
    for speaker, person in people.items():
        if person.name:
            by_name[fold(person.name)].append(speaker)
        if person.vggface2:
            by_number[person.vggface2].append(speaker)
    found: dict[str, list[str]] = defaultdict(list)
    unknown: dict[str, int] = {}
    other = {f"{kind}_faces" for kind in KINDS} - {f"{args.faces_kind}_faces"}
    seen_by_name = ""
    for folder in folders(args.faces, bad, args.allow_outside):
        paths = [f"{folder.path}/{name}" for name in folder.files if ending(name) in PICTURES]
        if not paths or other & set(folder.parts):
            continue
        parts = folder.parts or (Path(args.faces).name,)
        numbered = next((part for part in reversed(parts) if VGGFACE2_ID.fullmatch(part)), None)
        if numbered:
            who = numbered
            speakers = by_number.get(numbered, [])
        else:
            # The person's own folder, or one above it (<name>/<film>/...).
            who = next((part for part in reversed(parts) if fold(part) in by_name), parts[-1])
            speakers = _of_set(by_name.get(fold(who), []), parts, people, who)
            seen_by_name = seen_by_name or who
        if not speakers:
            unknown[who] = unknown.get(who, 0) + len(paths)
        for speaker in speakers:
            found[speaker] += paths
    if seen_by_name:
        nameless = sorted(speaker for speaker, person in people.items() if not person.name)
        if nameless:
            raise ValueError(
                f"{people[nameless[0]].table}: has no names, but the faces are in folders of names ({printable(seen_by_name)}). "
                "VoxCeleb2 needs full_vox2_meta.csv, or another table with the column Name."
            )
    if not found:
        raise ValueError(
            f"{args.faces}: no folder of pictures belongs to a person of the tables. "
            f"There: {some(sorted(map(printable, unknown))) or 'none'}. "
            f"Tables: {some(sorted(person.name or person.vggface2 or speaker for speaker, person in people.items()))}."
        )
    if unknown:
        notes.append(f"Faces of nobody in the tables: {len(unknown)} folders ({some(sorted(map(printable, unknown)))}).")
    return found


def _of_set(speakers: list[str], parts: tuple[str, ...], people: Mapping[str, Person], name: str) -> list[str]:
    """Of several ids of one name those of the set that the path names, or those that are spelt just so; else all of them."""
    if len(speakers) < 2:
        return speakers
    first = {"vox1": True, "vox2": False}
    for part in parts:
        if part.lower() in first:
            # VoxCeleb1's ids begin at id10001, above all of VoxCeleb2's.
            return [speaker for speaker in speakers if (speaker >= "id10001") == first[part.lower()]] or speakers
    return [speaker for speaker in speakers if people[speaker].name == keep(name)] or speakers


def _say_who_is_left_out(
    people: Mapping[str, Person],
    voices: Mapping[str, set[str]],
    pictures: Mapping[str, list[str]],
    filmed: set[str],
    bad: list[tuple[str, str]],
    notes: list[str],
) -> None:
    without_row = sorted(voices.keys() - people.keys())
    bad += [(speaker, "a folder of sound, but no row in the tables") for speaker in without_row]
    without_folder = sorted(people.keys() - voices.keys())
    if without_folder:
        seen = [speaker for speaker in without_folder if speaker in pictures]
        notes.append(
            f"Rows of the tables without a folder of sound: {len(without_folder)} ({some(without_folder)}); "
            f"{len(seen)} of them have faces."
        )
    mute = sorted(pictures.keys() - voices.keys())
    bad += [
        (speaker, f"{len(pictures[speaker])} pictures of {people[speaker].name or speaker}, but no sound") for speaker in mute
    ]
    faceless = sorted(speaker for speaker in voices.keys() & people.keys() if speaker not in pictures and speaker not in filmed)
    bad += [(speaker, f"sound of {people[speaker].name or speaker}, but no face") for speaker in faceless]


def _joined(
    items: list[Item], people: Mapping[str, Person], voices: Mapping[str, set[str]], bad: list[tuple[str, str]], notes: list[str]
) -> Listing:
    """The listing, with those who are surely one person as one speaker: the first of their ids."""
    there = sorted({item.speaker for item in items})
    found = doubles({speaker: voices[speaker] for speaker in there}, {speaker: people[speaker].name for speaker in there})
    one = joined(found)
    for each in found:
        who = f"{each.first} {people[each.first].name} and {each.second} {people[each.second].name}"
        films = f"they share {each.shared} films of {each.of}"
        if each.sure:
            notes.append(f"One person: {who} ({films}); kept as {one[each.first]}.")
        else:
            notes.append(f"One person, or two (twins, a band)? {who} ({films}). They are never in different splits.")
    if any(speaker != kept for speaker, kept in one.items()):
        items = [replace(item, speaker=one[item.speaker]) if item.speaker in one else item for item in items]
    attributes: dict[str, dict[str, str]] = {}
    for speaker in there:
        person, kept = people[speaker], one.get(speaker, speaker)
        if kept != speaker:
            before = attributes[kept]
            before["also"] = "; ".join(filter(None, (before.get("also", ""), speaker, person.name)))
            continue
        facts = {"full_name": person.name, "sex": person.sex, "table": Path(person.table).name, "row": str(person.row)}
        attributes[speaker] = {key: value for key, value in facts.items() if value}
    same = sorted(
        {
            pair
            for each in found
            if not each.sure
            and (pair := tuple(sorted(one.get(speaker, speaker) for speaker in (each.first, each.second))))[0] != pair[1]
        }
    )
    items.sort(key=lambda item: item.key)
    return Listing(items, attributes, same, bad, notes)
