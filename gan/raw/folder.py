"""A user's own sound files and pictures -> corpus.

Either a folder, one subfolder a speaker:

    <speaker>/any.wav                    its own recording
    <speaker>/any.jpg                    a picture; of the recording any.wav if that is beside it, else of none
    <speaker>/<recording>/any.flac       files in a subfolder are one recording: say, all cuts of one video

or a CSV (UTF-8) with columns speaker, recording, file, and any more that describe the speaker (sex, age, ...). The
ending tells sound from picture. recording may be empty: a sound file is then its own recording, a picture that of the
sound file of its name beside it, else of none.
Files are relative to the CSV's folder and must lie in it, because a CSV may come from someone else; allow_outside
lifts that.

Splits are by speaker, and inside training speakers by recording. Files with equal bytes join their recordings. A
picture of no recording is a recording of its own: a speaker's pictures are shared out as its sound is, training
first. Pictures are turned upright, cut to their central square, and stored antialiased. A clip's aligned face is the
picture of its own name, else the first of its recording, else none.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from unicodedata import normalize

import numpy as np

from evaluation.progress import Progress
from gan.data import audio
from gan.data.corpus import SPLITS
from gan.data.media import PACKED, UNREAD_PICTURES, UNREAD_SOUND, counted, ends, unread
from gan.data.pictures import PICTURES, read_face, read_picture
from gan.data.prepare import add_output_arguments, new_corpus_path
from gan.data.prepare.shared_audio import Groups
from gan.data.prepare.splits import check_fractions
from gan.data.writer import CorpusWriter
from gan.raw.recording import Clip, Face, Recording
from gan.raw.splits import Splitting, split_films, split_people
from gan.raw.write import report as count
from gan.raw.write import write

COLUMNS = ("speaker", "recording", "file")
# Columns that the corpus writes itself.
TAKEN_COLUMNS = ("split",)
SEPARATORS = {"semicolons": ";", "tabs": "\t", "bars": "|"}
# Files that are named where they are passed over.
MEDIA = (*audio.SOUND, *PICTURES, *UNREAD_SOUND, *UNREAD_PICTURES)
# Nobody is called so, unlike Dev or Val.
SPLIT_NAME = re.compile(r"(train|test|valid|eval)(ing|ation|uation)?([^a-z].*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One file of one speaker. recording: "" for a picture that belongs to none. digest, samples: of what it holds, once read."""

    speaker: str
    recording: str
    path: Path
    digest: str = ""
    samples: int = 0

    @property
    def is_audio(self) -> bool:
        return ends(self.path, (*audio.SOUND, *PACKED))

    @property
    def name(self) -> str:
        """Without ending; accents composed, as one program writes them, or not, as another does, are the same."""
        return normalize("NFC", self.path.stem)

    @property
    def own(self) -> tuple[str, str]:
        """What a sound file and its own picture have in common: speaker, folder and name, but for the ending."""
        return self.speaker, normalize("NFC", str(self.path.with_suffix("")))


@dataclass(frozen=True)
class Report:
    """What was stored, and what was not. str(report) is what the command prints."""

    speakers: dict[str, str]  # speaker -> split
    clips: dict[str, int]  # split -> clips
    faces: dict[str, int]  # split -> pictures
    pictured: int  # clips with a picture of their own name
    seconds: float
    faceless: list[str]  # training speakers whose held-out recordings have no picture
    ignored: int  # files of other kinds
    kinds: str  # of those, in words
    notes: list[str]  # what else there is to say of what was stored, a line each
    bad: list[tuple[str, str]] = field(default_factory=list)  # (file or speaker, reason): left out

    def __str__(self) -> str:
        kinds = f" ({self.kinds})" if self.kinds else ""
        lines = [
            f"{len(self.speakers)} speakers, {sum(self.clips.values())} sound files ({self.seconds / 60:.1f} "
            f"minutes), {sum(self.faces.values())} pictures; {self.ignored} other files were passed over{kinds}.",
            f"{'split':16}speakers  sound files  pictures",
        ]
        for split in (s for s in SPLITS if s in self.clips):
            owner = split if split.endswith("speaker") else "train"
            count = sum(s == owner for s in self.speakers.values())
            lines.append(f"{split:16}{count:8}  {self.clips.get(split, 0):11}  {self.faces.get(split, 0):8}")
        if self.faceless:
            lines.append(
                f"No picture outside of train: {', '.join(self.faceless)}. Their held-out speech cannot be "
                "compared with a held-out picture; give them more pictures."
            )
        lines.append(f"{self.pictured} of {sum(self.clips.values())} sound files have their own picture, one of their name.")
        lines += self.notes
        lines += [f"left out: {file}: {reason}" for file, reason in self.bad]
        return "\n".join(lines)


