"""Wav2Pix's corpus of YouTube presenters -> corpus, split so that no sound or picture is on both sides.

    <split>/<identity>/preprocessed_frame_N.wav      one second of 16 kHz mono speech
    <split>/<identity>/cropped_face_frame_N.png      the face seen then: JPEG data, red and blue exchanged

The published split was made picture by picture, although the sounds of pictures a few seconds apart overlap, so much of
the test sound is in the training folder too. No recording is named, so recordings are found: pairs
belong to one recording if they share a run of 512 samples (shared_audio.py), or hold the same picture, or are near in
number. Whole recordings are then shared out.

What nearness in number means was measured on real files (docs/data.md). Numbers run on over the whole folder, five to a
picture (its cuts), but the pictures are in no order of time: cuts that overlap lie 45, 810 and 1,275 numbers apart, and
neighbours are of as different scenes as any two. So the five cuts of one picture (N // 5) belong together, and a wider
nearness, which would chain the whole of a full folder together, is off unless asked for (`near`).

Layout: Wav2Pix (Duarte et al., ICASSP 2019), https://github.com/imatge-upc/wav2pix (no code of it is used).
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from evaluation.progress import Progress
from gan.data.audio import read_sound, to_int16
from gan.data.pictures import read_face, read_picture
from gan.data.prepare import add_output_arguments, new_corpus_path
from gan.data.prepare.shared_audio import Groups, SharedAudio
from gan.data.prepare.splits import check_fractions, split_recordings
from gan.data.writer import CorpusWriter
from gan.raw.recording import Clip, Face, Recording
from gan.raw.write import write

AUDIO_NAME = re.compile(r"preprocessed_frame_(\d+)\.wav")
FACE_NAME = "cropped_face_frame_{}.png"
LAYOUT = "<split>/<identity>/preprocessed_frame_N.wav with cropped_face_frame_N.png beside it"
CUTS_PER_FACE = 5
# How a published folder is called here when its split is kept.
KEPT_SPLITS = {"train": "train", "test": "unseen_speech"}


@dataclass(frozen=True)
class Pair:
    """One wav file and the face of the same number."""

    folder: str
    speaker: str
    number: int
    audio: Path
    face: Path


@dataclass(frozen=True)
class Report:
    """What was found and where it went. str(report) is what the command prints."""

    folder: str
    pairs: int
    faces: int  # pictures that differ
    recordings: dict[str, list[int]]  # speaker -> clips of each recording, largest first
    joined_across_folders: int  # recordings that the published split cut in two
    shared_between_speakers: int  # recordings with clips of more than one speaker
    clips: dict[str, dict[str, int]]  # split -> speaker -> clips
    test_in_train: dict[str, float] | None  # of the published split; None without folders train and test
    kept_split: bool
    said: dict[str, int]  # what there is to say of files that were stored -> how many
    bad: list[tuple[str, str]] = field(default_factory=list)  # (file, reason): left out

    def __str__(self) -> str:
        sizes = sorted((size for each in self.recordings.values() for size in each), reverse=True)
        lines = [
            f"{self.folder}: {self.pairs} pairs, {self.faces} different faces, {len(self.recordings)} speakers.",
            f"Recordings: {len(sizes)}, of {sizes[0]} clips at most; {self.joined_across_folders} lie in several "
            f"of the published folders, {self.shared_between_speakers} hold more than one speaker.",
        ]
        if self.test_in_train:
            lines.append(
                "Published split: {samples:.1%} of the test audio occurs sample for sample in the training "
                "folder ({clips:.0f} of {of:.0f} test clips).".format(**self.test_in_train)
            )
        splits = [split for split in ("train", "val_speech", "unseen_speech") if self.clips.get(split)]
        width = max(map(len, self.recordings))
        lines.append(f"{'clips':{width}}  recordings  " + "  ".join(splits))
        for speaker, each in self.recordings.items():
            row = "  ".join(f"{self.clips[split].get(speaker, 0):{len(split)}}" for split in splits)
            lines.append(f"{speaker:{width}}  {len(each):10}  {row}")
        if self.kept_split:
            lines.append("The published split was kept: figures on unseen_speech are not of unseen speech.")
        else:
            for speaker, each in self.recordings.items():
                if not self.clips.get("unseen_speech", {}).get(speaker):
                    lines.append(
                        f"{speaker}: no unseen_speech. Its largest recording holds {each[0]} of {sum(each)} "
                        "clips, and recordings are never cut."
                    )
        lines += [f"{count} files: {note}." for note, count in self.said.items()]
        lines += [f"left out: {file}: {reason}" for file, reason in self.bad]
        return "\n".join(lines)


def prepare_youtubers(
    folder: str | Path,
    out: str | Path,
    *,
    val_fraction: float = 0.1,
    unseen_fraction: float = 0.2,
    seed: int = 0,
    near: int = 0,
    keep_split: bool = False,
    swap_red_blue: bool = True,
    face_sizes: tuple[int, ...] = (64, 128),
    overwrite: bool = False,
) -> Report:
    """Read `folder` in the layout above, write the corpus `out`, and say what became of what.

    val_fraction, unseen_fraction: shares of each speaker's clips to hold out, in whole recordings, drawn by seed.
    near: pairs of one speaker and folder whose numbers differ by at most this are one recording. 0: only the cuts of
    one picture are near in number.
    keep_split: published train -> train, test -> unseen_speech, whatever they share; to audit how much that flatters.
    swap_red_blue: the picture files hold blue where red belongs.
    Equal pictures of one recording are stored once; every clip points to the face of its number (pairing `aligned`).
    Raises ValueError if the folder holds no such pairs, or `out` exists and overwrite is not given.
    """
    check_fractions(val_fraction=val_fraction, unseen_fraction=unseen_fraction)
    root = Path(folder)
    with new_corpus_path(out, overwrite) as target:
        (pairs, bad), said = _find_pairs(root), Counter[str]()
        if keep_split and (unknown := sorted({pair.folder for pair in pairs} - set(KEPT_SPLITS))):
            raise ValueError(f"{root}: --keep-split knows the folders train and test, but {unknown[0]} is there too.")
        pairs, waveforms, face_keys = _read(pairs, bad, said, swap_red_blue)
        groups, test_in_train = _recordings(pairs, waveforms, face_keys, near)
        blocks = groups.members()
        if keep_split:
            split_of = [KEPT_SPLITS[pair.folder] for pair in pairs]
        else:
            chosen = split_recordings(
                [Counter(pairs[p].speaker for p in block) for block in blocks], val_fraction, unseen_fraction, seed
            )
            split_of = [""] * len(pairs)
            for block, split in zip(blocks, chosen, strict=True):
                for p in block:
                    split_of[p] = split
        report = _report(root, pairs, blocks, split_of, face_keys, test_in_train, keep_split, said, bad)
        extra = {
            "prepared_by": "youtubers",
            "report": asdict(report),
            "options": dict(
                val_fraction=val_fraction,
                unseen_fraction=unseen_fraction,
                seed=seed,
                near=near,
                keep_split=keep_split,
                swap_red_blue=swap_red_blue,
            ),
        }
        with CorpusWriter(
            target,
            name=Path(out).name,
            source="Wav2Pix's YouTube presenters (Duarte et al., ICASSP 2019)",
            licence="not stated by its publishers; the videos belong to their makers. For research only.",
            consent="none recorded: public videos of presenters, collected without asking them.",
            face_sizes=face_sizes,
            extra=extra,
        ) as writer:
            recordings = _recordings_of(pairs, waveforms, face_keys, split_of, blocks, swap_red_blue)
            write(writer, recordings, dict.fromkeys(sorted({pair.speaker for pair in pairs}), "train"), {})
    return report


def _find_pairs(root: Path) -> tuple[list[Pair], list[tuple[str, str]]]:
    """Pairs ordered by folder, speaker and number, and the wav files that have no face."""
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder.")
    pairs, bad = [], []
    files = {path.with_name(path.name.lower()): path for path in root.glob("*/*/*")}  # endings may be in capitals
    for name, audio in files.items():
        found = AUDIO_NAME.fullmatch(name.name)
        if found:
            face = audio.with_name(FACE_NAME.format(found[1]))
            face = files.get(face, face)
            pair = Pair(audio.parts[-3], audio.parts[-2], int(found[1]), audio, face)
            if face.is_file():
                pairs.append(pair)
            else:
                bad.append((str(audio), f"has no face: {face.name} is missing."))
    if not pairs:
        raise ValueError(f"{root}: holds no pairs laid out as {LAYOUT}.")
    return sorted(pairs, key=lambda pair: (pair.folder, pair.speaker, pair.number)), sorted(bad)


def _read(
    pairs: list[Pair], bad: list[tuple[str, str]], said: Counter[str], swap_red_blue: bool
) -> tuple[list[Pair], list[np.ndarray], list[str]]:
    """The pairs that can be read, their int16 waveforms, the digests of their pictures' bytes. The others go to bad."""
    good, waveforms, face_keys = [], [], []
    readable: dict[str, str | None] = {}  # digest of a picture -> why it cannot be read
    for pair in Progress(pairs, "Reading", unit="pair"):
        path = pair.audio
        try:
            sound, note = read_sound(path)
            waveform = to_int16(sound)
            said.update([note] if note else [])
            path = pair.face
            key = hashlib.sha256(path.read_bytes()).hexdigest()
            if key not in readable:
                try:
                    note = read_picture(path, swap_red_blue)[1]
                    said.update([note] if note else [])
                    readable[key] = None
                except ValueError as error:
                    readable[key] = str(error)
            if readable[key] is not None:
                raise ValueError(readable[key])
        except (ValueError, OSError) as error:
            bad.append((str(path), str(error).removeprefix(f"{path}: ")))
            continue
        good.append(pair)
        waveforms.append(waveform)
        face_keys.append(key)
    if not good:
        raise ValueError(
            f"{pairs[0].audio.parents[2]}: not one of {len(pairs)} pairs can be read. First: {bad[-1][0]}: {bad[-1][1]}"
        )
    return good, waveforms, face_keys


