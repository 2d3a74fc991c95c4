import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import sweep

# Stands in for `voxface sweep run`: adds a line to a file, starts a process below it, and ends only where `enough` is there.
COMMAND = """
import subprocess, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(folder / "started", "a") as file:
    file.write(f"{below.pid}\\n")
while not (folder / "enough").exists():
    time.sleep(0.01)
below.kill()
"""


def alive(pid: str) -> bool:
    """Not one that has ended and that nobody has asked how."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] not in "ZX"


def results(folder: Path, value: float = 0.5, single: float = 1.0, seconds: float = 3.0) -> Path:
    folder.mkdir()
    np.savez(folder / "a.npz", value=np.array([single, 2.0]))
    rows = [
        dict(system="full", split="s", metric="l1", value=value, train_seconds=seconds, scores="a.npz"),
        dict(system="prior", split="s", metric="l1", value=0.1),
    ]
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_rows_and_single_scores_are_compared_but_not_how_long_it_took(tmp_path: Path) -> None:
    first = results(tmp_path / "first")
    assert sweep.differences(first, results(tmp_path / "slower", seconds=9.0)) == []
    assert sweep.differences(first, results(tmp_path / "other", value=0.25)) == ["full, s, l1: 0.5 against 0.25"]
    assert sweep.differences(first, results(tmp_path / "within", single=1.5)) == ["full, s, l1: 0.5 against 0.5"]
    short = results(tmp_path / "short")
    (short / "results.jsonl").write_text((short / "results.jsonl").read_text().splitlines()[0] + "\n")
    assert sweep.differences(first, short) == ["2 rows against 1"]


@pytest.mark.slow
def test_a_sweep_is_killed_with_all_below_it_at_moments_that_a_restart_does_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, kills_left = tmp_path / "killed", [3]

    def command(file: Path, overrides: list[str], folder: Path) -> list[str]:
        if kills_left[0] == 0:
            (folder / "enough").touch()
        kills_left[0] -= 1
        return [sys.executable, "-c", COMMAND, str(folder)]

    def run() -> list[float]:
        return sweep.killed(Path("s.yaml"), [], folder, kills=3, longest=8.0, seed=0)

    folder.mkdir()
    monkeypatch.setattr(sweep, "_command", command)
    moments = run()
    assert len(set(moments)) == 3
    assert all(0.2 <= moment <= 1.8 for moment in moments)
    below = (folder / "started").read_text().split()
    assert len(below) == 4
    deadline = time.monotonic() + 30  # a killed process takes a moment
    while any(alive(pid) for pid in below) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(alive(pid) for pid in below)
    # Stopped after the first kill, and started again.
    folder.with_suffix(".kills.json").write_text(json.dumps(moments[:1]))
    (folder / "enough").unlink()
    kills_left[0] = 2
    assert run() == moments
