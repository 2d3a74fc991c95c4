"""One process' share of a sweep: a cell, a stage or the controls. Started again at any time, it goes on where it stopped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from gan import checkpoint, distributed
from gan.build import foreign_code
from gan.data.corpora import open_corpus
from gan.lease import TAKEN, Lease
from gan.run import Run
from gan.run import load as load_run
from gan.scoring.evaluate import evaluate_all
from gan.scoring.rows import read_rows
from gan.scoring.systems import make_systems, possible
from gan.signals import Stopped
from gan.sweep.folder import DONE, PRUNED, Place, find, speed
from gan.sweep.plan import Task, in_one_line
from gan.training.logger import tell_cell
from gan.training.start import train_at


class Taken(Exception):
    """Another process does this task."""

    exit_code = TAKEN


def perform(folder: Path, task_id: str) -> None:
    """Do a task of a sweep's folder, unless it is done.

    Raises Taken, Stopped after a signal (saved first), and whatever makes the task fail, after writing failed.json.
    """
    there = find(folder, task_id)
    if there is None or not (there.path / "task.json").exists():
        raise ValueError(f"{folder}: no task {task_id} in it. See voxface sweep status {folder}.")
    task, first = there.task(), True
    place = Place(there.path, task.scoring)
    with ExitStack() as held:
        with distributed.joined():
            first = distributed.rank() == 0
            lease = held.enter_context(found) if first and (found := Lease.take(place.lease)) is not None else None
            to_do = lease is not None and place.state() not in (DONE, PRUNED)
            if not distributed.highest(int(to_do)):  # the first process decides for all that train together
                if first and lease is None:
                    raise Taken(f"{place.path.name}: another process is at it.")
                return
            with _told(place) if first else nullcontext():
                if task.kind != "controls" and task.trained is None:
                    train_at(task.config, place.run, _initial(task, folder))
        if first:
            with _told(place):
                place.finish(**_scored(place, task, folder))


@contextmanager
def _told(place: Place) -> Iterator[None]:
    """Whatever goes wrong within belongs into the report of the sweep, not only into this log."""
    place.retry()
    try:
        yield
    except Stopped:
        place.note_stop()
        raise
    except Exception as error:
        place.fail(in_one_line(error))
        raise


def _scored(place: Place, task: Task, folder: Path) -> dict[str, float]:
    """What is to be noted of a task that is trained; a cell and the controls are scored first."""
    if task.kind == "controls":
        return {"evaluate_seconds": _evaluate(place, task, None)}
    trained = place if task.trained is None else find(folder, task.trained)
    assert trained is not None
    about = {"train_seconds": _train_seconds(trained, task)}
    if task.kind == "cell":
        drawing = trained.run if trained.task().kind != "trial" else trained.best_checkpoint
        own_code = [name.partition(".")[0] for _, name in foreign_code(task.config)]  # named by the sweep, not by the run
        about["evaluate_seconds"] = _evaluate(place, task, load_run(drawing, task.config.train.device, own_code))
        _tell(place, task)
    return about


def _tell(place: Place, task: Task) -> None:
    """The cell's scores beside its axes, for TensorBoard."""
    scores = {
        f"{row['split']}/{row['protocol']['seconds']:g} s/{row['metric']}": row["value"]
        for row in read_rows(place.results / "results.jsonl")
        if row["value"] is not None and not row["system"].startswith("shuffled ")
    }
    shutil.rmtree(place.path / "tensorboard", ignore_errors=True)
    tell_cell(place.path / "tensorboard", task.axes | {"seed": task.seed}, scores)


def _initial(task: Task, folder: Path) -> checkpoint.Checkpoint | None:
    """The checkpoint a task's training starts from: its stage's, or the one named by train.init_from."""
    if not task.needs and task.config.train.init_from is None:
        return None
    before = find(folder, task.needs[0]) if task.needs else None
    return checkpoint.of_run(before.run if before is not None else Path(str(task.config.train.init_from)))


def _evaluate(place: Place, task: Task, run: Run | None) -> float:
    """Write results/: of a cell the run and the same faces shuffled, of controls all the corpus can have. Returns seconds."""
    started, settings = time.perf_counter(), task.config.evaluation
    corpus = open_corpus(str(task.corpus))
    names = ["shuffled"] if run is not None else possible(corpus, runs=False)
    systems = [(system, run) for system in make_systems(run, names, corpus)]
    partial = place.path / "results.partial"
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was stopped: a line may be cut, features are cached
    for system, _, condition, _ in evaluate_all(systems, corpus, settings, settings.splits, partial, task.face_size):
        print(f"evaluated {system.name} on {condition.split}, {condition.seconds:g} s", flush=True)
    shutil.rmtree(place.results, ignore_errors=True)
    partial.rename(place.results)
    return round(time.perf_counter() - started, 1)


def _train_seconds(place: Place, task: Task) -> float:
    """Of the whole training, from the median speed: what was lost when it was stopped does not count."""
    samples = speed(place)
    return round(task.config.train.steps * task.config.train.batch_size / samples, 1) if samples is not None else 0.0
