"""Mel spectrograms that others published without their sound, and faces -> a corpus of mels.

Two kinds are known, each by what its files hold:

    SF2F         a pickled dictionary, LogMel_Features float64 (40, frames): log-mel frames of speech, not standardised
                 <person>/<id>_<film>_<utterance>.pickle
    voice2face   an array of floats (frames, 64), .npy or pickled: log-mel frames, each band normalised over the recording
                 <id>/<film>/<utterance>.npy or <id>/<film>_<utterance>.npy

The pictures lie in another folder, one subfolder a person. This is none of gan/raw/sources: there is no media to hear and see,
and no item to read in stages. Recordings, splits and writing are shared with them.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from evaluation.progress import Progress
from gan.data.media import below
from gan.data.pictures import PICTURES, read_picture
from gan.data.prepare import add_output_arguments, new_corpus_path
from gan.data.unpickle import ARRAYS, PICKLES, Loader, loader
from gan.data.writer import CorpusWriter
from gan.raw.names import fold
from gan.raw.recording import Clip, Face, Recording
from gan.raw.sources.voxceleb import read_people
from gan.raw.splits import Splitting, split_films, split_people, without_crossing
from gan.raw.write import Report, report, write

LEAST_FRAMES = 25  # a quarter of a second: less holds no voice
LOWEST, HIGHEST = -60.0, 60.0  # of a natural logarithm of power, and of a normalised one
SF2F_KEY = "LogMel_Features"
# How each kind's frames are made: what a recipe's features must agree in (gan/features/base.py).
MADE: dict[str, dict[str, Any]] = {
    "SF2F": dict(name="log_mel", num_mels=40, window_ms=25.0, hop_ms=10.0, fft_size=512, pre_emphasis=0.97),
    "voice2face": dict(
        name="log_mel_hamming",
        num_mels=64,
        window_ms=25.0,
        hop_ms=10.0,
        fft_size=1024,
        low_hz=20.0,
        high_hz=7200.0,
        pre_emphasis=0.97,
        floor=1e-5,
    ),
}


@dataclass(frozen=True)
class Utterance:
    """One file of mels. key: its path below the folder. film: by the names. kind: of MADE. start, frames: in the spool."""

    key: str
    person: str
    film: str
    kind: str
    start: int
    frames: int
    digest: str


def frames_of(stored: Any) -> tuple[str, np.ndarray]:
    """What a file holds -> its kind, and float32 (F, M). Raises ValueError, in few words, if it is neither kind."""
    if isinstance(stored, dict) and SF2F_KEY in stored:
        kind, array, wanted, frames_last = "SF2F", stored[SF2F_KEY], "float64 (40, frames)", True
    elif isinstance(stored, np.ndarray):
        kind, array, wanted, frames_last = "voice2face", stored, "floats (frames, 64)", False
    elif isinstance(stored, dict):
        raise ValueError(f"a dictionary without {SF2F_KEY}. Found: {', '.join(sorted(map(str, stored)))[:80] or 'nothing'}")
    else:
        raise ValueError(f"a {type(stored).__name__}; SF2F's dictionary or voice2face's array is read")
    bands = MADE[kind]["num_mels"]
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.shape[0 if frames_last else 1] != bands:
        came = f"shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"{came} came; {kind} stores {wanted}")
    if array.dtype != np.float64 if frames_last else array.dtype.kind != "f":
        raise ValueError(f"{array.dtype} came; {kind} stores {wanted}")
    frames = np.ascontiguousarray(array.T if frames_last else array, np.float32)
    if len(frames) < LEAST_FRAMES:
        raise ValueError(f"{len(frames)} frames; {LEAST_FRAMES} or more are read")
    if not np.isfinite(frames).all() or frames.min() < LOWEST or frames.max() > HIGHEST:
        raise ValueError(f"values that are no log-mel frames: NaN, infinite, or outside {LOWEST:g} to {HIGHEST:g}")
    return kind, frames


def film_of(relative: Path) -> str:
    """The film by the names: of SF2F's `<id>_<film>_<utterance>`, of `<film>/<utterance>`, of `<film>_<utterance>`."""
    if len(relative.parts) > 2:
        return "/".join(relative.parts[1:-1])
    if found := re.fullmatch(r"id\d+_(.+)_\d+", relative.stem):
        return found[1]
    if found := re.fullmatch(r"(.+)_\d+", relative.stem):
        return found[1]
    return f"{relative.parts[0]}/{relative.stem}"


def person_of(meta: Sequence[str], bad: list[tuple[str, str, str]]) -> Callable[[str], str]:
    """What stands for the person of a folder's name: a VoxCeleb id where a table knows it, else the name, folded.

    meta: VoxCeleb's tables. bad: gets their rows that are wrong.
    """
    if not meta:
        return fold
    rows: list[tuple[str, str]] = []
    people = read_people(meta, rows)
    bad += [(what, "row of a table", reason) for what, reason in rows]
    ids = {fold(person.name): number for number, person in sorted(people.items(), reverse=True) if person.name}
    return lambda name: name if name in people else ids.get(fold(name), fold(name))