def prepare_folder(
    source: str | Path,
    out: str | Path,
    *,
    val_speech: float = 0.1,
    unseen_speech: float = 0.2,
    val_speaker: float = 0.1,
    unseen_speaker: float = 0.1,
    seed: int = 0,
    face_box: Sequence[float] = (0.0, 0.0, 1.0, 1.0),
    face_sizes: Sequence[int] = (64, 128),
    licence: str = "not stated",
    consent: str = "not stated",
    allow_outside: bool = False,
    overwrite: bool = False,
) -> Report:
    """Write the corpus `out` from a folder or CSV as described above. Files that cannot be used are in Report.bad.

    val_speech, unseen_speech: shares of a training speaker's sound files to hold out, in whole recordings.
    val_speaker, unseen_speaker: shares of the speakers to hold out; at least two speakers train.
    face_box: left, top, right, bottom, as fractions of the square pictures, inside which the faces lie.
    Raises ValueError if nothing can be stored, an option is impossible, or `out` exists and overwrite is not given.
    """
    check_fractions(val_speech=val_speech, unseen_speech=unseen_speech)
    check_fractions(val_speaker=val_speaker, unseen_speaker=unseen_speaker)
    _check_face_box(face_box)
    source = Path(source)
    with new_corpus_path(out, overwrite) as target:
        bad: list[tuple[str, str]] = []
        if source.is_dir():
            items, attributes = _list_folder(source, bad), dict[str, dict[str, str]]()
        elif source.is_file():
            items, attributes = _list_csv(source, allow_outside, bad)
        else:
            raise ValueError(f"{source}: no such folder or CSV file.")
        read = (*audio.readable(), *PICTURES)
        wanted = _with_recordings([item for item in items if ends(item.path, read)])
        others, media = list[Path](), dict[str, list[Path]]()
        for item in (item for item in items if not ends(item.path, read)):
            if source.is_dir() and not ends(item.path, MEDIA):  # a CSV names nothing but what it wants read
                others.append(item.path)
            else:
                media.setdefault(item.speaker, []).append(item.path)
        bad += [(f"speaker {speaker}", unread(paths, (*audio.SOUND, *PICTURES))) for speaker, paths in media.items()]
        notes, said = _levels(source, wanted) if source.is_dir() else [], Counter[str]()
        if twice := _heard_twice(wanted) if source.is_dir() else set():
            wanted = [item for item in wanted if item not in twice]
            notes.append(
                f"{counted(item.path for item in twice)} passed over: beside each lies a sound file of its name, which was taken."
            )
        items = _of_whole_speakers(_checked(wanted, bad, said), bad)
        if not items:
            first = f" {len(bad)} were left out, first {bad[0][0]}: {bad[0][1]}" if bad else ""
            raise ValueError(
                f"{source}: no speaker with both a sound file ({' '.join(audio.readable())}) and a "
                f"picture ({' '.join(PICTURES)}) that can be read.{first}"
            )
        settings = Splitting(val_speech, unseen_speech, val_speaker, unseen_speaker, seed)
        speakers = split_people(sorted({item.speaker for item in items}), [], settings)
        groups = _groups(items)
        pictured = sum(len(_own_pictures(*_by_kind(group))) for group in groups)
        recordings = [_recording(group) for group in groups]
        split_films(recordings, speakers, settings)
        with CorpusWriter(
            target,
            name=Path(out).name,
            source=source.name,
            licence=licence,
            consent=consent,
            face_sizes=tuple(face_sizes),
            face_box=tuple(face_box),
            extra={
                "prepared_by": "folder",
                "left_out": len(bad),
                "options": dict(
                    val_speech=val_speech,
                    unseen_speech=unseen_speech,
                    val_speaker=val_speaker,
                    unseen_speaker=unseen_speaker,
                    seed=seed,
                ),
            },
        ) as writer:
            write(writer, recordings, speakers, attributes)
    stored = count(recordings, speakers)
    return Report(
        speakers,
        dict(stored.clips),
        dict(stored.faces),
        pictured=pictured,
        seconds=stored.seconds,
        faceless=list(stored.faceless),
        ignored=len(others),
        kinds=counted(others),
        notes=[*notes, *(f"{count} files: {note}." for note, count in said.items())],
        bad=bad,
    )


