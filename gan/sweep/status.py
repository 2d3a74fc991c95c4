"""How far a sweep is: a table of its tasks, renewed while somebody looks."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gan.config import nearest
from gan.sweep.collect import rows
from gan.sweep.folder import DONE, FAILED, RUNNING, Place, place, speed
from gan.sweep.plan import Plan, Task
from gan.sweep.search import grown, open_search

RENEW_SECONDS = 2.0
HOME_AND_CLEAR = "\x1b[H\x1b[J"


def show(plan: Plan, folder: Path) -> None:
    """Print the table; on a terminal, again and again while anything runs, until Ctrl-C."""
    live, search = sys.stdout.isatty(), open_search(plan, folder)
    while True:
        plan = plan if search is None else search.known()
        states = {task.id: place(folder, task).state() for task in plan.tasks}
        print((HOME_AND_CLEAR if live else "") + table(plan, folder, states), end="", flush=True)
        if not live or RUNNING not in states.values():
            return
        time.sleep(RENEW_SECONDS)


def table(plan: Plan, folder: Path, states: dict[str, str]) -> str:
    """A line a task, the failed ones' reasons, what is left, and the best so far."""
    if not plan.tasks:
        return f"{plan.name}: no trial asked for yet.\n"
    width = max(len(task.title) for task in plan.tasks)
    lines = []
    for task in plan.tasks:
        here = place(folder, task)
        lines.append(f"{states[task.id]:8} {task.kind:8} {task.title:{width}}  {_progress(task, here, states[task.id])}".rstrip())
    counts = [f"{list(states.values()).count(state)} {state}" for state in dict.fromkeys(states.values())]
    lines.append(f"{plan.name}: {', '.join(counts)}.")
    for task in plan.tasks:
        if states[task.id] == FAILED:
            here = place(folder, task)
            lines += [
                f"failed: {task.title}: {here.reason()}",
                *(f"    {line}" for line in here.last_lines()),
                f"    whole log: {here.log}",
            ]
    if trial := _best_trial(plan, folder, states):
        lines.append(trial)
    if best := _best(rows(plan, folder)):
        lines.append(best)
    return "\n".join(lines) + "\n"


def log(plan: Plan, folder: Path, axes: Sequence[str]) -> str:
    """The log of the one cell with these axis=label. Raises ValueError unless it is one, and has begun."""
    plan, wanted = grown(plan, folder), {}
    cells = [task for task in plan.tasks if task.kind in ("cell", "trial")]
    for entry in axes:
        axis, equals, label = entry.partition("=")
        known = {"seed": None, **{axis: None for cell in cells for axis in cell.axes}}
        if not equals or axis not in known:
            raise ValueError(f"{entry}: no such axis. Allowed: axis=label with {', '.join(known)}." + nearest(axis, known))
        wanted[axis] = label
    found = [
        cell for cell in cells if all((cell.axes | {"seed": str(cell.seed)}).get(axis) == label for axis, label in wanted.items())
    ]
    if len(found) != 1:
        titles = "; ".join(cell.title for cell in (found or cells)[:8])
        raise ValueError(f"{' '.join(axes) or 'no axis'}: {len(found)} cells are so. Name one: {titles}.")
    here = place(folder, found[0])
    if not here.log.exists():
        raise ValueError(f"{found[0].title}: has no log yet.")
    return here.log.read_text(encoding="utf-8", errors="replace")


def _progress(task: Task, here: Place, state: str) -> str:
    if task.kind == "trial" and (best := here.best()):
        where = f"{best['metric']} {best['value']:.4g} at step {best['step']:,}"
        return where if state != RUNNING else f"{_progress(replace(task, kind='stage'), here, state)}, {where}"
    if task.kind == "controls" or state == DONE:
        return ""
    scalars, steps = here.scalars(), task.config.train.steps
    if not scalars:
        return f"step 0 of {steps:,}" if state == RUNNING else ""
    step = int(scalars[-1]["step"])
    if step >= steps and task.kind == "cell":
        return "evaluating" if state == RUNNING else "trained, not scored yet"
    samples = speed(here)
    left = f", {(steps - step) * task.config.train.batch_size / samples / 60:.1f} min left" if samples is not None else ""
    return f"step {step:,} of {steps:,}" + (left if state == RUNNING else "")


def _best_trial(plan: Plan, folder: Path, states: dict[str, str]) -> str:
    done = {
        task.title: place(folder, task).best()["value"] for task in plan.tasks if task.kind == "trial" and states[task.id] == DONE
    }
    if not done:
        return ""
    own = plan.file.search
    best = (min if own.mode == "min" else max)(done, key=lambda title: done[title])
    return f"Best {own.metric} on {own.split} of {len(done)} of {own.trials} trials: {done[best]:.4g}, {best}."


def _best(found: list[dict[str, Any]]) -> str:
    """The best system by the first metric that has a better end, mean over seeds."""
    scored = [
        row
        for row in found
        if row.get("axes") is not None and not row["control"] and row["value"] is not None and row["higher_is_better"] is not None
    ]
    if not scored:
        return ""
    first = scored[0]
    alike = ("metric", "split", "protocol", "extractor", "corpus_checksum")
    same = [row for row in scored if all(row[key] == first[key] for key in alike)]
    means = {
        label: statistics.mean(row["value"] for row in same if row["system"] == label)
        for label in dict.fromkeys(row["system"] for row in same)
    }
    label = (max if first["higher_is_better"] else min)(means, key=lambda name: means[name])
    where = f"{first['split']}, {first['protocol']['seconds']:g} s"
    return f"Best {first['metric']} so far on {where}: {means[label]:.4g}, {label}, of {len(means)}."
