"""The contract: jobs are commands that may be started again at any time, and that go on where they stopped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """id: of the task it does. command: its words. log: where its output is appended."""

    id: str
    command: list[str]
    log: Path


class Launcher(ABC):
    """parallel: how many jobs it wants at a time."""

    parallel: int

    @abstractmethod
    def start(self, jobs: Sequence[Job]) -> None:
        """Start jobs, or put them into a queue."""

    @abstractmethod
    def poll(self) -> dict[str, int | None]:
        """By id, the jobs that have ended since the last call: exit code, below 0 a signal, None where it is not known."""

    @abstractmethod
    def stop(self) -> None:
        """Ask the jobs that run to stop, and wait until they have saved."""
