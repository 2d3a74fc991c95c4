"""The tasks' results rows -> the sweep's: results.jsonl, tables and pictures, in the order of its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gan.data.corpus import write_atomically
from gan.evaluate import read_rows
from gan.sweep.folder import DONE, FAILED, Place, place
from gan.sweep.plan import Plan, Task


def collect(plan: Plan, folder: Path) -> None:
    """Write folder/results.jsonl and the tables from what is done."""
    found = rows(plan, folder)
    text = "".join(json.dumps(row | _path_within(row, folder)) + "\n" for row in found)
    write_atomically(folder / "results.jsonl", text.encode())


def rows(plan: Plan, folder: Path) -> list[dict[str, Any]]:
    """Every row of the sweep. Those of a cell go by its label, whatever its run's folder is called."""
    found = []
    for task in plan.tasks:
        here = place(folder, task)
        if task.kind in ("stage", "trial") or here.state() != DONE:
            continue
        for row in read_rows(here.results / "results.jsonl"):
            found.append(_named(row, task, here) if task.kind == "cell" else row)
    return found


def missing(plan: Plan, folder: Path) -> dict[str, str]:
    """By title, why a cell, or the control rows, are not there."""
    reasons = {}
    states = {task.id: place(folder, task).state() for task in plan.tasks}
    names = {task.id: task for task in plan.tasks}
    for cell in plan.tasks:
        if cell.kind not in ("controls", "cell") or states[cell.id] == DONE:
            continue
        failed = next((need for need in _all_needs(cell, names) if states[need] == FAILED), None)
        if states[cell.id] == FAILED:
            reasons[cell.title] = place(folder, cell).reason()
        elif failed is not None:
            reasons[cell.title] = f"its stage {names[failed].label} failed: {place(folder, names[failed]).reason()}"
        else:
            reasons[cell.title] = states[cell.id]
    return reasons


def _all_needs(task: Task, tasks: dict[str, Task]) -> list[str]:
    return [found for need in task.needs for found in (need, *_all_needs(tasks[need], tasks))]


def _named(row: dict[str, Any], task: Task, here: Place) -> dict[str, Any]:
    control = row["system"] != here.run.name
    label = f"shuffled {task.label}" if control else task.label
    return row | dict(system=label, recipe=label, run=here.path.name, axes=task.axes, train_seconds=here.done()["train_seconds"])


def _path_within(row: dict[str, Any], folder: Path) -> dict[str, str]:
    return {"scores": str(Path(row["scores"]).relative_to(folder))} if "scores" in row else {}