def read_mels(folder: Path, spool: IO[bytes], bad: list[tuple[str, str, str]]) -> list[Utterance]:
    """Every file of mels below folder/<person>/, its frames written to spool. bad: gets (file, kind of fault, reason)."""
    paths = below(folder, (*PICKLES, *ARRAYS))
    if not paths:
        raise ValueError(f"{folder}: no mels below it. Looked for: {', '.join((*PICKLES, *ARRAYS))}, in one folder a person.")
    found: list[Utterance] = []
    start = 0
    with loader() as reading:
        for path in Progress(paths, "Reading", unit="file", leave=False):
            relative = path.relative_to(folder)
            try:
                utterance, frames = _read(reading, path, relative, start)
            except ValueError as error:
                bad.append((str(relative), "cannot be used", str(error)))
                continue
            spool.write(frames.tobytes())
            start += frames.nbytes
            found.append(utterance)
    spool.flush()
    return found


def _read(reading: Loader, path: Path, relative: Path, start: int) -> tuple[Utterance, np.ndarray]:
    if len(relative.parts) < 2:
        raise ValueError("lies in no person's folder")
    if path.is_symlink() and not path.resolve().is_relative_to(path.parents[len(relative.parts) - 1].resolve()):
        raise ValueError("a link out of the folder")
    kind, frames = frames_of(reading.load(path))
    digest = hashlib.sha256(frames.tobytes()).hexdigest()
    return Utterance(str(relative), relative.parts[0], film_of(relative), kind, start, len(frames), digest), frames


