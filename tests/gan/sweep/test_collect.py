import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan.lease import Lease
from gan.sweep.collect import collect, missing, rows
from gan.sweep.folder import place
from gan.sweep.plan import Plan
from tests.gan.sweep.conftest import finish

Quick = Callable[..., Plan]
TWO: dict[str, Any] = {"variants": {"full": {}, "no L1": {"losses.pixel": None}}, "seeds": [0, 1]}


@pytest.fixture
def two(quick: Quick) -> Plan:
    return quick(**TWO)


def test_rows_go_by_the_labels_of_their_cells(two: Plan, tmp_path: Path) -> None:
    for task in two.tasks:
        finish(tmp_path, task)
    found = rows(two, tmp_path)
    assert [(row["system"], row["recipe"], row["training_seed"]) for row in found] == [
        ("noise", "noise", 0),
        *(
            (f"{shuffled}{label}", f"{shuffled}{label}", seed)
            for label in ("full", "no L1")
            for seed in (0, 1)
            for shuffled in ("", "shuffled ")
        ),
    ]
    assert "axes" not in found[0]
    assert [row["axes"] for row in found[1:]] == [{"variant": label} for label in ("full", "no L1") for _ in range(4)]
    assert [row["run"] for row in found[1:]] == [cell.name for cell in two.cells for _ in range(2)]
    assert {row["train_seconds"] for row in found[1:]} == {7.0}


@pytest.mark.slow
def test_rows_stand_in_the_order_of_the_file_whatever_was_done_first(two: Plan, tmp_path: Path) -> None:
    for folder, tasks in ((tmp_path / "a", two.tasks), (tmp_path / "b", random.Random(3).sample(two.tasks, len(two.tasks)))):
        for task in tasks:
            finish(folder, task)
        collect(two, folder)
    assert (tmp_path / "a" / "results.jsonl").read_bytes() == (tmp_path / "b" / "results.jsonl").read_bytes()


def test_scores_are_named_from_the_sweep_s_folder(two: Plan, tmp_path: Path) -> None:
    here = finish(tmp_path, two.cells[0])
    collect(two, tmp_path)
    written = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["scores"] for row in written if "scores" in row] == [
        f"cells/{here.path.name}/{here.results.name}/scores/{name}.npz" for name in ("run", "shuffled run")
    ]


def test_rows_of_a_cell_come_when_it_is_done(two: Plan, tmp_path: Path) -> None:
    here = finish(tmp_path, two.cells[1])
    (here.results / "done.json").unlink()
    assert rows(two, tmp_path) == []
    assert not [row for row in missing(two, tmp_path) if row["failed"]]


def test_what_is_missing_says_why(two: Plan, tmp_path: Path) -> None:
    controls, first, second, third, _ = two.tasks
    finish(tmp_path, first)
    place(tmp_path, second).write(second)
    place(tmp_path, second).fail("A loss was not finite at step 2.")
    place(tmp_path, third).write(third)
    place(tmp_path, controls).write(controls)
    place(tmp_path, controls).fail("no memory")
    with Lease.take(place(tmp_path, third).lease):  # type: ignore[union-attr]
        found = missing(two, tmp_path)
    assert [(row["system"], row.get("training_seed"), row["missing"], row["failed"]) for row in found] == [
        ("controls", None, "no memory", True),
        ("full", 1, "A loss was not finite at step 2.", True),
        ("no L1", 0, "running", False),
        ("no L1", 1, "waiting", False),
    ]


@pytest.mark.slow
def test_a_failed_stage_is_the_reason_of_all_its_cells(quick: Quick, tmp_path: Path) -> None:
    plan = quick(base="sf2f-64-fuser-tiny", grid={"train.batch_size": [4, 6]}, seeds=[0, 1])
    stage = next(task for task in plan.tasks if task.kind == "stage" and task.seed == 1)
    place(tmp_path, stage).write(stage)
    place(tmp_path, stage).fail("no disk")
    failed = [row for row in missing(plan, tmp_path) if row["failed"]]
    assert [(row["system"], row["training_seed"]) for row in failed] == [("batch_size 4", 1), ("batch_size 6", 1)]
    assert {row["missing"] for row in failed} == {"its stage sf2f-64-tiny failed: no disk"}
