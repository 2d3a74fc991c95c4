"""What every benchmark here shares: fair timing, and one JSON object a measurement in results.jsonl."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import trange

RESULTS = Path(__file__).with_name("results.jsonl")


def interleaved(contenders: Mapping[str, Callable[[], object]], repetitions: int, calls: int = 1) -> dict[str, list[float]]:
    """Seconds a call of each contender, one figure a repetition.

    All run in this one process, interleaved, and each repetition starts with another. Other work on the machine slows them
    alike, so the ratios within a repetition hold where the seconds do not.
    """
    names = list(contenders)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        contenders[name]()  # not counted: first calls allocate and choose kernels
    for repetition in trange(repetitions, desc="benchmark", disable=None, leave=False):
        for turn in range(len(names)):
            name = names[(repetition + turn) % len(names)]
            start = time.perf_counter()
            for _ in range(calls):
                contenders[name]()
            seconds[name].append((time.perf_counter() - start) / calls)
    return seconds


def quartiles(values: Sequence[float]) -> list[float]:
    """[25 %, median, 75 %], to three significant digits."""
    return [float(f"{value:.3g}") for value in np.percentile(values, (25, 50, 75))]


def ratios(seconds: Mapping[str, Sequence[float]], of: str, to: str) -> list[float]:
    """Quartiles of how many times faster `of` was than `to`, repetition by repetition."""
    return quartiles(np.divide(seconds[to], seconds[of]).tolist())


def record(benchmark: str, figures: Mapping[str, Any], results: Path = RESULTS) -> dict[str, Any]:
    """Print a measurement and append it to results, with what is needed to take it again."""
    row = dict(
        benchmark=benchmark,
        **figures,
        date=date.today().isoformat(),
        command=_command(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        device="cpu",
        machine=platform.machine(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        load_average=round(os.getloadavg()[0], 1),
        torch=torch.__version__,
        python=platform.python_version(),
    )
    print(json.dumps(row))
    with open(results, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    return row


def _command() -> str:
    policy = os.environ.get("OMP_WAIT_POLICY")
    module = sys.modules["__main__"].__spec__
    return " ".join(
        [*([f"OMP_WAIT_POLICY={policy}"] if policy else []), "python", "-m", module.name if module else "?", *sys.argv[1:]]
    )
