"""The tasks' results rows -> the sweep's: results.jsonl, tables and pictures, in the order of its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evaluation.tables.layout import layout_of
from evaluation.tables.plots import draw
from evaluation.tables.rows import csv
from evaluation.tables.table import latex, markdown
from gan.files import write_atomically
from gan.scoring.rows import read_rows
from gan.sweep.folder import DONE, FAILED, Place, place
from gan.sweep.plan import Plan, Task


def collect(plan: Plan, folder: Path) -> None:
    """Write folder/results.jsonl and the tables from what is done, what is missing with its reason; and the plots of the columns
    that the sweep's `table` names.
    """
    layout = layout_of(plan.file.table)
    found = [*rows(plan, folder), *missing(plan, folder)]
    within = [row | _path_within(row, folder) for row in found]
    write_atomically(folder / "results.jsonl", "".join(json.dumps(row) + "\n" for row in within).encode())
    first = plan.cells[0].label if plan.cells else ""
    pairs = None if plan.file.table else [(first, str(row["system"])) for row in found if row["system"] != first]
    for suffix, written in (
        ("md", markdown(found, Path(), pairs, layout)),
        ("tex", latex(found, Path(), pairs, layout)),
        ("csv", csv(within)),
    ):
        write_atomically(folder / f"table.{suffix}", written.encode())
    if layout.columns:
        draw(found, folder / "plots", layout)


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


def missing(plan: Plan, folder: Path) -> list[dict[str, Any]]:
    """A row each for the cells, and control rows, that have no scores: why."""
    found = []
    states = {task.id: place(folder, task).state() for task in plan.tasks}
    names = {task.id: task for task in plan.tasks}
    for task in plan.tasks:
        if task.kind not in ("controls", "cell") or states[task.id] == DONE:
            continue
        stage = next((need for need in _all_needs(task, names) if states[need] == FAILED), None)
        reason = states[task.id]
        if reason == FAILED:
            reason = place(folder, task).reason()
        elif stage is not None:
            reason = f"its stage {names[stage].label} failed: {place(folder, names[stage]).reason()}"
        row = dict(system=task.label, missing=reason, failed=FAILED in (states[task.id], states.get(stage or "")))
        if task.kind == "cell":
            row |= dict(recipe=task.label, training_seed=task.seed, axes=task.axes)
        found.append(row)
    return found


def _all_needs(task: Task, tasks: dict[str, Task]) -> list[str]:
    return [found for need in task.needs for found in (need, *_all_needs(tasks[need], tasks))]


def _named(row: dict[str, Any], task: Task, here: Place) -> dict[str, Any]:
    control = row["system"] != here.run.name
    label = f"shuffled {task.label}" if control else task.label
    return row | dict(system=label, recipe=label, run=here.path.name, axes=task.axes, train_seconds=here.done()["train_seconds"])


def _path_within(row: dict[str, Any], folder: Path) -> dict[str, str]:
    return {"scores": str(Path(row["scores"]).relative_to(folder))} if "scores" in row else {}