def of_one_kind(utterances: Sequence[Utterance], bad: list[tuple[str, str, str]]) -> tuple[str, list[Utterance]]:
    """The kind that most files are of, and those. bad: gets the others."""
    kinds = Counter(each.kind for each in utterances)
    if not kinds:
        first = f" First: {bad[0][0]}: {bad[0][2]}." if bad else ""
        raise ValueError(f"mels: none of {len(bad)} files can be used.{first}")
    kind = kinds.most_common(1)[0][0]
    bad += [(each.key, "of another kind", f"{each.kind}'s, among {kind}'s") for each in utterances if each.kind != kind]
    return kind, [each for each in utterances if each.kind == kind]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `voxface prepare mels`."""
    parser.description = (
        "Read mel spectrograms that others published without their sound:\n"
        "  SF2F         PERSON/ID_FILM_UTTERANCE.pickle   (HQ-VoxCeleb's mel_spectrograms)\n"
        "  voice2face   ID/FILM_UTTERANCE.npy             (arrays of 64 bands)\n"
        "and the pictures of the same people, one subfolder a person. Nothing in a pickle is run.\n"
        "Files that cannot be read are listed at the end (exit code 1); the rest is kept."
    )
    parser.add_argument("folder", metavar="FOLDER", help="the folder with one subfolder of mels a person")
    parser.add_argument("--faces", metavar="FOLDER", required=True, help="the folder with one subfolder of pictures a person")
    parser.add_argument(
        "--meta", nargs="+", default=[], metavar="TABLE", help="VoxCeleb's tables, where one folder says ids and the other names"
    )
    add_output_arguments(parser)
    for name, default, what in (
        ("val-speech", 0.1, "a training person's utterances for val_speech"),
        ("unseen-speech", 0.2, "a training person's utterances for unseen_speech"),
        ("val-speaker", 0.1, "the people for val_speaker"),
        ("unseen-speaker", 0.1, "the people for unseen_speaker"),
    ):
        parser.add_argument(f"--{name}", type=float, default=default, metavar="F", help=f"share of {what} (default: {default})")
    parser.add_argument("--seed", type=int, default=0, help="draws the splits (default: 0)")
    parser.add_argument("--licence", required=True, help="the terms of this data, kept in the corpus")
    parser.add_argument("--consent", required=True, help="what these people agreed to, kept in the corpus")


def main(args: argparse.Namespace) -> int:
    """Prepare, print the report. Exit code 1 if files or people were left out, else 0."""
    out = Path(args.out) if args.out else Path("corpora") / Path(args.folder).resolve().name
    settings = Splitting(args.val_speech, args.unseen_speech, args.val_speaker, args.unseen_speaker, args.seed)
    about = dict(licence=args.licence, consent=args.consent, face_sizes=args.face_sizes)
    told = prepare_mels(Path(args.folder), Path(args.faces), out, settings, meta=args.meta, overwrite=args.overwrite, **about)
    print(told)
    print(f"Wrote {out}")
    return 1 if told.left_out else 0


def prepare_mels(
    folder: Path,
    faces: Path,
    out: Path,
    settings: Splitting,
    *,
    licence: str,
    consent: str,
    face_sizes: Sequence[int] = (64, 128),
    meta: Sequence[str] = (),
    overwrite: bool = False,
) -> Report:
    """Write a corpus of mels to out. folder, faces: of mels and of pictures, one subfolder a person.

    The two folders call a person alike, or by the id and the name of one row of the tables `meta`.

    Raises ValueError if fewer than two people have both, if no file can be used, or if out exists.
    """
    for given in (folder, faces):
        if not given.is_dir():
            raise ValueError(f"{given}: no such folder.")
    left_out: list[tuple[str, str, str]] = []
    with new_corpus_path(out, overwrite) as target:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Frames wait on the disk, not in memory, until everybody's splits are drawn: a million files are read once.
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", suffix=".frames") as spool:
            kind, utterances = of_one_kind(read_mels(folder, spool, left_out), left_out)
            pictures = read_faces(faces, left_out)
            key = person_of(meta, left_out)
            names: dict[str, str] = {}  # what a person is called: as the first folder of their mels, or by id
            for each in utterances:
                names.setdefault(key(each.person), key(each.person) if meta else each.person)
            utterances = [replace(each, person=names[key(each.person)]) for each in utterances]
            pictures = _called(pictures, lambda name: names.get(key(name), name))
            known = sorted({each.person for each in utterances} & pictures.keys())
            left_out += [
                (name, "no picture", "its mels are left out")
                for name in sorted({each.person for each in utterances} - set(known))
            ]
            left_out += [(name, "no mels", "its pictures are left out") for name in sorted(pictures.keys() - set(known))]
            if len(known) < 2:
                raise ValueError(
                    f"{folder}: {len(known)} people have mels here and pictures in {faces}; two or more are needed. "
                    "Their folders must be called alike; where one says ids and the other names, give --meta."
                )
            stored = np.memmap(spool.name, np.float32, "r")
            recordings = heard_of(utterances, stored, kind) + [face for name in known for face in pictures[name]]
            recordings = [each for each in recordings if each.person in set(known)]
            people = split_people(known, [], settings)
            recordings, crossing = without_crossing(recordings, people)
            left_out += [(each.name, "crosses splits", "people of several splits are in its film") for each in crossing]
            split_films(recordings, people, settings)
            with CorpusWriter(
                target,
                name=out.name,
                source=f"{kind}'s mel spectrograms, without their sound",
                licence=licence,
                consent=consent,
                face_sizes=face_sizes,
                mels=MADE[kind],
            ) as writer:
                write(writer, recordings, people, {})
    notes = [
        f"{kind}'s mels: recipes train on them whose features are {MADE[kind]['name']}. There is no sound: waveform encoders, "
        "voxface audit's checks of sound and voxface experiment need a corpus made of recordings."
    ]
    return report(recordings, people, notes, left_out)


def heard_of(utterances: Sequence[Utterance], stored: np.ndarray, kind: str) -> list[Recording]:
    """Utterances of one person in one film are a recording. stored: the spool's floats."""
    bands, samples = MADE[kind]["num_mels"], round(MADE[kind]["hop_ms"] * 16)
    found: dict[tuple[str, str], Recording] = {}
    for each in utterances:
        recording = found.setdefault(
            (each.person, each.film), Recording(each.person, str(Path(each.key).parent / Path(each.film).name), each.film)
        )
        first = each.start // 4
        load = partial(_frames, stored, first, each.frames, bands)
        recording.clips.append(Clip(each.key, load, each.frames * samples, each.digest))
    return [found[key] for key in sorted(found)]


def _called(pictures: Mapping[str, list[Recording]], name_of: Callable[[str], str]) -> dict[str, list[Recording]]:
    """The same under other names; those of two folders of one person together."""
    called: dict[str, list[Recording]] = {}
    for folder, recordings in pictures.items():
        name = name_of(folder)
        called.setdefault(name, []).extend(replace(each, person=name) for each in recordings)
    return called


def _frames(stored: np.ndarray, first: int, frames: int, bands: int) -> np.ndarray:
    return np.asarray(stored[first : first + frames * bands]).reshape(frames, bands)


def read_faces(folder: Path, bad: list[tuple[str, str, str]]) -> dict[str, list[Recording]]:
    """Person -> a recording of no film for each picture below its folder. bad: gets the pictures that cannot be read."""
    found: dict[str, list[Recording]] = {}
    for path in Progress(below(folder, PICTURES), "Looking", unit="picture", leave=False):
        relative = path.relative_to(folder)
        try:
            if len(relative.parts) < 2:
                raise ValueError("lies in no person's folder")
            digest = hashlib.sha256(read_picture(path)[0].tobytes()).hexdigest()
        except (ValueError, OSError) as error:
            bad.append((str(relative), "cannot be used", str(error)))
            continue
        face = Face(str(relative), partial(_picture, path), digest)
        found.setdefault(relative.parts[0], []).append(Recording(relative.parts[0], str(relative), "", faces=[face]))
    return found


def _picture(path: Path) -> np.ndarray:
    return read_picture(path)[0]
