import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from gan import checkpoint
from gan.data.corpora import open_corpus
from gan.lease import TAKEN, Lease
from gan.scoring.rows import read_rows
from gan.signals import Stopped
from gan.sweep import collect
from gan.sweep import task as tasks
from gan.sweep.folder import DONE, FAILED, WAITING, Place, place
from gan.sweep.plan import Plan, Task
from gan.sweep.task import Taken, perform
from gan.training.loop import Trainer
from tests.gan.sweep.conftest import finish

Quick = Callable[..., Plan]


def put(folder: Path, task: Task) -> Place:
    here = place(folder, task)
    here.write(task)
    return here


def started(folder: Path, task: Task, before: str = "") -> subprocess.Popen[bytes]:
    """The process a launcher starts, its output in the task's log. before: code that it runs first."""
    code = f"{before}\nimport sys; from gan.__main__ import main; sys.exit(main(sys.argv[1:]))"
    with open(place(folder, task).log, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code, "sweep", "task", str(folder), task.id], stdout=log, stderr=subprocess.STDOUT
        )


# -- done ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_cell_is_trained_and_scored(quick: Quick, tmp_path: Path) -> None:
    plan = quick(variants={"full": {}}, seeds=[3])
    cell = plan.cells[0]
    here = put(tmp_path, cell)
    here.fail("as it did before")
    perform(tmp_path, cell.id)
    assert here.state() == DONE
    assert sorted(path.name for path in here.path.iterdir() if not path.name.startswith(".")) == [
        "config.yaml",
        f"results-{cell.scoring}",
        "run",
        "task.json",
        "tensorboard",
    ]
    assert here.done()["train_seconds"] > 0
    assert here.done()["evaluate_seconds"] > 0
    found = collect.rows(plan, tmp_path)
    assert [(row["system"], row["control"], row["split"], row["metric"]) for row in found] == [
        (system, system != "full", split, "l1")
        for split in ("unseen_speech", "unseen_speaker")
        for system in ("full", "shuffled full")
    ]
    assert {row["training_seed"] for row in found} == {3}
    assert {row["weights"] for row in found} == {checkpoint.of_run(here.run).weights_checksum}
    assert all(np.load(row["scores"])["value"].size for row in found)


