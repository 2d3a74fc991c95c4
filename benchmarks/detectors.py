"""How much sooner two worker processes find the faces than one: pictures a second, on pictures none of which is in the cache.

    python -m benchmarks.detectors

Toy faces, all different, and dlib's CNN detector, which gains nothing from batches. Starting the workers counts.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
from tqdm import tqdm

from benchmarks.record import RESULTS, quartiles, ratios, record
from evaluation.cache import VARIABLE
from evaluation.detectors.base import Detector
from gan.build import build
from gan.data.toy.faces import draw_picture, render_face
from gan.data.toy.speakers import draw_speaker


def distinct_faces(count: int, size: int) -> np.ndarray:
    """uint8 (count, size, size, 3), each of another toy speaker."""
    random = np.random.default_rng(0)
    return np.stack([render_face(draw_speaker(0, one), draw_picture(random), size) for one in range(count)])


def seconds(
    detectors: dict[str, Detector], faces: np.ndarray, repetitions: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """By the clock, one figure a repetition, interleaved, with an empty cache; and processor seconds in all, workers included.

    Raises ValueError if they do not all find the same.
    """
    clock: dict[str, list[float]] = {name: [] for name in detectors}
    processor = dict.fromkeys(detectors, 0.0)
    found: list[list[bool]] = []
    turns = [list(detectors)[at:] + list(detectors)[:at] for at in range(len(detectors))]
    for repetition in tqdm(range(repetitions), desc="detectors", disable=None, leave=False):
        for name in turns[repetition % len(turns)]:
            with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {VARIABLE: folder}):
                began, worked = time.perf_counter(), _processor_seconds()
                found.append(detectors[name](faces).tolist())
                clock[name].append(time.perf_counter() - began)
                processor[name] += _processor_seconds() - worked
    if any(one != found[0] for one in found):
        raise ValueError("the detectors do not find the same faces.")
    return clock, processor


def _processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detectors", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--detector", default="dlib_cnn", help="default %(default)s")
    parser.add_argument("--faces", type=int, default=400, help="default %(default)s")
    parser.add_argument("--face-size", type=int, default=128, help="pixels (default %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="held against one (default %(default)s)")
    parser.add_argument("--repetitions", type=int, default=3, help="default %(default)s")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to append to (default: benchmarks/results.jsonl)")
    options = parser.parse_args(arguments)
    faces = distinct_faces(options.faces, options.face_size)
    many = f"{options.processes} processes"
    detectors = {
        name: build(Detector, {"name": options.detector, "processes": count}, "detector")
        for name, count in (("one process", 1), (many, options.processes))
    }
    detectors["one process"].detect(faces[:1])  # reads the weights, not counted: workers read them in their own time
    clock, processor = seconds(detectors, faces, options.repetitions)
    record(
        "detectors",
        dict(
            detector=options.detector,
            faces=options.faces,
            face_size=options.face_size,
            processes=options.processes,
            repetitions=options.repetitions,
            times_faster=ratios(clock, of=many, to="one process"),
            seconds={name: quartiles(values) for name, values in clock.items()},
            processor_seconds={name: float(f"{total / options.repetitions:.3g}") for name, total in processor.items()},
        ),
        options.results,
    )


if __name__ == "__main__":
    main()
