import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gan.lease import Lease
from gan.sweep import folder as folders
from gan.sweep.folder import DONE, FAILED, LOG_LINES, RUNNING, WAITING, Place, find, place, speed
from gan.sweep.plan import Plan
from tests.gan.sweep.conftest import log_steps

Quick = Callable[..., Plan]


@pytest.fixture
def here(quick: Quick, tmp_path: Path) -> Place:
    (cell,) = quick().cells
    made = place(tmp_path, cell)
    made.write(cell)
    return made


@pytest.mark.slow
def test_a_task_is_read_back_as_it_was_planned(quick: Quick, tmp_path: Path) -> None:
    plan = quick(
        base="sf2f-64-fuser-tiny", variants={"../ü: x": {"train.batch_size": 5}}, evaluate={"corpus": "toy:tiny-textured"}
    )
    assert {task.kind for task in plan.tasks} == {"controls", "stage", "cell"}
    for task in plan.tasks:
        place(tmp_path, task).write(task)
    for task in plan.tasks:
        found = find(tmp_path, task.id)
        assert found is not None
        assert found.task() == task
    assert len(list((tmp_path / "cells").iterdir())) == len(plan.tasks)


def test_a_cell_that_got_another_label_keeps_its_folder(quick: Quick, tmp_path: Path, here: Place) -> None:
    (cell,) = quick(variants={"renamed": {}}, set={"train.threads": 3}).cells
    assert place(tmp_path, cell) == here
    here.write(cell)
    assert (here.task().label, here.task().config.train.threads) == ("renamed", 3)


def test_states(here: Place, tmp_path: Path, quick: Quick) -> None:
    assert place(tmp_path, quick(set={"train.steps": 9}).cells[0]).state() == WAITING  # which has no folder yet
    assert here.state() == WAITING
    with Lease.take(here.lease):  # type: ignore[union-attr]
        assert here.state() == RUNNING
    assert here.state() == WAITING
    here.fail("no reason")
    assert (here.state(), here.reason()) == (FAILED, "no reason")
    with Lease.take(here.lease):  # type: ignore[union-attr]
        assert here.state() == RUNNING
    here.retry()
    assert (here.state(), here.reason()) == (WAITING, "")
    here.fail("no reason")
    here.results.mkdir()
    here.finish(train_seconds=3.5)
    assert (here.state(), here.reason(), here.done()["train_seconds"]) == (DONE, "", 3.5)


def test_a_task_that_ends_while_it_is_looked_at_is_not_waiting(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    here.results.mkdir()
    monkeypatch.setattr(folders, "holder", lambda path: here.finish())  # by then it is done, and its lease given back
    assert here.state() == DONE


def test_the_last_lines_of_a_log(here: Place) -> None:
    assert here.last_lines() == []
    here.log.write_bytes(
        b"".join(b"line %d\n" % number for number in range(20))
        + b"\n\n"
        + b"\r".join(b"train: %d%%" % number for number in range(100))
        + b"\r\n"
        + b"train: 3%\rtrain: 4%\xff\nCUDA error\x0bhere  \n"
    )
    assert here.last_lines() == [
        *(f"line {number}" for number in range(20 - (LOG_LINES - 3), 20)),
        "train: 99%",
        "train: 4%\ufffd",
        "CUDA error\x0bhere",
    ]


def test_the_last_lines_of_a_huge_log_are_read_from_its_end(here: Place) -> None:
    here.log.write_bytes(b"x" * 10**7 + b"\nthe end\n")
    assert here.last_lines()[-1] == "the end"
    assert len(here.last_lines()[0]) < 10**5


def test_a_line_that_is_being_written_is_not_read(here: Place) -> None:
    assert (here.scalars(), speed(here)) == ([], None)
    log_steps(here, 3)
    with open(here.run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 4, "loss')
    assert [line["step"] for line in here.scalars()] == [1, 2, 3]


def test_speed_is_a_median(here: Place) -> None:
    here.run.mkdir()
    (here.run / "metrics.jsonl").write_text(
        "".join(
            json.dumps({"step": step} | ({"speed/samples_per_second": value} if value else {})) + "\n"
            for step, value in enumerate([0.1, 8.0, 9.0, None, 10.0, 1000.0])
        ),
        encoding="utf-8",
    )
    assert speed(here) == 9.0


def test_an_id_that_is_not_there(here: Place, tmp_path: Path) -> None:
    assert find(tmp_path, "00000000") is None
    assert find(tmp_path / "nowhere", here.task().id) is None
