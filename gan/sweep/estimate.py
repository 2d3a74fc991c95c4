"""What a sweep will take, before it starts: each kind of cell's step is measured, or known from cells that have run."""

from __future__ import annotations

import inspect
import json
import math
import statistics
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from evaluation.progress import Progress
from gan import recipes
from gan.build import arguments_of
from gan.config import Config
from gan.data.corpora import open_corpus
from gan.launchers.base import Launcher
from gan.run import choose_device
from gan.sweep.folder import DONE, PRUNED, place, speed
from gan.sweep.plan import Plan, Task, in_one_line
from gan.sweep.search import open_search
from gan.training.loop import Trainer
from gan.training.start import settled

MEASURED_STEPS = 2  # after one that does not count


def overview(plan: Plan, folder: Path) -> str:
    """The cells, what is done, and an estimate of the rest. Renders corpora and trains face nets that are not there yet."""
    search = open_search(plan, folder)
    plan = plan if search is None else search.expected()
    states = {task.id: place(folder, task).state() for task in plan.tasks}
    left = [task for task in plan.tasks if states[task.id] not in (DONE, PRUNED)]
    needed = estimates(plan, folder, left)
    width = max(len(task.title) for task in plan.tasks)
    lines = [f"{'':8} {'state':8} {'':{width}} {'steps':>8} {'training':>9} {'disk':>8}"]
    for task in plan.tasks:
        minutes, megabytes = needed.get(task.id, (0.0, 0.0))
        steps = f"{task.config.train.steps:,}" if task.kind != "controls" else ""
        estimate = f"{minutes:5.1f} min {megabytes:5.0f} MB" if task.id in needed and task.kind != "controls" else ""
        lines.append(f"{task.kind:8} {states[task.id]:8} {task.title:{width}} {steps:>8} {estimate}".rstrip())
    hours, gigabytes = _total(needed)
    launcher, chosen = arguments_of(Launcher, {"name": "local"} | plan.file.launcher, "launcher", folder=folder)
    parallel = chosen.get("parallel", inspect.signature(launcher).parameters["parallel"].default)
    evaluation = _evaluation_minutes(plan, folder)
    cells = len([task for task in left if task.kind == "cell"])
    trained, scored = (
        ", ".join(dict.fromkeys(corpora))
        for corpora in (
            [task.config.data.corpus for task in plan.tasks if task.kind != "controls"],
            [str(task.corpus) for task in plan.cells],
        )
    )
    protocols = ", ".join(dict.fromkeys(task.config.evaluation.protocol for task in plan.cells))
    lines.append(f"Trained on {trained}; scored on {scored}, protocol {protocols}.")
    lines.append(
        f"{len(plan.tasks) - len(left)} of {len(plan.tasks)} tasks done. Left: {hours:.2g} h of training "
        + (
            f"and {cells * evaluation / 60:.2g} h of evaluation"
            if evaluation is not None
            else "and an evaluation a cell, not timed yet"
        )
        + f", shared by {parallel} at a time; about {gigabytes:.2g} GB of checkpoints."
    )
    return ("" if search is None else search.overview()) + "\n".join(lines) + "\n"


def check_budget(plan: Plan, folder: Path) -> None:
    """Raises ValueError if what is left to do is estimated above the sweep's budget."""
    budget = plan.file.budget
    if budget.hours is None and budget.gigabytes is None:
        return
    search = open_search(plan, folder)
    plan = plan if search is None else search.expected()
    left = [task for task in plan.tasks if place(folder, task).state() not in (DONE, PRUNED)]
    hours, gigabytes = _total(estimates(plan, folder, left))
    for key, needed, allowed in (("hours", hours, budget.hours), ("gigabytes", gigabytes, budget.gigabytes)):
        if allowed is not None and needed > allowed:
            raise ValueError(f"budget.{key}: about {needed:.3g} are needed, {allowed:g} allowed. See --dry-run.")


def estimates(plan: Plan, folder: Path, tasks: list[Task]) -> dict[str, tuple[float, float]]:
    """By id, minutes of training and megabytes of checkpoints still needed."""
    known: dict[str, tuple[float, float]] = {}
    for task in plan.tasks:
        if task.kind != "controls" and (samples := speed(place(folder, task))) is not None:
            known[_like(task.config)] = task.config.train.batch_size / samples, _megabytes_of(folder, task)
    found = {}
    for task in Progress(tasks, desc="estimate", unit="task", leave=False):
        if task.kind == "controls" or task.trained is not None:
            found[task.id] = 0.0, 0.0
            continue
        if _like(task.config) not in known or not all(map(math.isfinite, known[_like(task.config)])):
            try:
                known[_like(task.config)] = measured(task.config)
            except Exception as error:  # such as too little memory: it is this cell's, not the sweep's
                raise ValueError(f"{task.title}: {in_one_line(error)}") from error
        scalars = place(folder, task).scalars()
        steps = task.config.train.steps - (int(scalars[-1]["step"]) if scalars else 0)
        seconds, megabytes = known[_like(task.config)]
        found[task.id] = max(steps, 0) * seconds / 60, megabytes
    return found


def _total(needed: dict[str, tuple[float, float]]) -> tuple[float, float]:
    """Hours and gigabytes."""
    return sum(minutes for minutes, _ in needed.values()) / 60, sum(megabytes for _, megabytes in needed.values()) / 1000


def _like(config: Config) -> str:
    """The same for configs whose steps cost the same."""
    plain = asdict(replace(config, train=replace(config.train, seed=0, steps=1)))
    del plain["evaluation"], plain["optimizer"], plain["logging"]
    return json.dumps(plain, sort_keys=True)


def measured(config: Config) -> tuple[float, float]:
    """Seconds a step takes here, and megabytes of the checkpoints that are kept."""
    alone = settled(recipes.with_overrides(config, ["train.init_from=null", "train.init_modules=[]"]))
    if config.train.threads is not None:
        torch.set_num_threads(config.train.threads)
    trainer = Trainer(alone, open_corpus(config.data.corpus), Path(), choose_device(config.train.device))
    trainer.training_mode()
    seconds = []
    for step in range(1 + MEASURED_STEPS):
        start = time.perf_counter()
        trainer.one_step(trainer.batches[step].to(trainer.device), measure=False)
        if trainer.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    weights = sum(tensor.nbytes for tensor in trainer.weights().values())
    trained = sum(p.nbytes for module in (trainer.model, trainer.losses) for p in module.parameters() if p.requires_grad)
    # Adam keeps two numbers for each that is trained; one more checkpoint is there while the oldest still is.
    return statistics.mean(seconds[1:]), (weights + 2 * trained) * (config.train.keep_last + 1) / 1e6


def _megabytes_of(folder: Path, task: Task) -> float:
    """Of a task that has run: its checkpoints as they lie there. NaN if there are none yet."""
    files = [file.stat().st_size for file in (place(folder, task).run / "checkpoints").glob("step-*/*")]
    return sum(files) / 1e6 if files else math.nan


def _evaluation_minutes(plan: Plan, folder: Path) -> float | None:
    """Of a cell, the mean of those evaluated so far."""
    seconds = [place(folder, task).done()["evaluate_seconds"] for task in plan.cells if place(folder, task).state() == DONE]
    return statistics.mean(seconds) / 60 if seconds else None
