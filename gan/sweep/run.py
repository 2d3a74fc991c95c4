"""Start a sweep's tasks through a launcher until each is done or has failed, from whatever state the folder is in."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from gan.build import build
from gan.launchers.base import Job, Launcher
from gan.sweep.collect import collect
from gan.sweep.folder import DONE, FAILED, RUNNING, WAITING, Place, place
from gan.sweep.plan import Plan, Task
from gan.sweep.task import TAKEN
from gan.train import stop_signals

POLL_SECONDS = 0.5
STARTS = 3          # of a task that is killed each time, before it counts as failed


class Interrupted(Exception):
    """The sweep was asked to stop."""

    def __init__(self, number: int, folder: Path):
        super().__init__(f"Stopped; tasks saved first. The same command goes on from there: {folder}")
        self.exit_code = 128 + number


def run(plan: Plan, folder: Path, retry: bool = False) -> int:
    """Do every task of a plan that is not done yet, then write rows and tables. Returns how many cells have failed.

    retry: start those anew that failed before. Raises Interrupted after SIGINT or SIGTERM, when running tasks have saved.
    """
    launcher = build(Launcher, {"name": "local"} | plan.file.launcher, "launcher")
    places = {task.id: place(folder, task) for task in plan.tasks}
    for task in plan.tasks:
        places[task.id].write(task)
        if retry:
            places[task.id].retry()
    scheduler = _Scheduler(plan, folder, places, launcher)
    with stop_signals("Stopping: running tasks save first.") as stop, \
            tqdm(total=len(plan.cells), desc=plan.name, unit="cell", disable=None) as progress:
        while scheduler.step():
            progress.n = sum(scheduler.states[task.id] == DONE for task in plan.cells)
            progress.refresh()
            if stop:
                launcher.stop()
                raise Interrupted(stop[0], folder)
            time.sleep(POLL_SECONDS)
    collect(plan, folder)
    return len([cell for cell in plan.cells if scheduler.states[cell.id] != DONE])


class _Scheduler:
    def __init__(self, plan: Plan, folder: Path, places: dict[str, Place], launcher: Launcher):
        self.plan, self.folder, self.places, self.launcher = plan, folder, places, launcher
        self.in_flight: set[str] = set()
        self.starts: Counter[str] = Counter()
        self.states: dict[str, str] = {}

    def step(self) -> bool:
        """Note what has ended, start what can be. Returns whether anything is still to be waited for."""
        for task_id, code in self.launcher.poll().items():
            self.in_flight.discard(task_id)
            self._ended(task_id, code)
        self.states = {task.id: self.places[task.id].state() for task in self.plan.tasks}
        ready = [task for task in self.plan.tasks if self._ready(task)]
        chosen = ready[:max(self.launcher.parallel - len(self.in_flight), 0)]
        if chosen:
            self.starts.update(task.id for task in chosen)
            self.in_flight.update(task.id for task in chosen)
            self.launcher.start([self._job(task) for task in chosen])
        return bool(self.in_flight or ready or RUNNING in self.states.values())

    def _ready(self, task: Task) -> bool:
        return (self.states[task.id] == WAITING and task.id not in self.in_flight
                and all(self.states[need] == DONE for need in task.needs))

    def _job(self, task: Task) -> Job:
        here = self.places[task.id]
        return Job(task.id, [sys.executable, "-m", "gan", "sweep", "task", str(self.folder), task.id], here.log)

    def _ended(self, task_id: str, code: int | None) -> None:
        """What is to be said of a task whose process is gone. code: None where only its folder can tell."""
        here = self.places[task_id]
        if here.state() in (DONE, FAILED) or code == TAKEN:
            if here.state() == FAILED:
                tqdm.write(f"failed: {here.path.name}: {here.reason()}", file=sys.stderr)
            return
        if code is None or code < 0 or code > 128:      # killed, or asked to stop by somebody else: it goes on
            if self.starts[task_id] < STARTS:
                return
            how = "left the queue" if code is None else f"was ended by signal {-code if code < 0 else code - 128}"
            here.fail(f"{how} {STARTS} times (not enough memory?)")
        else:
            here.fail(f"ended with exit code {code}: {(here.last_lines() or ['nothing in its log'])[-1]}")
        tqdm.write(f"failed: {here.path.name}: {here.reason()}", file=sys.stderr)
