"""The Frechet distance's arithmetic beside pytorch-fid's, on the same features.

    OMP_NUM_THREADS=1 python -m benchmarks.frechet

From statistics: means and covariances of both sets are given, and only the distance is timed. From features: the drawn faces'
features are given and the real faces' statistics are kept, which is what scoring one more system costs; without the net, whose
work is the same for both. With fewer faces than dimensions both covariances are singular.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import torch

from benchmarks.record import RESULTS, interleaved, quartiles, ratios, record
from evaluation.metrics.frechet import distance, frechet_distance, moments
from evaluation.real_faces.sets import fit

SIZES = ((128, 1000), (2048, 1000), (2048, 5000))  # dimensions, faces
GIVEN = ("statistics", "features")


def features(dim: int, faces: int, shift: float, seed: int) -> np.ndarray:
    """float32 (faces, dim): correlated and not negative, as a net's pooled ReLUs are."""
    mix = np.random.default_rng(0).normal(size=(dim, dim)) / np.sqrt(dim)
    drawn = np.random.default_rng(seed).normal(shift, 1, size=(faces, dim)) @ mix
    return np.maximum(drawn, 0).astype(np.float32)


def contenders(dim: int, faces: int) -> dict[str, dict[str, Callable[[], float]]]:
    """What is given -> whose -> the distance."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    drawn, real = features(dim, faces, 0.0, 1), features(dim, faces, 0.1, 2)
    of_drawn, of_real, law = moments(drawn), moments(real), fit(real)

    def published(mean: np.ndarray, covariance: np.ndarray) -> float:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):  # its matrix root is deprecated, and it prints
            warnings.simplefilter("ignore")
            return float(calculate_frechet_distance(mean, covariance, *of_real))

    return {
        "statistics": {"ours": lambda: frechet_distance(*of_drawn, *of_real), "pytorch-fid": lambda: published(*of_drawn)},
        "features": {"ours": lambda: distance(fit(drawn), law), "pytorch-fid": lambda: published(*moments(drawn))},
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frechet", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        action="append",
        metavar=("DIMENSIONS", "FACES"),
        help="may be given again; default: " + ", ".join(f"{dim} {faces}" for dim, faces in SIZES),
    )
    parser.add_argument("--repetitions", type=int, default=5, help="default %(default)s")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to append to (default: benchmarks/results.jsonl)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for dim, faces in options.size or SIZES:
        for given, distances in contenders(dim, faces).items():
            ours, theirs = (distances[name]() for name in ("ours", "pytorch-fid"))
            seconds = interleaved(distances, options.repetitions)
            record(
                "frechet",
                dict(
                    dimensions=dim,
                    faces=faces,
                    given=given,
                    repetitions=options.repetitions,
                    seconds=quartiles(seconds["ours"]),
                    seconds_pytorch_fid=quartiles(seconds["pytorch-fid"]),
                    times_faster=ratios(seconds, "ours", "pytorch-fid"),
                    relative_difference=abs(ours - theirs) / theirs,
                ),
                options.results,
            )


if __name__ == "__main__":
    main()
