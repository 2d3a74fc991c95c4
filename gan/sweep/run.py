"""Start a sweep's tasks through a launcher until each is done or has failed, from whatever state the folder is in."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from evaluation.progress import Progress
from gan.build import build
from gan.launchers.base import Job, Launcher
from gan.signals import stop_signals
from gan.sweep.collect import collect
from gan.sweep.estimate import check_budget
from gan.sweep.folder import DONE, FAILED, PRUNED, RUNNING, WAITING, Place, place
from gan.sweep.plan import Plan, Task
from gan.sweep.search import Search, open_search
from gan.sweep.task import TAKEN

POLL_SECONDS = 0.5
STARTS = 3  # of a task that is killed each time before its next checkpoint, until it counts as failed


class Interrupted(Exception):
    """The sweep was asked to stop."""

    def __init__(self, number: int, folder: Path):
        super().__init__(f"Stopped; tasks saved first. The same command goes on from there: {folder}")
        self.exit_code = 128 + number


def run(plan: Plan, folder: Path, retry: bool = False) -> int:
    """Do every task of a plan that is not done yet, then write rows and tables. Returns how many cells, or control
    rows, have failed.

    retry: start those anew that failed before. Raises ValueError if what is left is estimated above the budget, Interrupted
    after SIGINT or SIGTERM, when running tasks have saved.
    """
    launcher = build(Launcher, {"name": "local"} | plan.file.launcher, "launcher", folder=folder / "slurm")
    check_budget(plan, folder)
    search = open_search(plan, folder)
    scheduler = _Scheduler(plan if search is None else search.known(), folder, launcher, search)
    if retry:
        scheduler.retry()
    unit, total = ("cell", len(plan.cells)) if search is None else ("trial", search.settings.trials)
    with (
        stop_signals("Stopping: running tasks save first.") as stop,
        Progress(total=total, desc=plan.name, unit=unit) as progress,
    ):
        while scheduler.step():
            progress.n = sum(task.kind == unit and scheduler.states[task.id] in (DONE, PRUNED) for task in scheduler.plan.tasks)
            progress.refresh()
            if stop:
                launcher.stop()
                if search is not None:
                    search.close()
                raise Interrupted(stop[0], folder)
            time.sleep(POLL_SECONDS)
    collect(scheduler.plan, folder)
    if search is not None:
        search.close()
    return sum(task.kind in ("cell", "controls") and scheduler.states[task.id] != DONE for task in scheduler.plan.tasks)


class _Scheduler:
    """search: what the plan's tasks grow from, if it is one's."""

    def __init__(self, plan: Plan, folder: Path, launcher: Launcher, search: Search | None):
        self.plan, self.folder, self.launcher, self.search = plan, folder, launcher, search
        self.places: dict[str, Place] = {}
        self.starts: Counter[str] = Counter()  # since it last got further
        self.reached: dict[str, int] = {}
        self.states: dict[str, str] = {}
        self._look()
        left = launcher.found()  # in a queue, by a sweep before this one; of what the file no longer asks for none is needed
        self.in_flight = left & self.places.keys()
        launcher.stop_jobs(left - self.in_flight)

    def retry(self) -> None:
        for here in self.places.values():
            here.retry()
        if self.search is not None:
            self.search.retry()

    def _look(self) -> None:
        """Read the states; tasks that are new get their folders first."""
        for task in self.plan.tasks:
            if task.id not in self.places:
                self.places[task.id] = place(self.folder, task)
                self.places[task.id].write(task)
        self.states = {task.id: self.places[task.id].state() for task in self.plan.tasks}

    def step(self) -> bool:
        """Note what has ended, start what can be. Returns whether anything is still to be waited for."""
        for task_id, code in self.launcher.poll().items():
            if task_id in self.in_flight:
                self.in_flight.discard(task_id)
                self._ended(task_id, code)
        self._look()
        if self.search is not None:
            ours = self.in_flight.union(task_id for task_id, state in self.states.items() if state == WAITING)
            self.plan = self.search.step(self.launcher.parallel - len(ours))
            self._look()
        self.launcher.stop_jobs([task_id for task_id in self.in_flight if self.states[task_id] == PRUNED])
        ready = [task for task in self.plan.tasks if self._ready(task)]
        chosen = ready[: max(self.launcher.parallel - len(self.in_flight), 0)]
        if chosen:
            self.starts.update(task.id for task in chosen)
            self.in_flight.update(task.id for task in chosen)
            self.launcher.start([self._job(task) for task in chosen])
        return bool(self.in_flight or ready or RUNNING in self.states.values())

    def _ready(self, task: Task) -> bool:
        return (
            self.states[task.id] == WAITING
            and task.id not in self.in_flight
            and all(self.states[need] == DONE for need in task.needs)
        )

    def _job(self, task: Task) -> Job:
        here = self.places[task.id]
        return Job(task.id, [sys.executable, "-m", "gan", "sweep", "task", str(self.folder), task.id], here.log)

    def _ended(self, task_id: str, code: int | None) -> None:
        """What is to be said of a task whose process is gone. code: None where only its folder can tell."""
        here = self.places[task_id]
        if here.state() in (DONE, FAILED, PRUNED) or code == TAKEN:
            if here.state() == FAILED:
                Progress.write(f"failed: {here.path.name}: {here.reason()}")
            return
        if code is None or code < 0 or code > 128 or here.was_stopped():  # killed, or stopped by somebody else: it goes on
            if here.step() > self.reached.get(task_id, -1):
                self.reached[task_id], self.starts[task_id] = here.step(), 1
            if self.starts[task_id] < STARTS:
                return
            how = "left the queue" if code is None else f"was ended by signal {-code if code < 0 else code - 128}"
            here.fail(f"{how} {STARTS} times without getting further (not enough memory?)")
        else:
            here.fail(f"ended with exit code {code}: {(here.last_lines() or ['nothing in its log'])[-1]}")
        Progress.write(f"failed: {here.path.name}: {here.reason()}")
