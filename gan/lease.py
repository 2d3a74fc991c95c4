"""Who works on a sweep's task, or trains a run: a file that its holder renews. Two processes, on one machine or on several,
never do the same.

A lease ends when it is given back, when its process is known to be dead (same machine), or when it was not renewed for a while.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from gan.files import write_atomically

RENEW_SECONDS = 5.0
STALE_SECONDS = 60.0
TAKEN = 75  # exit code of a process whose task another one does (sysexits' EX_TEMPFAIL)


class Lease:
    """`with Lease.take(path) as lease`: held within; take gives None where somebody else holds it."""

    def __init__(self, path: Path, token: str):
        self._path, self._token = path, token
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    @classmethod
    def take(cls, path: Path) -> Lease | None:
        token = uuid.uuid4().hex
        with locked(path):
            if _held(path):
                return None
            since = datetime.now(UTC).isoformat(timespec="seconds")
            write_atomically(path, json.dumps(dict(token=token, since=since) | _process()).encode())
        return cls(path, token)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        with locked(self._path):
            if _read(self._path).get("token") == self._token:
                self._path.unlink()
                _lock_file(self._path).unlink()

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                with locked(self._path):
                    if ours := _read(self._path).get("token") == self._token:
                        os.utime(self._path)
            except OSError:  # the disk is away: who holds it is seen once it is back
                continue
            if not ours:
                # Asleep for too long: another process has taken over, and two must not write to one run.
                print(
                    f"{self._path.parent.name}: another process has taken this task over; this one ends.",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(TAKEN)


def holder(path: Path) -> dict[str, Any] | None:
    """host and pid of who holds it now, and since when, or None."""
    if not path.exists():
        return None
    with locked(path):
        return _read(path) if _held(path) else None


def _held(path: Path) -> bool:
    owner = _read(path)
    if not owner:
        return False
    if (owner["host"], owner["boot"]) == (_process()["host"], _process()["boot"]) and _started(owner["pid"]) != owner["started"]:
        return False
    # Both times are the file system's own: the clocks of two machines need not agree.
    lock = _lock_file(path)
    os.utime(lock)
    return lock.stat().st_mtime - path.stat().st_mtime < STALE_SECONDS


def _read(path: Path) -> dict[str, Any]:
    """What its holder wrote; nothing if there is none, or if the file was cut."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return owner if isinstance(owner, dict) and owner.keys() >= {"token", *_process()} else {}


def _process() -> dict[str, Any]:
    boot, numbers = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    since = boot.read_text(encoding="utf-8").strip() if boot.exists() else ""
    # Two containers of one machine may have one name: what tells them apart is whose process numbers they see.
    return dict(
        host=platform.node(),
        boot=f"{since} {os.readlink(numbers)}" if numbers.exists() else since,
        pid=os.getpid(),
        started=_started(os.getpid()),
    )


def _started(pid: int) -> str | None:
    """When a process of this machine started, in ticks, so that a number given out again is not taken for it. None: not there."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in "ZX" else after_name[19]


def _lock_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Within, no other process is within with the same path."""
    lock = _lock_file(path)
    while True:
        with open(lock, "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                if not _is(file, lock):  # its last user has removed it while we waited: others lock another by now
                    continue
                yield
                return
            finally:  # closing is not enough: a loader process forked just now has the file open too
                fcntl.flock(file, fcntl.LOCK_UN)


def _is(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
