"""voxface prepare remove: a corpus without the people, films or recordings of a removal list.

The list is read and compared as a preparation's --removed is (gan/raw/removed.py): people by name or id, films by the column
media of recordings.csv, recordings by the column source, or as PERSON/RECORDING where several people have one of that name. A
film goes with every recording cut from it, whoever speaks.

The corpus is written anew from what stays, so nothing of what goes is left in any of its files.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.progress import Progress
from gan.audit.report import examine
from gan.audit.verdict import keep, verdict
from gan.data.corpus import SPLITS, Corpus
from gan.data.prepare import new_corpus_path
from gan.data.writer import CorpusWriter
from gan.files import cache_folder
from gan.raw.removed import match, read_removed
from gan.raw.sources.base import printable

REPLACEMENT = "[removed]"
SHORTEST = 3  # letters of a name that is looked for inside other text


@dataclass(frozen=True)
class Leaving:
    """What goes.

    people: by name. films: that go whole. recordings: numbers of all that go. unmatched: (entry, why nothing is meant by it).
    """

    people: frozenset[str]
    films: frozenset[str]
    recordings: frozenset[int]
    unmatched: tuple[tuple[str, str], ...]


def find(corpus: Corpus, entries: Sequence[str]) -> Leaving:
    """What the entries of a removal list mean in a corpus. A person who loses every recording goes, too."""
    sources: dict[str, set[str]] = {}
    for row in corpus.recordings:
        sources.setdefault(row["source"], set()).add(row["speaker"])
    keys = [source for source, people in sources.items() if len(people) == 1]
    keys += [_full(row) for row in corpus.recordings]
    films = {row["media"] for row in corpus.recordings if row.get("media")}
    found = match(entries, {row["speaker"]: row for row in corpus.speakers}, films, keys)
    recordings = {
        number
        for number, row in enumerate(corpus.recordings)
        if row["speaker"] in found.people or row.get("media") in found.films or {_full(row), row["source"]} & found.keys
    }
    staying = {row["speaker"] for number, row in enumerate(corpus.recordings) if number not in recordings}
    gone = found.people | {corpus.recordings[number]["speaker"] for number in recordings} - staying
    unmatched = []
    for entry in found.unmatched:
        owners = len(sources.get(entry, ()))
        why = (
            f"{owners} people have a recording of that name: write PERSON/RECORDING"
            if owners
            else "is nobody, no film and no recording"
        )
        unmatched.append((entry, why))
    return Leaving(frozenset(gone), found.films, frozenset(recordings), tuple(unmatched))


def _full(row: Mapping[str, str]) -> str:
    return f"{row['speaker']}/{row['source']}"


def rewrite(corpus: Corpus, leaving: Leaving, out: Path, overwrite: bool) -> Corpus:
    """Write what stays to `out`. Raises ValueError if fewer than two people stay, or if the corpus is damaged."""
    staying = [number for number, row in enumerate(corpus.speakers) if row["speaker"] not in leaving.people]
    if len(staying) < 2:
        raise ValueError(f"{corpus.path}: {len(staying)} people would stay, two are wanted. Delete the folder instead.")
    corpus.verify()  # else damage would be given a checksum of its own
    info = corpus.info
    about = {key: info[key] for key in ("name", "source", "licence", "consent")}
    text = _without(about | {"extra": info.get("extra", {})}, _gone_names(corpus, leaving))
    before = info.get("extra", {}).get("removed", {})
    count = {"people": len(leaving.people), "recordings": len(leaving.recordings)}
    text["extra"]["removed"] = {key: number + before.get(key, 0) for key, number in count.items()}
    with (
        new_corpus_path(out, overwrite) as target,
        CorpusWriter(target, **text | {"name": info["name"]}, face_sizes=info["face_sizes"], face_box=info["face_box"]) as writer,
    ):
        _copy(corpus, leaving, staying, writer)
    return Corpus(out)


def _copy(corpus: Corpus, leaving: Leaving, staying: list[int], writer: CorpusWriter) -> None:
    speakers: dict[int, int] = {}
    for number in staying:
        row = dict(corpus.speakers[number])
        speakers[number] = writer.add_speaker(row.pop("speaker"), row.pop("split"), **row)
    owner = {row["speaker"]: number for number, row in reversed(list(enumerate(corpus.speakers)))}
    owners = [owner[row["speaker"]] for row in corpus.recordings]
    for index in (corpus.clips, corpus.faces):  # two people of one name are told apart by their numbers
        for recording, speaker in np.unique(index[["recording", "speaker"]]).tolist():
            owners[recording] = speaker
    recordings = {
        number: writer.add_recording(speakers[owners[number]], row["source"], row["split"], row.get("media", ""))
        for number, row in enumerate(corpus.recordings)
        if number not in leaving.recordings
    }
    faces: dict[int, int] = {}
    for face in Progress(range(len(corpus.faces)), "Copying faces", unit="face", leave=False):
        if (recording := recordings.get(int(corpus.faces["recording"][face]))) is not None:
            pictures = {size: corpus.pixels([face], size)[0] for size in corpus.face_sizes}
            faces[face] = writer.add_face(recording, pictures, _facts(corpus.face_facts, face))
    for clip in Progress(range(len(corpus.clips)), "Copying clips", unit="clip", leave=False):
        row = corpus.clips[clip]
        if (recording := recordings.get(int(row["recording"]))) is not None:
            writer.add_clip(recording, corpus.waveform(clip), faces.get(int(row["face"])), _facts(corpus.clip_facts, clip))


def _facts(table: np.ndarray | None, row: int) -> dict[str, float] | None:
    return None if table is None else dict(zip(table.dtype.names or (), table[row].tolist(), strict=True))


def _gone_names(corpus: Corpus, leaving: Leaving) -> set[str]:
    """Names of what goes that nothing has that stays."""

    def named(number: int) -> Iterator[str]:
        row = corpus.recordings[number]
        yield from (row["source"], row.get("media", ""))

    gone = {name for number in leaving.recordings for name in named(number)}
    stay = {name for number in range(len(corpus.recordings)) if number not in leaving.recordings for name in named(number)}
    theirs = [row for row in corpus.speakers if row["speaker"] in leaving.people]
    ids = {name for row in theirs for name in (row.get("name") or "", *(row.get("also") or "").split("; "))}
    return (gone - stay | leaving.people | leaving.films | ids) - {""}


def _without(content: Any, gone: Collection[str]) -> Any:
    """What JSON can say, without these names: keys and entries that are one go, in longer text it is replaced."""
    inside = sorted((name for name in gone if sum(map(str.isalpha, name)) >= SHORTEST), key=len, reverse=True)
    pattern = re.compile(r"(?<!\w)(" + "|".join(map(re.escape, inside)) + r")(?!\w)", re.IGNORECASE) if inside else None

    def scrubbed(value: Any) -> Any:
        if isinstance(value, dict):
            return {scrubbed(key): scrubbed(entry) for key, entry in value.items() if key not in gone}
        if isinstance(value, list | tuple):
            return [scrubbed(entry) for entry in value if not (isinstance(entry, str) and entry in gone)]
        return pattern.sub(REPLACEMENT, value) if pattern and isinstance(value, str) else value

    return scrubbed(content)


def _bystanders(corpus: Corpus, leaving: Leaving) -> int:
    """Recordings that stay, of films in which somebody was removed."""
    touched = {corpus.recordings[number].get("media") for number in leaving.recordings} - {"", None}
    return sum(row.get("media") in touched for number, row in enumerate(corpus.recordings) if number not in leaving.recordings)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `voxface prepare remove`."""
    parser.description = (
        "Write a corpus anew without the people, films or recordings of a list (a name a line), and audit it.\n"
        "Exit code 0: done; 1: done, but some lines name nothing; 2: a mistake in what was asked."
    )
    parser.add_argument(
        "corpus", metavar="CORPUS", type=Path, help="the corpus folder; it is replaced, once the new one is whole"
    )
    parser.add_argument("list", metavar="LIST", type=Path, help="a text file: a person, film or recording on each line")
    parser.add_argument("--out", metavar="PATH", type=Path, help="write there instead, and leave CORPUS as it is")


