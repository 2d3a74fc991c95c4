"""How many times faster than real time each feature front end is: seconds of speech in a second of one core.

    python -m benchmarks.features

Every front end that reads a waveform, with its defaults, in one process, interleaved. What it makes of repeating a short clip
counts as work, not as speech; clips of the default length are long enough for none to be repeated.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import trange

from benchmarks.record import RESULTS, quartiles, record
from gan.build import build, find, names
from gan.data.corpus import SAMPLE_RATE_HZ
from gan.features.base import Features


def front_ends(only: Sequence[str] = ()) -> dict[str, Features]:
    """All those that read a waveform, or those named."""
    found = only or [name for name in names(Features) if find(Features, name, "features").reads == "waveform"]
    return {name: build(Features, {"name": name}, "features", sample_rate_hz=SAMPLE_RATE_HZ) for name in found}


@torch.no_grad()
def times_real_time(
    fronts: dict[str, Features], batch_size: int, clip_seconds: float, repetitions: int
) -> dict[str, dict[str, list[float]]]:
    """Quartiles for each front end, by the clock and by this process's own processor time, which a busy machine leaves alone."""
    samples = round(clip_seconds * SAMPLE_RATE_HZ)
    waveform = torch.randn(batch_size, samples, generator=torch.Generator().manual_seed(0)).mul_(0.1).clamp_(-1, 1)
    num_samples = torch.full((batch_size,), samples)
    speech = batch_size * samples / SAMPLE_RATE_HZ
    clock: dict[str, list[float]] = {name: [] for name in fronts}
    processor: dict[str, list[float]] = {name: [] for name in fronts}
    for front in fronts.values():
        front(waveform, num_samples)  # not counted
    for _ in trange(repetitions, desc="front ends", disable=None, leave=False):
        for name, front in fronts.items():
            began, worked = time.perf_counter(), time.process_time()
            front(waveform, num_samples)
            clock[name].append(speech / (time.perf_counter() - began))
            processor[name].append(speech / (time.process_time() - worked))
    return {
        name: {"times_real_time": quartiles(clock[name]), "times_real_time_processor": quartiles(processor[name])}
        for name in fronts
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("front_ends", nargs="*", metavar="NAME", help="default: all that read a waveform")
    parser.add_argument("--batch-size", type=int, default=16, help="default %(default)s")
    parser.add_argument("--clip-seconds", type=float, default=10.0, help="default %(default)s")
    parser.add_argument("--repetitions", type=int, default=50, help="default %(default)s")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to append to (default: benchmarks/results.jsonl)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    figures = times_real_time(front_ends(options.front_ends), options.batch_size, options.clip_seconds, options.repetitions)
    for name, speeds in figures.items():
        record(
            "features",
            dict(
                front_end=name,
                batch_size=options.batch_size,
                clip_seconds=options.clip_seconds,
                repetitions=options.repetitions,
                **speeds,
            ),
            options.results,
        )


if __name__ == "__main__":
    main()