def _check_face_box(box: Sequence[float]) -> None:
    if len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
        raise ValueError(
            f"face_box: {tuple(box)} came; four fractions are wanted, 0 <= left < right <= 1 and 0 <= top < bottom <= 1."
        )


def _list_folder(source: Path, bad: list[tuple[str, str]]) -> list[Item]:
    """Every file below a speaker's folder, in order of name. Hidden ones are passed over; media beside the folders are bad."""
    items = []
    if loose := [path for path in source.iterdir() if ends(path, MEDIA) and path.is_file()]:
        bad.append((str(source), f"{counted(loose)} beside the speakers' folders, so of no speaker."))
    for speaker in sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")):
        for path in sorted(path for path in speaker.rglob("*") if path.is_file()):
            inner = path.relative_to(speaker)
            if any(part.startswith(".") for part in inner.parts):
                continue
            recording = inner.parent.as_posix() if len(inner.parts) > 1 else ""
            items.append(Item(normalize("NFC", speaker.name), normalize("NFC", recording), path))
    if not items:
        raise ValueError(
            f"{source}: holds no files in subfolders. Lay it out as <speaker>/<files>, or give a CSV with "
            f"columns {', '.join(COLUMNS)}."
        )
    return items


def _named(folder: Path, file: str) -> Path:
    """The path of a file that a CSV names, also with Windows' separators, or accents composed otherwise than on the disk."""
    spelled = [file, *(normalize(form, file.replace("\\", "/")) for form in ("NFC", "NFD"))]
    return folder / next((name for name in spelled if os.path.lexists(folder / name)), spelled[1])


def _levels(source: Path, items: list[Item]) -> list[str]:
    """What is to be said of folders that hold only folders, and so may be no speakers but one level too high.

    Raises ValueError where their names are those of splits.
    """
    inner: dict[str, set[str]] = {}
    for item in items:
        speaker, *folders = item.path.relative_to(source).parts[:-1]
        inner.setdefault(speaker, set()).add(folders[0] if folders else "")
    outer = [name for name, folders in inner.items() if "" not in folders]
    if splits := [name for name in outer if SPLIT_NAME.fullmatch(name)]:
        raise ValueError(
            f"{source}: {', '.join(splits)} hold folders and no files, as splits do, not speakers. Splits are drawn "
            f"here: give a folder that holds the speakers' ({', '.join(str(source / name) for name in splits)}), "
            "or a CSV."
        )
    shared = set.intersection(*inner.values()) if outer else set()
    if len(outer) < len(inner) or not shared:
        return []
    return [
        f"Every speaker's folder holds folders and no files, the same in each ({', '.join(sorted(shared)[:3])}): they were "
        f"taken for recordings. If they are people, give a folder that holds theirs ({source / outer[0]}), or a CSV."
    ]


def _with_recordings(items: list[Item]) -> list[Item]:
    """The recording of a file that names none: that of the first sound file of its name, which by itself is its own recording."""
    sounds: dict[tuple[str, str], str] = {}
    for item in items:
        if item.is_audio:
            sounds.setdefault(item.own, item.recording or item.path.name)
    return [replace(item, recording=item.recording or sounds.get(item.own, "")) for item in items]