def test_a_task_that_is_done_is_not_done_again(quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = quick().cells
    finish(tmp_path, cell)
    monkeypatch.setattr(tasks, "train_at", None)
    perform(tmp_path, cell.id)


@pytest.mark.slow
def test_under_another_protocol_a_cell_is_scored_again_and_not_trained(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (quick(variants={"full": {}}, evaluate={"splits": ["unseen_speaker"], "runs": runs}) for runs in (1, 2))
    put(tmp_path, one.cells[0])
    perform(tmp_path, one.cells[0].id)
    weights = checkpoint.of_run(place(tmp_path, one.cells[0]).run).weights_checksum
    here = put(tmp_path, other.cells[0])
    assert here.path == place(tmp_path, one.cells[0]).path
    assert (here.state(), place(tmp_path, one.cells[0]).state()) == (WAITING, DONE)
    monkeypatch.setattr(Trainer, "one_step", None)
    perform(tmp_path, other.cells[0].id)
    found = [collect.rows(plan, tmp_path) for plan in (one, other)]
    assert [{row["protocol"]["runs"] for row in rows} for rows in found] == [{1}, {2}]  # both are there
    assert {row["weights"] for rows in found for row in rows} == {weights}


def test_what_failed_under_another_protocol_is_done_under_this_one(quick: Quick, tmp_path: Path) -> None:
    one, other = (quick(evaluate={"runs": runs}).cells[0] for runs in (1, 2))
    put(tmp_path, one).fail("no memory")
    here = put(tmp_path, other)
    assert (here.state(), here.reason()) == (WAITING, "")
    assert place(tmp_path, one).state() == FAILED


def test_controls_are_scored_on_the_corpus_of_the_sweep(quick: Quick, tmp_path: Path) -> None:
    plan = quick(set={"data.corpus": "toy:demo"}, evaluate={"corpus": "toy:tiny", "splits": ["unseen_speaker"]})
    here = put(tmp_path, plan.tasks[0])
    perform(tmp_path, plan.tasks[0].id)
    found = read_rows(here.results / "results.jsonl")
    assert {row["corpus_checksum"] for row in found} == {open_corpus("toy:tiny").checksum}
    assert [row["system"] for row in found] == ["noise", "prior", "attribute-oracle", "oracle-voice", "oracle-identity"]


def test_rows_of_an_evaluation_that_was_stopped_are_not_kept(quick: Quick, tmp_path: Path) -> None:
    plan = quick(evaluate={"splits": ["unseen_speaker"]})
    here = put(tmp_path, plan.tasks[0])
    for left in (here.results, here.path / "results.partial"):
        left.mkdir()
        (left / "results.jsonl").write_text('{"system": "cut', encoding="utf-8")
    perform(tmp_path, plan.tasks[0].id)
    assert len(read_rows(here.results / "results.jsonl")) == 5
    assert not (here.path / "results.partial").exists()


@pytest.mark.slow
def test_a_cell_starts_from_its_stage_and_a_stage_may_be_a_cell(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.yaml").write_text("base: sf2f-64-tiny\nlosses: {perceptual: null}\ntrain: {steps: 6}\n", encoding="utf-8")
    (tmp_path / "second.yaml").write_text(
        "base: sf2f-64-tiny\ntrain: {init_from: first.yaml, init_modules: [encoder]}\n", encoding="utf-8"
    )
    plan = quick(grid={"base": ["first.yaml", "second.yaml"]}, set={"train.frozen": []})
    frozen = quick(base="second.yaml", set={"train.frozen": ["encoder"]})
    folder = tmp_path / "sweep"
    first, second = (put(folder, task) for task in plan.tasks[1:])
    held = put(folder, frozen.cells[0])
    assert frozen.cells[0].needs == (plan.tasks[1].id,)
    for task in (*plan.tasks[1:], frozen.cells[0]):
        perform(folder, task.id)
    rows = collect.rows(plan, folder)
    weights = {row["system"]: row["weights"] for row in rows}
    assert weights["first.yaml"] == checkpoint.of_run(first.run).weights_checksum
    assert weights["second.yaml"] == checkpoint.of_run(second.run).weights_checksum != weights["first.yaml"]
    before, after = (checkpoint.of_run(run).weights for run in (first.run, held.run))
    parts = [name for name in after if name.startswith("model.generator.encoder.")]
    assert parts
    assert all(torch.equal(before[name], after[name]) for name in parts)


# -- taken, stopped, killed -----------------------------------------------------------------------------------------------


def test_a_task_somebody_else_does_is_left_to_them(quick: Quick, tmp_path: Path) -> None:
    (cell,) = quick().cells
    here = put(tmp_path, cell)
    with Lease.take(here.lease), pytest.raises(Taken, match=here.path.name) as caught:  # type: ignore[union-attr]
        perform(tmp_path, cell.id)
    assert caught.value.exit_code == TAKEN
    assert here.state() == WAITING


@pytest.mark.parametrize("task_id", ["00000000", "*", "../x", ""])
def test_a_task_there_is_not(tmp_path: Path, quick: Quick, task_id: str) -> None:
    put(tmp_path, quick().cells[0])
    with pytest.raises(ValueError, match="no task"):
        perform(tmp_path, task_id)


def test_a_task_asked_to_stop_has_not_failed(quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = quick().cells
    here = put(tmp_path, cell)

    def stopped(*_: Any) -> None:
        raise Stopped(signal.SIGTERM, 3, here.run)

    monkeypatch.setattr(tasks, "train_at", stopped)
    with pytest.raises(Stopped):
        perform(tmp_path, cell.id)
    assert here.state() == WAITING
    assert not here.lease.exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_cell_interrupted_anywhere_ends_as_if_undisturbed(quick: Quick, tmp_path: Path, number: signal.Signals) -> None:
    """Interrupted in its training, and once more in its evaluation."""
    plan = quick(
        variants={"full": {}},
        evaluate={"runs": 4, "seconds": [0.5, 0.6]},
        set={"train.steps": 120, "train.save_every": 10, "optimizer.decay_from": 40, "train.threads": 1},
    )
    cell = plan.cells[0]
    undisturbed, here = put(tmp_path / "a", cell), put(tmp_path / "b", cell)
    perform(tmp_path / "a", cell.id)

    def interrupt(ready: Callable[[], bool]) -> int:
        process = started(tmp_path / "b", cell)
        deadline = time.monotonic() + 120
        while not ready() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(number)
        code = process.wait()
        assert here.state() == WAITING, here.last_lines()
        return code

    assert interrupt(lambda: len(here.scalars()) > 25) == (128 + number if number == signal.SIGTERM else -number)
    assert 20 <= checkpoint.of_run(here.run).step < 120
    assert interrupt((here.path / "results.partial" / "results.jsonl").exists) == -number
    assert started(tmp_path / "b", cell).wait() == 0

    assert checkpoint.of_run(here.run).weights_checksum == checkpoint.of_run(undisturbed.run).weights_checksum
    found, expected = (
        [
            {key: value for key, value in row.items() if key not in ("train_seconds", "scores")}
            for row in collect.rows(plan, folder)
        ]
        for folder in (tmp_path / "b", tmp_path / "a")
    )
    assert found == expected
    assert len(found) == 8


# -- failed -------------------------------------------------------------------------------------------------------------


def failed(folder: Path, task: Task, error: type[Exception]) -> str:
    """Its reason, after it has failed."""
    here = put(folder, task)
    with pytest.raises(error):
        perform(folder, task.id)
    assert here.state() == FAILED
    assert not here.lease.exists()
    assert "\n" not in here.reason()
    return here.reason()


@pytest.mark.slow
def test_a_loss_that_is_not_finite(quick: Quick, tmp_path: Path) -> None:
    plan = quick(variants={"hot": {"optimizer.generator.learning_rate": 1e30}})
    reason = failed(tmp_path, plan.cells[0], ValueError)
    assert "A loss was not finite at step 2" in reason
    assert "Try a lower optimizer.generator.learning_rate" in reason
    assert [(row["system"], row["missing"]) for row in collect.missing(plan, tmp_path) if row["failed"]] == [("hot", reason)]


def test_a_corpus_that_has_lost_a_file(quick: Quick, tmp_path: Path) -> None:
    shutil.copytree(open_corpus("toy:tiny").path, tmp_path / "corpus")
    (cell,) = quick(set={"data.corpus": str(tmp_path / "corpus")}).cells
    lost = next(path for path in sorted((tmp_path / "corpus").rglob("*")) if path.is_file() and path.name.startswith("audio"))
    lost.unlink()
    reason = failed(tmp_path, cell, Exception)
    assert lost.name in reason


def test_a_corpus_that_is_gone(quick: Quick, tmp_path: Path) -> None:
    shutil.copytree(open_corpus("toy:tiny").path, tmp_path / "corpus")
    (cell,) = quick(set={"data.corpus": str(tmp_path / "corpus")}).cells
    shutil.rmtree(tmp_path / "corpus")
    assert failed(tmp_path, cell, ValueError).startswith(f"data.corpus: {tmp_path / 'corpus'} has no corpus.json")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nSee documentation"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes."),
        MemoryError("Unable to allocate 7 TiB for an array"),
    ],
)
def test_too_little_memory_is_called_so(quick: Quick, tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def train_at(*_: Any) -> None:
        raise error

    monkeypatch.setattr(tasks, "train_at", train_at)
    reason = failed(tmp_path, quick().cells[0], type(error))
    assert reason.startswith("out of memory; a smaller train.batch_size or model needs less (")
    assert str(error).split("\n")[0] in reason


@pytest.mark.slow
def test_an_absurd_batch_runs_out_of_memory(quick: Quick, tmp_path: Path) -> None:
    (cell,) = quick(set={"train.batch_size": 100_000}).cells
    here = put(tmp_path, cell)
    limit = """
import resource
import gan.sweep.task
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30),) * 2)
"""
    assert started(tmp_path, cell, limit).wait() == 1, here.last_lines()
    assert here.state() == FAILED, here.last_lines()
    assert here.reason().startswith("out of memory")
    assert not here.lease.exists()


def test_any_other_error_is_named_by_its_kind(quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train_at(*_: Any) -> None:
        raise KeyError("face")

    monkeypatch.setattr(tasks, "train_at", train_at)
    assert failed(tmp_path, quick().cells[0], KeyError) == "KeyError: 'face'"


def test_a_failed_task_may_be_done_again(quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = quick().cells
    here = put(tmp_path, cell)
    here.fail("no disk")
    monkeypatch.setattr(tasks, "train_at", lambda *_: None)
    here.results.mkdir()
    monkeypatch.setattr(tasks, "_scored", lambda *_: {"train_seconds": 1.0})
    perform(tmp_path, cell.id)
    assert (here.state(), here.reason()) == (DONE, "")
    assert os.listdir(here.path).count("failed.json") == 0


@pytest.mark.slow
def test_tensorboard_holds_a_cells_axes_beside_its_scores(quick: Quick, tmp_path: Path) -> None:
    cell = quick(variants={"full": {}}, seeds=[3]).cells[0]
    here = put(tmp_path, cell)
    perform(tmp_path, cell.id)
    events = EventAccumulator(str(here.path / "tensorboard")).Reload()
    said = read_rows(here.results / "results.jsonl")
    scored = [row for row in said if row["metric"] == "l1" and row["split"] == "unseen_speech" and row["system"] == "run"]
    (value,) = events.Scalars("unseen_speech/0.5 s/l1")
    assert value.value == pytest.approx(scored[0]["value"])
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    settings = HParamsPluginData.FromString(content).session_start_info.hparams
    assert (settings["variant"].string_value, settings["seed"].number_value) == ("full", 3)
