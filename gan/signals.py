"""SIGINT and SIGTERM: training and sweeps end after what they are at, and save first."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan import distributed

ONE_STOP_SECONDS = 2.0  # signals so close together are one: a cluster sends its own, and torchrun hands it on


class Stopped(Exception):
    """Training was asked to stop, and saved first. signal: which one asked."""

    def __init__(self, number: int, step: int, run: Path):
        super().__init__(f"Stopped at step {step}; saved. The same command goes on from there: {run}")
        self.signal = number
        self.exit_code = 128 + number


@contextmanager
def stop_signals(said: str = "Stopping after this step, saving first.") -> Iterator[list[int]]:
    """Within, SIGINT and SIGTERM only append their number to the list; a later one ends the process as usual.

    said: what is printed when one comes.
    """
    received: list[int] = []
    before: dict[int, Any] = {}
    first = 0.0

    def note(number: int, _: object) -> None:
        nonlocal first
        if not received:
            first = time.monotonic()
            if distributed.rank() == 0:
                print(f"\n{said} Once more to stop at once.", file=sys.stderr)
        elif time.monotonic() - first > ONE_STOP_SECONDS:
            signal.signal(number, before[number])
            signal.raise_signal(number)
        received.append(number)

    for number in (int(signal.SIGINT), int(signal.SIGTERM)):
        before[number] = signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
