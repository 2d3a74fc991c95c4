"""Is a sweep that was killed again and again the sweep that was left alone? Runs it both ways and compares every results row.

    python -m benchmarks.sweep                                  configs/sweeps/ablation-demo.yaml, both ways: 1.5 to 3.5 hours
    python -m benchmarks.sweep FILE seeds=[0] --kills 5         any other, or that one in brief

Both folders are kept and gone on with: stopped at any moment, the same command continues. --keep-table copies the undisturbed
sweep's table into benchmarks/.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import record

HERE = Path(__file__).parent
TIMING = ("train_seconds",)  # keys of a row that say how long something took


def undisturbed(file: Path, overrides: list[str], folder: Path) -> float:
    """Seconds it took; of a sweep that was done before, what it took then."""
    timing = folder / "seconds.json"
    if not timing.exists():
        started = time.perf_counter()
        subprocess.run(_command(file, overrides, folder), check=True)
        timing.write_text(json.dumps(time.perf_counter() - started))
    return float(json.loads(timing.read_text()))


def killed(file: Path, overrides: list[str], folder: Path, kills: int, longest: float, seed: int) -> list[float]:
    """The same, killed after random times, workers and all, with a signal that no process can answer. Returns those times."""
    moments, log = random.Random(seed), folder.with_suffix(".kills.json")
    planned = [moments.uniform(0.1, 0.9) * longest / (kills + 1) for _ in range(kills)]
    done: list[float] = json.loads(log.read_text()) if log.exists() else []
    for after in planned[len(done) :]:
        sweep = subprocess.Popen(_command(file, overrides, folder))
        try:
            sweep.wait(after)
            print("The sweep was done before it could be killed.")
            return done
        except subprocess.TimeoutExpired:
            _kill_all(sweep.pid)
            sweep.wait()
        done.append(round(after, 1))
        log.write_text(json.dumps(done))
        print(f"killed after {after:.1f} s", flush=True)
    subprocess.run(_command(file, overrides, folder), check=True)
    return done


def _kill_all(pid: int) -> None:
    """SIGKILL for a process and all that it started, at whatever they are."""
    below: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        below.setdefault(int(words[1]), []).append(int(status.parent.name))
    family = [pid]
    for member in family:
        family += below.get(member, [])
    for member in family:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(member, signal.SIGKILL)


def _command(file: Path, overrides: list[str], folder: Path) -> list[str]:
    return [sys.executable, "-m", "gan", "sweep", "run", str(file), *overrides, "--out", str(folder)]


def differences(first: Path, second: Path) -> list[str]:
    """What differs between the rows of two sweeps' folders, single scores included; one line a row."""
    one, other = (_rows(folder) for folder in (first, second))
    if len(one) != len(other):
        return [f"{len(one)} rows against {len(other)}"]
    return [
        f"{a['system']}, {a['split']}, {a['metric']}: {a['value']} against {b['value']}"
        for a, b in zip(one, other, strict=True)
        if a != b or not _same_scores(first, second, a)
    ]


def _rows(folder: Path) -> list[dict[str, Any]]:
    rows = map(json.loads, (folder / "results.jsonl").read_text(encoding="utf-8").splitlines())
    return [{key: value for key, value in row.items() if key not in TIMING} for row in rows]


def _same_scores(first: Path, second: Path, row: dict[str, Any]) -> bool:
    """Whether the single values behind a row that both have are the same, bit for bit."""
    if "scores" not in row:
        return True
    with np.load(first / row["scores"], allow_pickle=False) as one, np.load(second / row["scores"], allow_pickle=False) as other:
        return one.keys() == other.keys() and all(one[key].tobytes() == other[key].tobytes() for key in one)


def keep_table(folder: Path, name: Path) -> None:
    """A sweep's table into name.md, under what a person wrote there before the first table, and into name.tex."""
    page = name.with_suffix(".md")
    said = page.read_text(encoding="utf-8").partition("### ")[0] if page.exists() else f"# {name.name}\n\n"
    page.write_text(said + (folder / "table.md").read_text(encoding="utf-8"), encoding="utf-8")
    shutil.copy(folder / "table.tex", name.with_suffix(".tex"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=HERE.parent / "configs" / "sweeps" / "ablation-demo.yaml")
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help="dotted keys of the sweep")
    parser.add_argument("--folder", type=Path, default=Path("sweeps/benchmark"), help="where both sweeps are kept")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--keep-table", action="store_true", help="copy the table to benchmarks/<name>.md and .tex")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    left, disturbed = args.folder / "undisturbed", args.folder / "killed"
    seconds = undisturbed(args.file, args.overrides, left)
    moments = killed(args.file, args.overrides, disturbed, args.kills, seconds, args.seed)
    different = differences(left, disturbed)
    rows = len(_rows(left))
    record(
        "sweep",
        dict(
            sweep=args.file.name,
            overrides=" ".join(args.overrides),
            minutes=round(seconds / 60, 1),
            killed_after=moments,
            rows=rows,
            different_rows=len(different),
        ),
    )
    if args.keep_table:
        keep_table(left, HERE / args.file.stem)
    print("\n".join(different) or f"All {rows} rows are the same.")
    raise SystemExit(1 if different else 0)


if __name__ == "__main__":
    main()