def main(args: argparse.Namespace) -> int:
    """Rewrite, print what went, and the new corpus' verdict. Exit code 1 if lines matched nothing, else 0."""
    corpus = Corpus(args.corpus.resolve())
    leaving = find(corpus, read_removed(args.list))
    for entry, why in leaving.unmatched:
        print(f"{args.list}: {printable(entry)}: {why}.")
    if not leaving.recordings and not leaving.people:
        print(f"{args.corpus}: nothing was removed.")
        return 1
    bystanders = _bystanders(corpus, leaving)
    out = args.out or corpus.path
    if args.out and args.out.resolve() == corpus.path:
        raise ValueError(f"--out: {args.out} is the corpus itself. Leave --out away to replace it.")
    new = rewrite(corpus, leaving, out, overwrite=args.out is None)
    print(
        f"Removed {len(leaving.people)} people and {len(leaving.recordings)} recordings: "
        f"{len(corpus.clips) - len(new.clips)} clips, {len(corpus.faces) - len(new.faces)} faces. Wrote {out}, "
        f"{len(new.speakers)} people, checksum {new.checksum}."
    )
    if bystanders:
        print(
            f"{bystanders} recordings that stay are cut from films in which somebody was removed: heard or seen there, perhaps. "
            "Name the film to remove them, too."
        )
    if args.out:
        print(f"{args.corpus} was left as it is, and holds all of it.")
    for left in sorted(path for path in out.parent.glob(f".{out.name}.*") if path.is_dir()):
        print(f"{left}: left by a preparation that was stopped, and may hold what was removed. Delete it.")
    print(
        f"Models trained on the corpus as it was name its checksum, {corpus.checksum}: they still hold what they learnt. So may "
        f"folders of work, earlier audits, drawn sheets, and the cache ({cache_folder()})."
    )
    if empty := [
        split for number, split in enumerate(SPLITS) if number in corpus.clips["split"] and number not in new.clips["split"]
    ]:
        print(f"Splits without a clip now: {', '.join(empty)}.")
    findings = examine(new, quick=True)
    keep(new, findings)
    print(f"Audit: {verdict(findings)}")
    return 1 if leaving.unmatched else 0
