"""gan/launchers/slurm.py on a real cluster: jobs that count, disturbed in every way that a night brings."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from gan.build import build
from gan.launchers.base import Job, Launcher
from tests.slurm import worker
from tests.slurm.cluster import Cluster

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
pytest.importorskip("submitit")


def job(folder: Path, name: str, steps: int, step_seconds: float = 0.02) -> Job:
    command = [sys.executable, worker.__file__, str(folder / name), str(steps), str(step_seconds)]
    return Job(name, command, folder / f"{name}.log")


def slurm(folder: Path, **arguments: object) -> Launcher:
    return build(Launcher, {"name": "slurm", "cpus": 1, **arguments}, "launcher", folder=folder / "slurm")


def history(folder: Path, name: str) -> list[str]:
    file = folder / name / "history.txt"
    return file.read_text().splitlines() if file.exists() else []


def count(folder: Path, name: str) -> tuple[int, int]:
    file = folder / name / "count.txt"
    step, total = map(int, file.read_text().split()) if file.exists() else (0, 0)
    return step, total


def finish(cluster: Cluster, launcher: Launcher, ids: set[str], seconds: float = 60) -> dict[str, int | None]:
    ended: dict[str, int | None] = {}

    def all_have() -> bool:
        ended.update(launcher.poll())
        return set(ended) == ids

    cluster.wait(all_have, f"{ids} to end", seconds)
    return ended


def test_jobs_of_an_array_end_with_their_exit_codes(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(tmp_path)
    bad = Job("bad", [sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"], tmp_path / "bad.log")
    launcher.start([job(tmp_path, "a", 20), job(tmp_path, "b", 20), bad])
    launcher.start([job(tmp_path, "alone", 20)])
    assert finish(cluster, launcher, {"a", "b", "bad", "alone"}) == {"a": 0, "b": 0, "bad": 3, "alone": 0}
    assert (tmp_path / "bad.log").read_text() == "no such thing\n"
    assert count(tmp_path, "a") == count(tmp_path, "alone") == (20, 210)
    assert launcher.poll() == {}


def test_a_killed_node_and_a_killed_job_cost_no_step(cluster: Cluster, tmp_path: Path) -> None:
    """The node's jobs go to the other one; the killed job is reported, and goes on when it is started again."""
    launcher = slurm(tmp_path, parallel=4)
    names = {f"job{number}" for number in range(6)}
    launcher.start([job(tmp_path, name, 150, 0.05) for name in sorted(names)])
    cluster.wait(lambda: sum(count(tmp_path, name)[0] >= 30 for name in names) == 4, "four jobs to be under way")
    places = {name: history(tmp_path, name)[-1].split()[-1] for name in names if history(tmp_path, name)}
    victim = next(name for name, place in places.items() if place == "n1")
    # The node is lost with all that runs on it, as by a power failure.
    cluster.kill("n1")
    for pid in cluster.processes():
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    ...
