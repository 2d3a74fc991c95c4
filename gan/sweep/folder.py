"""A sweep on the disk: one folder a task, from which its state can be read at any time, by any process.

    sweeps/<name>/cells/<label>-s<seed>-<id>/
        task.json  config.yaml  log.txt  run/
        results-<scoring>/{results.jsonl, scores/, done.json}      of a cell and of the controls; done.json once they are done
        done.json once what is only trained is done, lease.json while somebody works on it, failed.json when it failed,
        pruned.json when a search has given it up

A cell's id stands for what it learns, its scoring for how that is scored: under another protocol it finds its run again.
"""

from __future__ import annotations

import json
import statistics
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gan import checkpoint, recipes
from gan import config as configuration
from gan.files import write_atomically
from gan.lease import holder
from gan.sweep.plan import Task

WAITING, RUNNING, DONE, FAILED, PRUNED = "waiting", "running", "done", "failed", "pruned"
LOG_LINES = 12


@dataclass(frozen=True)
class Place:
    """A task's folder. scoring: the task's own."""

    path: Path
    scoring: str | None = None

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def results(self) -> Path:
        return self.path / f"results-{self.scoring}"

    @property
    def _done(self) -> Path:
        return (self.path if self.scoring is None else self.results) / "done.json"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def lease(self) -> Path:
        return self.path / "lease.json"

    def state(self) -> str:
        if (self.path / "pruned.json").exists():
            return PRUNED
        if self._done.exists():
            return DONE
        if self.path.exists() and holder(self.lease) is not None:
            return RUNNING
        if self._done.exists():  # it was finished, and its lease given back, since the first look
            return DONE
        return FAILED if self._failure() else WAITING

    def task(self) -> Task:
        about = json.loads((self.path / "task.json").read_text(encoding="utf-8"))
        about["needs"] = tuple(about["needs"])
        values = recipes.read_yaml((self.path / "config.yaml").read_text(encoding="utf-8"), str(self.path / "config.yaml"))
        return Task(**about, config=configuration.from_dict(values))

    def write(self, task: Task) -> None:
        """Make the folder, or renew what is not part of the task's id: its label, device, threads, how it is scored."""
        self.path.mkdir(parents=True, exist_ok=True)
        about = dict(
            id=task.id,
            kind=task.kind,
            label=task.label,
            axes=task.axes,
            seed=task.seed,
            needs=list(task.needs),
            corpus=task.corpus,
            face_size=task.face_size,
            trained=task.trained,
            scoring=task.scoring,
        )
        write_atomically(self.path / "config.yaml", configuration.to_yaml(task.config).encode())
        write_atomically(self.path / "task.json", json.dumps(about, indent=1).encode())

    def finish(self, **about: Any) -> None:
        write_atomically(self._done, json.dumps(about | {"at": _now()}).encode())
        (self.path / "failed.json").unlink(missing_ok=True)

    def done(self) -> dict[str, Any]:
        """What finish noted."""
        return json.loads(self._done.read_text(encoding="utf-8"))

    def prune(self, step: int) -> None:
        write_atomically(self.path / "pruned.json", json.dumps({"step": step, "at": _now()}).encode())

    def best(self) -> dict[str, Any]:
        """step and value of the best validation of its training so far; nothing before one."""
        file = self.run / "best.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    @property
    def best_checkpoint(self) -> Path:
        return self.run / "checkpoints" / f"step-{self.best()['step']:08d}"

    def fail(self, reason: str) -> None:
        about = {"reason": reason, "scoring": self.scoring, "at": _now()}
        write_atomically(self.path / "failed.json", json.dumps(about).encode())

    def note_stop(self) -> None:
        """It was asked to stop and has saved; torchrun's own exit code does not tell that from a failure."""
        write_atomically(self.path / "stopped.json", json.dumps({"at": _now()}).encode())

    def was_stopped(self) -> bool:
        return (self.path / "stopped.json").exists()

    def reason(self) -> str:
        """Why it failed, one line."""
        return str(self._failure().get("reason", ""))

    def _failure(self) -> dict[str, Any]:
        """What fail noted. What failed under another protocol has not failed under this one."""
        try:
            about = json.loads((self.path / "failed.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return about if about["scoring"] == self.scoring else {}

    def retry(self) -> None:
        """Forget how it ended."""
        for name in ("failed.json", "stopped.json"):
            (self.path / name).unlink(missing_ok=True)

    def last_lines(self) -> list[str]:
        if not self.log.exists():
            return []
        with open(self.log, "rb") as file:
            file.seek(max(0, self.log.stat().st_size - 65536))
            text = file.read().decode(errors="replace")
        # A progress bar overwrites its line: what is seen last of it.
        lines = [line.rstrip().rpartition("\r")[2].rstrip() for line in text.split("\n")]
        return [line for line in lines if line][-LOG_LINES:]

    def step(self) -> int:
        """Of its last checkpoint; 0 before the first."""
        kept = checkpoint.steps(self.run / "checkpoints")
        return int(kept[-1].name.removeprefix("step-")) if kept else 0

    def scalars(self) -> list[dict[str, float]]:
        """The lines of its training's log so far."""
        file, found = self.run / "metrics.jsonl", []
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
            with suppress(ValueError):  # being written now
                found.append(json.loads(line))
        return found


def speed(here: Place) -> float | None:
    """Training samples a second, the median of what was logged; None before that."""
    speeds = [line["speed/samples_per_second"] for line in here.scalars() if "speed/samples_per_second" in line]
    return statistics.median(speeds) if speeds else None


def place(folder: Path, task: Task) -> Place:
    """Where a task is, or will be. Its id decides; the rest of the folder's name is what it was called when it was made."""
    there = find(folder, task.id)
    return Place(folder / "cells" / task.name if there is None else there.path, task.scoring)


def find(folder: Path, task_id: str) -> Place | None:
    """The folder of an id, whatever its scoring."""
    found = sorted(path for path in (folder / "cells").glob("*") if path.name.endswith(f"-{task_id}"))
    return Place(found[0]) if found else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
