"""The contract: jobs are commands that may be started again at any time, and that go on where they stopped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """id: of the task it does. command: its words, a Python first. log: where its output is appended."""

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
    def stop_jobs(self, ids: Collection[str]) -> None:
        """Ask some of them to stop, without waiting: poll tells their end. Said again until they have."""

    @abstractmethod
    def stop(self) -> None:
        """Ask the jobs that run to stop, and wait until they have saved."""

    def found(self) -> set[str]:
        """Ids of the jobs that a launcher of this folder before this one has left waiting or running; poll tells their end."""
        return set()


def torchrun(command: Sequence[str], processes: int, rendezvous: Sequence[str] = ("--standalone",)) -> list[str]:
    """[python, ...] as several processes on this machine that train together, which torchrun starts and watches.

    rendezvous: torchrun's options that say where machines meet. One process on its own needs no torchrun.
    """
    if processes == 1 and tuple(rendezvous) == ("--standalone",):
        return list(command)
    return [command[0], "-m", "torch.distributed.run", f"--nproc-per-node={processes}", *rendezvous, *command[1:]]


def at_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{name}: {value} came. Allowed: {least} or more.")
