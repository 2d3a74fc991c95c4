"""Read all items of a work folder, as jobs of a launcher: processes here, or a SLURM array."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evaluation.progress import Progress
from gan.build import build
from gan.launchers.base import Job, Launcher
from gan.lease import Lease, holder
from gan.raw.work import LEASE, Tally, Work, forget_failed, lease_of, written
from gan.signals import stop_signals

POLL_SECONDS = 0.5
STARTS = 3  # of a job that ends badly each time without getting anything done, until the whole is given up

LEAST_FREE_BYTES = 1 << 16


class Interrupted(Exception):
    """The preparation was asked to stop."""

    def __init__(self, number: int, folder: Path):
        super().__init__(f"Stopped; what is done is kept. The same command goes on from there: {folder}")
        self.exit_code = 128 + number


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Within, nobody else prepares in this folder. Raises ValueError, naming who does."""
    folder.mkdir(parents=True, exist_ok=True)
    lease = Lease.take(folder / LEASE)
    if lease is None:
        owner = holder(folder / LEASE) or {}
        raise ValueError(
            f"{folder}: {owner.get('host', 'another machine')}'s process {owner.get('pid', '?')} is at it since "
            f"{owner.get('since', '?')}. Wait for it, or name another folder with --work."
        )
    with lease:
        yield


def read_all(work: Work, launcher_section: Mapping[str, Any], retry: bool = False) -> None:
    """Read every item that is not read yet. Failed items are rows of the work folder, not errors.

    retry: those that failed before are tried again. Raises Interrupted after SIGINT or SIGTERM, when the jobs have stopped, and
    ValueError where jobs end again and again without getting anything done (a full disk, a job that may not start).
    """
    launcher = build(Launcher, {"name": "local"} | dict(launcher_section), "launcher", folder=work.path / "slurm")
    logs = work.path / "logs"
    logs.mkdir(exist_ok=True)
    listed = work.listing().items
    folder = work.shard(0).parent
    if retry:
        forget_failed(folder)
    names = [f"job{number}" for number in range(launcher.parallel)]
    waiting, running = [name for name in names if name not in launcher.found()], launcher.found() & set(names)
    starts, reached = dict.fromkeys(names, 0), -1
    rounds, tally = 0, Tally(folder)
    with (
        stop_signals("Stopping: jobs keep what they have done.") as stop,
        Progress(total=work.num_items, desc="Reading", unit="item") as progress,
    ):
        while True:
            if waiting:
                launcher.start([_job(work, name, len(names)) for name in waiting])
                running |= set(waiting)
                waiting = []
            if stop:
                launcher.stop()
                raise Interrupted(stop[0], work.path)
            time.sleep(POLL_SECONDS)
            ended = launcher.poll()
            done, failed, _ = tally.look()
            progress.set_postfix_str(f"{failed.total()} failed" if failed else "", refresh=False)
            progress.update(done + failed.total() - progress.n)
            for name, code in ended.items():
                running.discard(name)
                if code == 0:
                    continue
                starts[name] = 1 if written(folder) > reached else starts[name] + 1
                reached = written(folder)
                if starts[name] >= STARTS:
                    launcher.stop()
                    raise ValueError(f"{work.path}: {_last_line(logs / f'{name}.txt')} Whole log: {logs / f'{name}.txt'}")
                waiting.append(name)
            if waiting or running:
                continue
            if not (unread := work.unread(listed)):
                break
            # Jobs pass by a shard that another process holds: a job of a command that was killed, say, or of a lost machine.
            if not any(holder(lease_of(path)) for path in unread):
                rounds = 0 if written(folder) > reached else rounds + 1
                reached = written(folder)
                if rounds >= STARTS:
                    raise ValueError(f"{work.path}: jobs end, and leave {unread[0].with_suffix('.jsonl')} unread.")
                waiting = names[: len(unread)]


def _job(work: Work, name: str, jobs: int) -> Job:
    words = [sys.executable, "-m", "gan", "prepare", "task", str(work.path), name.removeprefix("job"), str(jobs)]
    return Job(name, words, work.path / "logs" / f"{name}.txt")


def _last_line(log: Path) -> str:
    lines = (
        [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()] if log.exists() else []
    )
    if not lines and shutil.disk_usage(log.parent).free < LEAST_FREE_BYTES:  # not even that found room
        return "the disk is full. Make room; the same command then goes on."
    return lines[-1].removeprefix("voxface: ") if lines else "its jobs end at once, and say nothing."