def _recordings(
    pairs: list[Pair], waveforms: list[np.ndarray], face_keys: list[str], near: int
) -> tuple[Groups, dict[str, float] | None]:
    """Pairs joined into recordings; and how much of the published test sound is in the published training folder."""
    groups = Groups(len(pairs))
    groups.join_equal(face_keys)
    groups.join_equal((pair.folder, pair.speaker, pair.number // CUTS_PER_FACE) for pair in pairs)
    for p in range(1, len(pairs)):  # ordered by number inside a folder, so that neighbours are enough
        before, pair = pairs[p - 1], pairs[p]
        if (before.folder, before.speaker) == (pair.folder, pair.speaker) and pair.number - before.number <= near:
            groups.join(p - 1, p)
    sound = SharedAudio(waveforms)
    sound.join(groups)
    train, test = ([p for p, pair in enumerate(pairs) if pair.folder == name] for name in KEPT_SPLITS)
    if not train or not test:
        return groups, None
    covered = sound.found_elsewhere(test, train)
    return groups, {
        "samples": float(sum(c.sum() for c in covered.values()) / sum(len(c) for c in covered.values())),
        "clips": float(sum(c.any() for c in covered.values())),
        "of": float(len(test)),
    }


def _report(
    root: Path,
    pairs: list[Pair],
    blocks: list[list[int]],
    split_of: list[str],
    face_keys: list[str],
    test_in_train: dict[str, float] | None,
    kept_split: bool,
    said: Counter[str],
    bad: list[tuple[str, str]],
) -> Report:
    speakers = sorted({pair.speaker for pair in pairs})
    by_block = [Counter(pairs[p].speaker for p in block) for block in blocks]
    clips: dict[str, dict[str, int]] = {}
    for pair, split in zip(pairs, split_of, strict=True):
        row = clips.setdefault(split, {})
        row[pair.speaker] = row.get(pair.speaker, 0) + 1
    return Report(
        root.name,
        len(pairs),
        len(set(face_keys)),
        {s: sorted((b[s] for b in by_block if s in b), reverse=True) for s in speakers},
        sum(len({pairs[p].folder for p in block}) > 1 for block in blocks),
        sum(len(b) > 1 for b in by_block),
        clips,
        test_in_train,
        kept_split,
        dict(said),
        bad,
    )


def _recordings_of(
    pairs: list[Pair],
    waveforms: list[np.ndarray],
    face_keys: list[str],
    split_of: list[str],
    blocks: list[list[int]],
    swap_red_blue: bool,
) -> list[Recording]:
    """One found recording is several stored ones where speakers or kept splits differ. Every clip has its own face."""
    made: dict[tuple[int, str, str], Recording] = {}
    for block, members in enumerate(blocks):
        for p in members:
            pair, split = pairs[p], split_of[p]
            name = f"{pair.folder}/{pair.speaker}/{pair.number}"
            recording = made.setdefault((block, pair.speaker, split), Recording(pair.speaker, name, "", split=split))
            recording.faces.append(Face(str(pair.face), partial(read_face, pair.face, swap_red_blue), face_keys[p]))
            samples = waveforms[p]
            recording.clips.append(
                Clip(str(pair.audio), partial(np.asarray, samples), len(samples), "", face=len(recording.faces) - 1)
            )
    return list(made.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `voxface prepare youtubers`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        f"Read Wav2Pix's corpus of YouTube presenters, laid out as\n  {LAYOUT},\nand split it by "
        "recording. Recordings are found by exact runs of shared sound, equal pictures and numbers.\n"
        "In the full corpus the published split has most of its test sound in its training folder."
    )
    parser.add_argument("folder", metavar="FOLDER", help="the folder that holds train/ and test/")
    add_output_arguments(parser)
    parser.add_argument(
        "--val-fraction", type=float, default=0.1, metavar="F", help="share of each speaker's clips for val_speech (default: 0.1)"
    )
    parser.add_argument(
        "--unseen-fraction",
        type=float,
        default=0.2,
        metavar="F",
        help="share of each speaker's clips for unseen_speech (default: 0.2)",
    )
    parser.add_argument("--seed", type=int, default=0, help="draws which recordings are held out (default: 0)")
    parser.add_argument(
        "--near",
        type=int,
        default=0,
        metavar="N",
        help="numbers of one speaker and folder that differ by at most N are one recording "
        "(default: 0, only the five cuts of a picture: the numbers do not follow time)",
    )
    parser.add_argument(
        "--keep-split",
        action="store_true",
        help="keep the published split (test becomes unseen_speech), to measure what its leak is worth",
    )
    parser.add_argument(
        "--no-swap-red-blue", dest="swap_red_blue", action="store_false", help="the pictures are already in RGB order"
    )


def main(args: argparse.Namespace) -> int:
    """Prepare, print the report. Exit code 1 if files were left out, else 0."""
    out = Path(args.out) if args.out else Path("corpora") / Path(args.folder).resolve().name
    report = prepare_youtubers(
        args.folder,
        out,
        val_fraction=args.val_fraction,
        unseen_fraction=args.unseen_fraction,
        seed=args.seed,
        near=args.near,
        keep_split=args.keep_split,
        overwrite=args.overwrite,
        swap_red_blue=args.swap_red_blue,
        face_sizes=tuple(args.face_sizes),
    )
    print(report)
    print(f"Wrote {out}")
    return 1 if report.bad else 0
