"""Samples per second of the loader on one core, and the cost of opening a corpus of a million clips.

    python -m benchmarks.loader
    python -m benchmarks.loader --million

A sample is a crop of 1.25 s of speech and two faces, the speaker's and another's, as float32; the corpus lies in the page cache.
The million clips are a synthetic index, 80 GB of audio and 5 GB of faces as sparse files that occupy next to nothing; a fresh
process opens it, builds Batches and draws one batch. Memory is read from /proc, so this part needs Linux.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.lib import format as npy
from tqdm import trange

from benchmarks.record import RESULTS, quartiles, record
from gan.data.corpora import open_corpus
from gan.data.corpus import CLIP, FACE, SAMPLE_RATE_HZ, SCHEMA_VERSION, SPLITS, Corpus
from gan.data.dataset import Batches

SECONDS = 1.25
BATCH_SIZE = 64
CLIPS_A_SHARD, CLIP_SAMPLES = 100_000, 40_000


def batches(corpus: Corpus, face_size: int) -> Batches:
    return Batches(
        corpus,
        pairing="identity",
        clip_seconds=(SECONDS, SECONDS),
        batch_size=BATCH_SIZE,
        seed=0,
        face_size=face_size,
        pixel_space="unit",
        mismatched=True,
    )


def speed(corpus: Corpus, face_size: int, repetitions: int, steps: int = 20) -> dict[str, list[float]]:
    """Quartiles of samples a second: by the clock, and a second of this process's own processor time.

    The two agree on a quiet machine; on a busy one the second says what a core of its own would give.
    """
    source = batches(corpus, face_size)
    for step in range(2 * steps):  # not counted
        held = source[step]
    clock, processor = [], []
    for repetition in trange(repetitions, desc=f"{face_size} px", disable=None, leave=False):
        began, worked = time.perf_counter(), time.process_time()
        for step in range(repetition * steps, (repetition + 1) * steps):
            held = source[step]  # as in training, a batch lives until the next one is there
        clock.append(steps * BATCH_SIZE / (time.perf_counter() - began))
        processor.append(steps * BATCH_SIZE / (time.process_time() - worked))
    del held
    return {"samples_per_second": quartiles(clock), "samples_per_processor_second": quartiles(processor)}


def into_page_cache(corpus: Corpus, face_size: int) -> None:
    for path in [*corpus.path.glob("audio-*.npy"), *corpus.path.glob(f"faces-{face_size}-*.npy")]:
        with open(path, "rb") as file:
            while file.read(1 << 24):
                pass


def write_synthetic(path: Path, num_clips: int, num_speakers: int, faces_a_speaker: int = 40) -> None:
    """A corpus in the store's format with everything but content: clips of 2.5 s, faces of 64 px, all sparse zeros.

    One speaker in ten belongs to a test split, and one recording in ten of the others. Rows stand in no order: sorting them is
    then as slow as it gets.
    """
    path.mkdir()
    split_of_speaker = np.where(np.arange(num_speakers) % 10 == 9, SPLITS.index("unseen_speaker"), 0).astype("u1")
    clips, faces = np.zeros(num_clips, CLIP), np.zeros(num_speakers * faces_a_speaker, FACE)
    for index, shard_rows in ((clips, CLIPS_A_SHARD), (faces, len(faces))):
        rows = np.random.default_rng(0).permutation(len(index))
        index["speaker"] = rows * num_speakers // len(index)
        index["recording"] = rows // 10
        index["shard"] = np.arange(len(index)) // shard_rows
        held_out = (split_of_speaker[index["speaker"]] == 0) & (index["recording"] % 10 == 0)
        index["split"] = np.where(held_out, SPLITS.index("unseen_speech"), split_of_speaker[index["speaker"]])
    clips["offset"] = np.arange(num_clips) % CLIPS_A_SHARD * CLIP_SAMPLES
    clips["length"], clips["face"] = CLIP_SAMPLES, -1
    faces["row"] = np.arange(len(faces))
    np.save(path / "clips.npy", clips)
    np.save(path / "faces.npy", faces)
    shards = -(-num_clips // CLIPS_A_SHARD)
    for shard in range(shards):
        _sparse(path / f"audio-{shard:05d}.npy", np.dtype("<i2"), (CLIPS_A_SHARD * CLIP_SAMPLES,))
    _sparse(path / "faces-64-00000.npy", np.dtype("u1"), (len(faces), 64, 64, 3))
    with open(path / "speakers.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["speaker", "split"])
        table.writerows((f"speaker-{number:06d}", SPLITS[split]) for number, split in enumerate(split_of_speaker))
    (path / "corpus.json").write_text(
        json.dumps(
            dict(
                schema_version=SCHEMA_VERSION,
                name="synthetic",
                checksum="",
                sample_rate_hz=SAMPLE_RATE_HZ,
                face_sizes=[64],
                face_box=[0, 0, 1, 1],
                audio_shards=shards,
                face_shards=1,
            )
        )
    )


def _sparse(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    with open(path, "wb") as file:
        npy.write_array_header_1_0(file, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + dtype.itemsize * int(np.prod(shape, dtype=np.int64)))


def opening(path: Path) -> dict[str, float]:
    """Seconds and growth of resident memory, at its highest, of opening a corpus, building Batches and drawing a batch."""
    torch.set_num_threads(1)
    before = _resident_mb("VmRSS")
    began = time.perf_counter()
    source = batches(Corpus(path), 64)
    opened = time.perf_counter()
    source[0]
    return {
        "seconds_to_open": round(opened - began, 3),
        "seconds_to_first_batch": round(time.perf_counter() - began, 3),
        "resident_growth_mb": round(_resident_mb("VmHWM") - before, 1),
    }


def _resident_mb(which: str) -> float:
    """VmRSS: resident now; VmHWM: resident at its highest. This process's."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/self/status: no {which}. This part needs Linux.")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loader", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", default="toy:demo", help="a prepared folder or a toy world (default %(default)s)")
    parser.add_argument("--face-sizes", type=int, nargs="+", default=[64, 128], metavar="PX", help="default 64 128")
    parser.add_argument("--repetitions", type=int, default=30, help="of 20 batches each (default %(default)s)")
    parser.add_argument("--million", action="store_true", help="instead: open a synthetic corpus of --clips clips")
    parser.add_argument("--clips", type=int, default=1_000_000, help="default %(default)s")
    parser.add_argument("--speakers", type=int, default=6_000, help="default %(default)s")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to append to (default: benchmarks/results.jsonl)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.million:
        with tempfile.TemporaryDirectory() as folder:
            write_synthetic(Path(folder) / "corpus", options.clips, options.speakers)
            # A process of its own: what this one allocated and freed before would hide the growth.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                figures = pool.apply(opening, (Path(folder) / "corpus",))
        record("opening", dict(clips=options.clips, speakers=options.speakers, **figures), options.results)
        return
    corpus = open_corpus(options.corpus)
    for size in options.face_sizes:
        into_page_cache(corpus, size)
        record(
            "loader",
            dict(
                corpus=corpus.name,
                face_size=size,
                clip_seconds=SECONDS,
                batch_size=BATCH_SIZE,
                repetitions=options.repetitions,
                **speed(corpus, size, options.repetitions),
            ),
            options.results,
        )


if __name__ == "__main__":
    main()
