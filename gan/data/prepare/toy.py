"""The toy world as a corpus: speakers drawn from a seed, their faces rendered, their voices synthesised.

Each speaker is rendered from its own random stream, so the corpus is the same however many processes share the work.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np

from evaluation.progress import Progress
from gan.data.toy.faces import BACKGROUNDS, FACE_BOX, draw_picture, render_face
from gan.data.toy.speakers import Speaker, draw_speaker
from gan.data.toy.voices import draw_recording, synthesise
from gan.data.writer import CorpusWriter

# Stands for every byte of a world in the names of caches and of sweeps' cells. Another whenever those bytes change.
WORLD_VERSION = "f9469eea"
T = TypeVar("T")
R = TypeVar("R")
FACE_SIZES = (64, 128)  # px; the largest is rendered, the writer makes the smaller ones of it


@dataclass(frozen=True)
class Size:
    """How much of a world is rendered. A training speaker's last two recordings are val_speech and unseen_speech."""

    train: int  # speakers
    val_speaker: int
    unseen_speaker: int
    clip_seconds: float
    recordings: int = 5  # a speaker
    clips: int = 2  # a recording, as many faces


SIZES = {
    "tiny": Size(train=12, val_speaker=4, unseen_speaker=4, clip_seconds=4.0),
    "demo": Size(train=60, val_speaker=10, unseen_speaker=20, clip_seconds=10.0),
    "bench": Size(train=400, val_speaker=40, unseen_speaker=300, clip_seconds=10.0),
}


@dataclass(frozen=True)
class _Session:
    """One recording of a speaker: a clip and the face aligned with it, several times."""

    faces: list[np.ndarray]
    clips: list[np.ndarray]


def prepare_toy(
    path: str | Path,
    size: str = "demo",
    seed: int = 0,
    coupling: float = 1.0,
    background: str = "white",
    processes: int | None = None,
    face_sizes: Sequence[int] = FACE_SIZES,
) -> None:
    """Write the toy world `seed` to the folder path.

    size: tiny, demo or bench. coupling in [0, 1]: see gan/data/toy/speakers.py. background: white or textured.
    processes: that render side by side; by default 2 for worlds worth it. The corpus does not depend on it. face_sizes in px.
    Raises ValueError for an unknown size or background, a coupling outside [0, 1], or a path that exists.
    """
    if size not in SIZES:
        raise ValueError(f"size: {size} is unknown. Have: {', '.join(SIZES)}.")
    if background not in BACKGROUNDS:
        raise ValueError(f"background: {background} is unknown. Have: {', '.join(BACKGROUNDS)}.")
    world = SIZES[size]
    splits = ["train"] * world.train + ["val_speaker"] * world.val_speaker + ["unseen_speaker"] * world.unseen_speaker
    speakers = [draw_speaker(seed, index, coupling) for index in range(len(splits))]
    render = partial(_render_speaker, world=world, seed=seed, background=background, face_size=max(face_sizes))
    if processes is None:
        processes = 2 if len(splits) > 50 else 1
    extra = {"toy": {"size": size, "seed": seed, "coupling": coupling, "background": background, **asdict(world)}}
    called = f"toy-{size}" if background == BACKGROUNDS[0] else f"toy-{size}-{background}"
    with (
        CorpusWriter(
            path,
            name=called,
            source=f"voxface toy world, seed {seed}, coupling {coupling:g}",
            licence="CC0-1.0",
            consent="None needed: faces and voices are synthetic, of nobody.",
            face_sizes=face_sizes,
            face_box=FACE_BOX,
            extra=extra,
        ) as writer,
        _mapped(render, list(enumerate(speakers)), processes) as rendered,
    ):
        progress = Progress(rendered, desc=f"toy:{size}", total=len(splits), unit="speaker")
        for index, sessions in enumerate(progress):
            # The same person has the same name in every world of a seed, and nobody else has it.
            _write_speaker(writer, f"toy{seed or ''}-{index:04d}", splits[index], speakers[index], sessions)


def _write_speaker(writer: CorpusWriter, name: str, split: str, speaker: Speaker, sessions: list[_Session]) -> None:
    row = writer.add_speaker(name, split, **speaker.to_row())
    for number, session in enumerate(sessions):
        held_out = number - len(sessions)  # -2 and -1 are the last two
        part = {-2: "val_speech", -1: "unseen_speech"}.get(held_out, "train") if split == "train" else split
        recording = writer.add_recording(row, f"{name}-{number}", part)
        for face, clip in zip(session.faces, session.clips, strict=True):
            writer.add_clip(recording, clip, face=writer.add_face(recording, face))


def _render_speaker(numbered: tuple[int, Speaker], world: Size, seed: int, background: str, face_size: int) -> list[_Session]:
    index, speaker = numbered
    return [
        _render_session(speaker, np.random.default_rng([seed, index, 1 + number]), world, background, face_size)
        for number in range(world.recordings)
    ]


def _render_session(speaker: Speaker, rng: np.random.Generator, world: Size, background: str, face_size: int) -> _Session:
    recording = draw_recording(rng)
    faces = [render_face(speaker, draw_picture(rng, background), face_size) for _ in range(world.clips)]
    return _Session(faces, [synthesise(speaker, recording, world.clip_seconds, rng) for _ in range(world.clips)])


@contextmanager
def _mapped(function: Callable[[T], R], items: Sequence[T], processes: int) -> Iterator[Iterator[R]]:
    """function over items, in order, in as many processes as asked; one process is this one."""
    if processes == 1:
        yield map(function, items)
        return
    # Spawned, not forked: the caller may hold threads of torch. An executor, not a Pool, which would start anew, without end,
    # processes that cannot begin.
    executor = ProcessPoolExecutor(processes, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        yield executor.map(function, items)
    except BrokenProcessPool:
        raise ValueError(
            "toy world: the processes that render it ended at once. A script that opens one needs its own "
            'code below `if __name__ == "__main__":`, as every Python program that starts processes does.'
        ) from None
    finally:
        executor.shutdown(cancel_futures=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `voxface prepare toy`."""
    parser.add_argument("size", nargs="?", choices=SIZES, default="demo", help="how much of a world (default: demo)")
    parser.add_argument("--seed", type=int, default=0, help="which world (default: 0)")
    parser.add_argument(
        "--coupling",
        type=float,
        default=1.0,
        help="0 to 1: how far voices tell of faces; at 0 nothing about an unseen speaker can be learned (default: 1)",
    )
    parser.add_argument("--background", choices=BACKGROUNDS, default="white", help="behind the heads (default: white)")
    parser.add_argument(
        "--face-sizes",
        nargs="+",
        type=int,
        default=list(FACE_SIZES),
        metavar="PX",
        help="sizes at which every face is stored, in pixels (default: 64 128)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="the folder to write (default: corpora/toy-<size>, or toy-report)"
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="instead of a corpus, measure the world against its acceptance table with real detectors, "
        "and write the table, a picture sheet and a few voices",
    )


def main(args: argparse.Namespace) -> int:
    """`voxface prepare toy`; returns the exit code."""
    path = args.out or Path("corpora") / f"toy-{args.size}"
    path.parent.mkdir(parents=True, exist_ok=True)
    prepare_toy(path, args.size, args.seed, args.coupling, args.background, face_sizes=args.face_sizes)
    print(f"Wrote {path}. Train on it with data.corpus={path}")
    return 0
