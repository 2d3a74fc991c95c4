from collections.abc import Callable
from pathlib import Path

import pytest

from gan.lease import Lease
from gan.sweep import status
from gan.sweep.folder import place
from gan.sweep.plan import Plan
from gan.sweep.status import log, show, table
from tests.gan.sweep.conftest import finish, log_steps

Quick = Callable[..., Plan]


@pytest.fixture
def three(quick: Quick) -> Plan:
    return quick(
        variants={"full": {}, "no L1": {"losses.pixel": None}, "=, odd": {"train.steps": 9}}, grid={"train.batch_size": [4]}
    )


def shown(plan: Plan, folder: Path) -> list[str]:
    return table(plan, folder, {task.id: place(folder, task).state() for task in plan.tasks}).splitlines()


def test_nothing_has_begun(three: Plan, tmp_path: Path) -> None:
    assert shown(three, tmp_path) == [
        "waiting  controls controls",
        *(f"waiting  cell     {cell.title}" for cell in three.cells),
        "quick: 4 waiting.",
    ]
    assert not list(tmp_path.iterdir())


def test_a_line_a_task_and_why_one_failed(three: Plan, tmp_path: Path) -> None:
    controls, full, failed, running = three.tasks
    finish(tmp_path, controls)
    finish(tmp_path, full, value=0.25)
    bad = place(tmp_path, failed)
    bad.write(failed)
    bad.log.write_text("Training\ntrain: 1%\rtrain: 2%\nValueError: not finite\n", encoding="utf-8")
    bad.fail("A loss was not finite at step 2.")
    here = place(tmp_path, running)
    here.write(running)
    log_steps(here, 3, samples_per_second=0.2)
    with Lease.take(here.lease):  # type: ignore[union-attr]
        lines = shown(three, tmp_path)
    width = max(len(task.title) for task in three.tasks)
    assert lines == [
        "done     controls controls",
        f"done     cell     {full.title}",
        f"failed   cell     {failed.title}",
        f"running  cell     {running.title:{width}}  step 3 of 9, 2.0 min left",
        "quick: 2 done, 1 failed, 1 running.",
        "failed: no L1, batch_size 4, seed 0: A loss was not finite at step 2.",
        "    Training",
        "    train: 2%",
        "    ValueError: not finite",
        f"    whole log: {bad.log}",
        "Best l1 so far on unseen_speech, 0.5 s: 0.25, full, batch_size 4, of 1.",
    ]


@pytest.mark.slow
def test_the_best_is_a_mean_over_seeds_by_the_better_end(quick: Quick, tmp_path: Path) -> None:
    plan = quick(variants={"full": {}, "no L1": {"losses.pixel": None}}, seeds=[0, 1])
    for cell, value in zip(plan.cells, (0.1, 0.9, 0.4, 0.5), strict=True):
        finish(tmp_path, cell, value)
    assert shown(plan, tmp_path)[-1] == "Best l1 so far on unseen_speech, 0.5 s: 0.45, no L1, of 2."


def test_a_cell_at_its_last_step_is_being_evaluated(quick: Quick, tmp_path: Path) -> None:
    plan = quick()
    here = place(tmp_path, plan.cells[0])
    here.write(plan.cells[0])
    with Lease.take(here.lease):  # type: ignore[union-attr]
        assert shown(plan, tmp_path)[1].endswith("step 0 of 6")
        log_steps(here, 6)
        assert shown(plan, tmp_path)[1].endswith("evaluating")


def test_status_is_shown_once_where_nobody_looks(three: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = place(tmp_path, three.cells[0])
    here.write(three.cells[0])
    with Lease.take(here.lease):  # type: ignore[union-attr]
        show(three, tmp_path)
    assert capsys.readouterr().out.count("quick: ") == 1


def test_status_is_renewed_on_a_terminal_while_anything_runs(
    three: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = place(tmp_path, three.cells[0])
    here.write(three.cells[0])
    lease = Lease.take(here.lease)
    assert lease is not None
    lease.__enter__()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(status.time, "sleep", lambda seconds: lease.__exit__())  # given back while it is looked at
    show(three, tmp_path)
    assert capsys.readouterr().out.count(status.HOME_AND_CLEAR) == 2


# -- logs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_log_is_reached_by_axis_values(quick: Quick, tmp_path: Path) -> None:
    plan = quick(variants={"full": {}, "a=b": {"losses.pixel": None}}, grid={"train.batch_size": [4, 6]}, seeds=[0, 1])
    cell = next(cell for cell in plan.cells if cell.title == "a=b, batch_size 6, seed 1")
    place(tmp_path, cell).write(cell)
    place(tmp_path, cell).log.write_bytes(b"one\ntwo \xff\n")
    assert log(plan, tmp_path, ["seed=1", "variant=a=b", "batch_size=6"]) == "one\ntwo \ufffd\n"


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ([], "no axis: 4 cells are so. Name one: batch_size 4, seed 0; batch_size 4, seed 1; "),
        (["batch_size=4"], "2 cells are so. Name one: batch_size 4, seed 0; batch_size 4, seed 1."),
        (["batch_size=5"], "0 cells are so. Name one: batch_size 4, seed 0; "),
        (["bacth_size=4"], "bacth_size=4: no such axis. Allowed: axis=label with seed, batch_size. Did you mean batch_size?"),
        (["seed"], "seed: no such axis. Allowed: axis=label with "),
        (["seed=0", "batch_size=4"], "batch_size 4, seed 0: has no log yet."),
    ],
)
def test_a_log_there_is_not(quick: Quick, tmp_path: Path, axes: list[str], words: str) -> None:
    plan = quick(grid={"train.batch_size": [4, 6]}, seeds=[0, 1])
    with pytest.raises(ValueError, match=r"\.$|\?$") as caught:
        log(plan, tmp_path, axes)
    assert words in str(caught.value)
