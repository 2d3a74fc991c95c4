"""One process' share of a sweep: a cell, a stage or the controls. Started again at any time, it goes on where it stopped."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from gan import checkpoint, generate
from gan.build import foreign_code
from gan.data.corpora import open_corpus
from gan.evaluate import append, build_metrics, evaluate_system, rows
from gan.generate import Run
from gan.sweep.folder import DONE, PRUNED, Place, find, speed
from gan.sweep.lease import TAKEN, Lease
from gan.sweep.plan import Task, in_one_line
from gan.systems import System, possible, systems
from gan.train import Stopped, train_at


class Taken(Exception):
    """Another process does this task."""

    exit_code = TAKEN


def perform(folder: Path, task_id: str) -> None:
    """Do a task of a sweep's folder, unless it is done.

    Raises Taken, Stopped after a signal (saved first), and whatever makes the task fail, after writing failed.json.
    """
    place = find(folder, task_id)
    if place is None or not (place.path / "task.json").exists():
        raise ValueError(f"{folder}: no task {task_id} in it. See voxface sweep status {folder}.")
    lease = Lease.take(place.lease)
    if lease is None:
        raise Taken(f"{place.path.name}: another process is at it.")
    with lease:
        if place.state() in (DONE, PRUNED):
            return
        place.retry()
        try:
            about = _perform(place, folder)
        except Stopped:
            raise
        except Exception as error:      # whatever it is belongs into the report of the sweep, not only into this log
            place.fail(in_one_line(error))
            raise
        place.finish(**about)


def _perform(place: Place, folder: Path) -> dict[str, float]:
    task = place.task()
    if task.kind == "controls":
        return {"evaluate_seconds": _evaluate(place, task, None)}
    trained = place if task.trained is None else find(folder, task.trained)
    assert trained is not None
    if task.trained is None:
        train_at(task.config, place.run, _initial(task, folder))
    about = {"train_seconds": _train_seconds(trained, task)}
    if task.kind == "cell":
        drawing = trained.run if trained.task().kind != "trial" else trained.best_checkpoint
        own_code = [name.partition(".")[0] for _, name in foreign_code(task.config)]    # named by the sweep, not by the run
        about["evaluate_seconds"] = _evaluate(place, task, generate.load(drawing, task.config.train.device, own_code))
    return about


def _initial(task: Task, folder: Path) -> checkpoint.Checkpoint | None:
    """The checkpoint a task's training starts from: its stage's, or the one named by train.init_from."""
    if not task.needs and task.config.train.init_from is None:
        return None
    before = find(folder, task.needs[0]) if task.needs else None
    return checkpoint.of_run(before.run if before is not None else Path(str(task.config.train.init_from)))


def _evaluate(place: Place, task: Task, run: Run | None) -> float:
    """Write results/: of a cell the run and the same faces shuffled, of controls all the corpus can have. Returns seconds."""
    started, settings = time.perf_counter(), task.config.evaluation
    corpus, metrics = open_corpus(str(task.corpus)), build_metrics(settings)
    names = ["shuffled"] if run is not None else possible(corpus, runs=False)
    scored: list[System] = systems(run, names, corpus)
    partial = place.path / "results.partial"
    shutil.rmtree(partial, ignore_errors=True)      # of a process that was stopped: a line may be cut, features are cached
    for split in settings.splits:
        for seconds in settings.seconds:
            for system in scored:
                evaluated = evaluate_system(system, corpus, settings, split, seconds, task.face_size, metrics)
                append(partial, rows(evaluated, system, run, corpus, settings, split, seconds), evaluated)
                print(f"evaluated {system.name} on {split}, {seconds:g} s", flush=True)
    shutil.rmtree(place.results, ignore_errors=True)
    partial.rename(place.results)
    return round(time.perf_counter() - started, 1)


def _train_seconds(place: Place, task: Task) -> float:
    """Of the whole training, from the median speed: what was lost when it was stopped does not count."""
    samples = speed(place)
    return round(task.config.train.steps * task.config.train.batch_size / samples, 1) if samples is not None else 0.0