def _heard_twice(items: list[Item]) -> set[Item]:
    """Films, and the like, whose sound lies beside them as a plain sound file."""
    plain = {item.own for item in items if ends(item.path, audio.SOUND)}
    return {item for item in items if item.own in plain and ends(item.path, PACKED)}


def _list_csv(source: Path, allow_outside: bool, bad: list[tuple[str, str]]) -> tuple[list[Item], dict[str, dict[str, str]]]:
    """Items in the order of the rows, and each speaker's further columns (its first value that is not empty)."""
    items, attributes = [], dict[str, dict[str, str]]()
    try:
        with open(source, newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            columns = [name.strip() for name in table.fieldnames or []]
            missing = [name for name in COLUMNS if name not in columns]
            if missing and (found := next((name for name, sign in SEPARATORS.items() if sign in "".join(columns)), None)):
                raise ValueError(f"{source}: its columns are separated by {found}, not by commas. Save it with commas.")
            if missing:
                raise ValueError(
                    f"{source}: has no column {missing[0]}. Its first line must name the columns "
                    f"{', '.join(COLUMNS)}; it names {', '.join(columns) or 'none'}."
                )
            if taken := [name for name in TAKEN_COLUMNS if name in columns]:
                raise ValueError(f"{source}: column {taken[0]} is made here. Rename or remove it.")
            table.fieldnames = columns
            for row in table:
                values = {name: (row.get(name) or "").strip() for name in columns if name}
                values |= {name: normalize("NFC", values[name]) for name in ("speaker", "recording")}
                where = f"{source.name} line {table.line_num}"
                if not values["speaker"] or not values["file"]:
                    bad.append((where, "speaker or file is empty."))
                    continue
                path = _named(source.parent, values["file"])
                root = source.parent.resolve()
                if not allow_outside and not path.resolve().is_relative_to(root):
                    bad.append((where, f"{values['file']} lies outside of the CSV's folder. --allow-outside reads it."))
                    continue
                items.append(Item(values["speaker"], values["recording"], path))
                described = attributes.setdefault(values["speaker"], {})
                for name in columns:
                    if name and name not in COLUMNS and values[name]:
                        described.setdefault(name, values[name])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{source}: not a CSV in UTF-8 ({str(error).splitlines()[0]}).") from None
    return items, attributes


def _checked(items: Iterable[Item], bad: list[tuple[str, str]], said: Counter[str]) -> list[Item]:
    """Read every file once. The usable items, with their digests; the others go to bad with the reason.

    said: counts what readers say of usable files.
    """
    good = []
    for item in Progress(list(dict.fromkeys(items)), "Checking", unit="file"):  # a CSV may have a row twice
        try:
            content, note = (audio.read_sound if item.is_audio else read_picture)(item.path)
            digest = hashlib.sha256(item.path.read_bytes()).hexdigest()
            good.append(replace(item, digest=digest, samples=len(content) if item.is_audio else 0))
        except (ValueError, OSError) as error:
            bad.append((str(item.path), str(error).removeprefix(f"{item.path}: ")))
            continue
        said.update([note] if note else [])
    return good


def read_square_face(path: Path) -> np.ndarray:
    """uint8 (S, S, 3) RGB: the central square of a picture, upright. Raises ValueError if it cannot be read."""
    image = read_face(path)
    size = min(image.shape[:2])
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]


def _of_whole_speakers(items: list[Item], bad: list[tuple[str, str]]) -> list[Item]:
    """Those of speakers with a voice and a face."""
    kinds: dict[str, set[bool]] = {}
    for item in items:
        kinds.setdefault(item.speaker, set()).add(item.is_audio)
    for speaker, has in sorted(kinds.items()):
        if len(has) == 1:
            bad.append((f"speaker {speaker}", "has no usable picture." if True in has else "has no usable sound file."))
    return [item for item in items if len(kinds[item.speaker]) == 2]


def _groups(items: list[Item]) -> list[list[Item]]:
    """Items joined to recordings: those of one name, and those of a speaker with equal bytes."""
    joined = Groups(len(items))
    joined.join_equal((item.speaker, item.recording) if item.recording else None for item in items)
    joined.join_equal((item.speaker, item.digest) for item in items)
    return [[items[i] for i in group] for group in joined.members()]


