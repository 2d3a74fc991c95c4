"""One job's share of the work: shard after shard that nobody is at, item after item, until none is left.

Media are read in a process of their own. A file that kills it, takes all memory or never ends is a failed item, and others go on.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from gan.lease import Lease
from gan.raw.item import Item
from gan.raw.limits import Limits
from gan.raw.profile import Profile
from gan.raw.store import Row, Writer
from gan.raw.work import Work, ended, lease_of, size_of
from gan.signals import stop_signals

ATTEMPTS = 3  # of a file that kills its process, until it counts as failed
KILLED = "killed its process"


class Stopped(Exception):
    """The job was asked to stop; what is written stays."""

    def __init__(self, number: int):
        super().__init__("Stopped; what is done is kept. The same command goes on from there.")
        self.exit_code = 128 + number


def perform(folder: Path, number: int, jobs: int) -> None:
    """Do what is left of every shard that no other process holds. number: of the job, of so many; each begins at another shard.

    Raises Stopped after SIGINT or SIGTERM, OSError where nothing can be written.
    """
    work = Work.open(folder)
    shards = sorted(work.by_shard(work.listing().items).items())
    first = number * len(shards) // jobs
    with stop_signals("Stopping after this part.") as stop, _Reader(work.profile) as reader:
        for shard, items in shards[first:] + shards[:first]:
            path = work.shard(shard)
            path.parent.mkdir(parents=True, exist_ok=True)
            lease = Lease.take(lease_of(path))
            if lease is None:
                continue
            with lease, Writer(path) as writer:
                _do(items, writer, reader, stop)


def _do(items: list[Item], writer: Writer, reader: _Reader, stop: list[int]) -> None:
    rows = list(writer.rows())
    over = ended(iter(rows))
    for item in items:
        row = over.get(item.key)
        if row is not None and row["size"] == _size(item):
            continue
        last = None if row is not None else _last_part(rows, item)
        for found, arrays in reader.read(item, last):
            writer.append(found, arrays)
            if stop:
                raise Stopped(stop[0])


def _size(item: Item) -> list[int] | None:
    try:
        return size_of(item)
    except OSError:
        return None


def _last_part(rows: list[Row], item: Item) -> Row | None:
    """The row of the last part that is there already of an item that has not ended, of the files as they are now."""
    parts = [row for row in rows if row["item"] == item.key and "part" in row]
    return parts[-1] if parts and all(row["size"] == _size(item) for row in parts) else None


class _Reader:
    """The process that reads media; started again where it dies."""

    def __init__(self, profile: Profile):
        self._profile = profile
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(self, item: Item, last: Row | None) -> Iterator[tuple[Row, dict[str, Any]]]:
        """Rows and arrays of the parts after the last that is done, then the row with which the item ends."""
        size, deaths = _size(item), 0
        while True:
            process, pipe = self._started()
            try:
                pipe.send((item, last))
                while pipe.poll(self._profile.limits.part_minutes * 60):
                    row, arrays = pipe.recv()
                    yield row | {"item": item.key, "size": size}, arrays
                    if "part" not in row:
                        return
                    last = row
                how = f"gave nothing for {self._profile.limits.part_minutes:g} minutes"
            except (EOFError, ConnectionError):
                process.join()
                how = f"ended its process by {_ending(process.exitcode)}"
            self._end()
            deaths += 1
            if deaths == ATTEMPTS:
                yield dict(item=item.key, size=size, failed=f"{how}, {ATTEMPTS} times", kind=KILLED, stage="read"), {}
                return

    def _started(self) -> tuple[BaseProcess, Connection]:
        """The process, which is ready. Raises ValueError where it dies before, which is no fault of an item."""
        for _ in range(ATTEMPTS):
            if self._process is None or self._pipe is None:
                # Spawned: a fork of a process with threads (a lease's) may hang.
                context = multiprocessing.get_context("spawn")
                self._pipe, theirs = context.Pipe()
                self._process = context.Process(target=_serve, args=(theirs, self._profile, os.getpid()), daemon=True)
                self._process.start()
                theirs.close()
                with suppress(EOFError, ConnectionError):
                    self._pipe.recv()
                    return self._process, self._pipe
            elif self._process.is_alive():
                return self._process, self._pipe
            self._process.join()
            how = _ending(self._process.exitcode)
            self._end()
        raise ValueError(
            f"the process that reads ends before it begins, by {how}. limits.memory_gb is {self._profile.limits.memory_gb:g}: "
            "less than it takes to start?"
        )

    def _end(self) -> None:
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {-code}" + (" (too much memory?)" if -code == signal.SIGKILL else "")
    return f"exit code {code}"


def _serve(pipe: Connection, profile: Profile, parent: int) -> None:
    """In the process that reads: item in, parts out, until the pipe is closed."""
    _confine(profile.limits, parent)
    import torch

    from gan.raw.read import Failed, ItemReader

    torch.set_num_threads(1)  # a job is one core's; and sums then do not depend on how many there are
    reader = ItemReader(profile)
    try:
        pipe.send(None)  # ready
        while True:
            item, last = pipe.recv()
            try:
                for row, arrays in reader.read(item, last):
                    pipe.send((row, arrays))
            except Failed as error:
                pipe.send((dict(failed=str(error), kind=error.kind, stage=error.stage), {}))
            except MemoryError:
                reason = f"needs more than {profile.limits.memory_gb:g} GB (limits.memory_gb)"
                pipe.send((dict(failed=reason, kind="too large", stage="read"), {}))
    except (EOFError, ConnectionError):  # the job is gone, or needs no more
        return


def _confine(limits: Limits, parent: int) -> None:
    """Die with the job, leave Ctrl-C to it, and take no more memory than allowed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of a whole group: the job ends after this part, and this process with it
    most = round(limits.memory_gb * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
        if os.getppid() != parent:
            sys.exit(0)
