"""voxface prepare remove: a corpus without the people, films or recordings of a removal list.

The list holds a name a line; empty lines and those that begin with # are passed over. A line names

    a person      spelled as in speakers.csv, or otherwise but for accents, case and signs; or by a column that ends in id or name
    a film        exactly, as in the column media of recordings.csv: every recording cut from it goes, whoever speaks
    a recording   exactly, as in the column source; as PERSON/RECORDING where several people have one of that name

The corpus is written anew from what stays, so nothing of what goes is left in any of its files.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Iterator
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
from gan.raw import names

IDENTIFYING = re.compile(r"(id|name)$", re.IGNORECASE)  # columns of speakers.csv by which a person may be named, too
REPLACEMENT = "[removed]"
SHORTEST = 3  # letters of a name that is looked for inside other text


@dataclass(frozen=True)
class Removal:
    """What a list takes out of a corpus.

    people: names of those who go. films: that go whole. recordings: numbers of all that go. unmatched: (line, name, reason).
    """

    people: frozenset[str]
    films: frozenset[str]
    recordings: frozenset[int]
    unmatched: tuple[tuple[int, str, str], ...]


def read_list(path: Path) -> list[tuple[int, str]]:
    """Lines with their numbers. Raises ValueError if the file cannot be read as text, or names nothing."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({str(error).splitlines()[0]}). Give a text file in UTF-8.") from None
    named = [(number, names.keep(line)) for number, line in enumerate(lines, 1)]
    named = [(number, name) for number, name in named if name and not name.startswith("#")]
    if not named:
        raise ValueError(f"{path}: names nobody. Write a person, film or recording on each line.")
    return named


def find(corpus: Corpus, wanted: list[tuple[int, str]]) -> Removal:
    """What the lines name in a corpus. A person who loses every recording goes, too."""
    people: dict[str, set[str]] = {}
    for row in corpus.speakers:
        people.setdefault(names.fold(row["speaker"]), set()).add(row["speaker"])
        for column, value in row.items():
            if column not in ("speaker", "split") and value and IDENTIFYING.search(column):
                people.setdefault(names.fold(value), set()).add(row["speaker"])
    of_film: dict[str, set[int]] = {}
    of_source: dict[str, set[int]] = {}
    of_person: dict[str, set[int]] = {}
    for number, row in enumerate(corpus.recordings):
        speaker, source = row["speaker"], names.keep(row["source"])
        of_person.setdefault(speaker, set()).add(number)
        if row.get("media"):
            of_film.setdefault(names.keep(row["media"]), set()).add(number)
        for name in (source, f"{names.keep(speaker)}/{source}"):
            of_source.setdefault(name, set()).add(number)
    gone, films, recordings = set[str](), set[str](), set[int]()
    unmatched = []
    for line, name in wanted:
        found = people.get(names.fold(name), set())
        gone |= found
        pieces = of_source.get(name, set())
        owners = {corpus.recordings[number]["speaker"] for number in pieces}
        if name in of_film:
            films.add(name)
            recordings |= of_film[name]
        elif len(owners) > 1 and not found:
            unmatched.append((line, name, f"{len(owners)} people have a recording of that name: write PERSON/RECORDING"))
        elif len(owners) == 1:
            recordings |= pieces
        elif not found:
            unmatched.append((line, name, "nobody, no film and no recording of that name"))
    for speaker, theirs in of_person.items():
        if speaker in gone:
            recordings |= theirs
        elif theirs <= recordings:
            gone.add(speaker)
    return Removal(frozenset(gone), frozenset(films), frozenset(recordings), tuple(unmatched))


def rewrite(corpus: Corpus, removal: Removal, out: Path, overwrite: bool) -> Corpus:
    """Write what stays to `out`. Raises ValueError if fewer than two people stay, or if the corpus is damaged."""
    staying = [number for number, row in enumerate(corpus.speakers) if row["speaker"] not in removal.people]
    if len(staying) < 2:
        raise ValueError(f"{corpus.path}: {len(staying)} people would stay, two are wanted. Delete the folder instead.")
    corpus.verify()  # else damage would be given a checksum of its own
    info = corpus.info
    about = {key: info[key] for key in ("name", "source", "licence", "consent")}
    text = _without(about | {"extra": info["extra"]}, _gone_names(corpus, removal))
    before = info["extra"].get("removed", {})
    count = {"people": len(removal.people), "recordings": len(removal.recordings)}
    text["extra"]["removed"] = {key: number + before.get(key, 0) for key, number in count.items()}
    with (
        new_corpus_path(out, overwrite) as target,
        CorpusWriter(target, **text | {"name": info["name"]}, face_sizes=info["face_sizes"], face_box=info["face_box"]) as writer,
    ):
        _copy(corpus, removal, staying, writer)
    return Corpus(out)


def _copy(corpus: Corpus, removal: Removal, staying: list[int], writer: CorpusWriter) -> None:
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
        if number not in removal.recordings
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


def _gone_names(corpus: Corpus, removal: Removal) -> set[str]:
    """Names of what goes that nothing has that stays."""

    def named(number: int) -> Iterator[str]:
        row = corpus.recordings[number]
        yield from (row["source"], row.get("media", ""))

    gone = {name for number in removal.recordings for name in named(number)}
    stay = {name for number in range(len(corpus.recordings)) if number not in removal.recordings for name in named(number)}
    ids = {
        value
        for row in corpus.speakers
        if row["speaker"] in removal.people
        for column, value in row.items()
        if column != "split" and IDENTIFYING.search(column)
    }
    return (gone - stay | removal.people | removal.films | ids) - {""}


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


def _bystanders(corpus: Corpus, removal: Removal) -> int:
    """Recordings that stay, of films in which somebody was removed."""
    touched = {corpus.recordings[number].get("media") for number in removal.recordings} - {"", None}
    return sum(row.get("media") in touched for number, row in enumerate(corpus.recordings) if number not in removal.recordings)


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
    removal = find(corpus, read_list(args.list))
    for line, name, reason in removal.unmatched:
        print(f"{args.list}, line {line}: {name}: {reason}.")
    if not removal.recordings and not removal.people:
        print(f"{args.corpus}: nothing was removed.")
        return 1
    bystanders = _bystanders(corpus, removal)
    out = args.out or corpus.path
    if args.out and args.out.resolve() == corpus.path:
        raise ValueError(f"--out: {args.out} is the corpus itself. Leave --out away to replace it.")
    new = rewrite(corpus, removal, out, overwrite=args.out is None)
    print(
        f"Removed {len(removal.people)} people and {len(removal.recordings)} recordings: "
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
    return 1 if removal.unmatched else 0