def _by_kind(items: list[Item]) -> tuple[list[Item], list[Item]]:
    """Sound files, and pictures."""
    return [item for item in items if item.is_audio], [item for item in items if not item.is_audio]


def _recording(items: list[Item]) -> Recording:
    """A clip's face is the picture of its name, else the first of the recording."""
    sounds, pictures = _by_kind(items)
    own = _own_pictures(sounds, pictures)
    return Recording(
        items[0].speaker,
        items[0].recording or items[0].path.name,
        "",
        [
            Clip(str(each.path), partial(_samples, each.path), each.samples, each.digest, own.get(each, 0) if pictures else None)
            for each in sounds
        ],
        [Face(str(each.path), partial(read_square_face, each.path), each.digest) for each in pictures],
    )


def _own_pictures(sounds: list[Item], pictures: list[Item]) -> dict[Item, int]:
    """A sound file -> position of the picture of its name: beside it, else in another folder (clips/a.wav, frames/a.jpg)."""
    beside = {item.own: at for at, item in enumerate(pictures)}
    elsewhere = {item.name: at for at, item in enumerate(pictures)}
    named = {sound: beside.get(sound.own, elsewhere.get(sound.name)) for sound in sounds}
    return {sound: at for sound, at in named.items() if at is not None}


def _samples(path: Path) -> np.ndarray:
    return audio.to_int16(audio.read_waveform(path))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `voxface prepare folder`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Read your own sound files (wav, flac, mp3, ogg, opus) and pictures (png, jpg, bmp,\n"
        "webp), either from a folder:\n"
        "  SPEAKER/any.wav              its own recording\n"
        "  SPEAKER/any.jpg              a picture; of the recording any.wav if that is beside it\n"
        "  SPEAKER/RECORDING/any.flac   files of one recording, such as all cuts of one video\n"
        "or from a CSV with columns speaker, recording, file and any more about the speaker (sex, age, ...).\n"
        "Pieces of one recording never fall on both sides of a split: put them into one recording.\n"
        "Files that cannot be read are listed at the end (exit code 1); the rest is kept."
    )
    parser.add_argument("source", metavar="FOLDER_OR_CSV", help="the folder with one subfolder a speaker, or the CSV")
    add_output_arguments(parser)
    for name, default, what in (
        ("val-speech", 0.1, "a training speaker's sound files for val_speech"),
        ("unseen-speech", 0.2, "a training speaker's sound files for unseen_speech"),
        ("val-speaker", 0.1, "the speakers for val_speaker"),
        ("unseen-speaker", 0.1, "the speakers for unseen_speaker"),
    ):
        parser.add_argument(f"--{name}", type=float, default=default, metavar="F", help=f"share of {what} (default: {default})")
    parser.add_argument("--seed", type=int, default=0, help="draws the splits (default: 0)")
    parser.add_argument(
        "--face-box",
        nargs=4,
        type=float,
        default=[0, 0, 1, 1],
        metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"),
        help="where the face lies in the pictures' central square, as fractions (default: 0 0 1 1)",
    )
    parser.add_argument("--licence", default="not stated", help="the terms of your data, kept in the corpus")
    parser.add_argument("--consent", default="not stated", help="what these people agreed to, kept in the corpus")
    parser.add_argument(
        "--allow-outside", action="store_true", help="let a CSV name files outside of its own folder, or by absolute path"
    )


def main(args: argparse.Namespace) -> int:
    """Prepare, print the report. Exit code 1 if files were left out, else 0."""
    out = Path(args.out) if args.out else Path("corpora") / Path(args.source).resolve().stem
    report = prepare_folder(
        args.source,
        out,
        val_speech=args.val_speech,
        unseen_speech=args.unseen_speech,
        val_speaker=args.val_speaker,
        unseen_speaker=args.unseen_speaker,
        seed=args.seed,
        face_box=args.face_box,
        face_sizes=args.face_sizes,
        licence=args.licence,
        consent=args.consent,
        allow_outside=args.allow_outside,
        overwrite=args.overwrite,
    )
    print(report)
    print(f"Wrote {out}")
    return 1 if report.bad else 0
