from collections.abc import Callable
from pathlib import Path

import pytest

from gan.config import Config
from gan.sweep import estimate
from gan.sweep.estimate import check_budget, estimates, overview
from gan.sweep.folder import place
from gan.sweep.plan import Plan
from tests.gan.sweep.conftest import finish, log_steps

Quick = Callable[..., Plan]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs whose steps were measured: a minute each, and 500 MB."""
    found: list[Config] = []

    def measure(config: Config) -> tuple[float, float]:
        found.append(config)
        return 60.0, 500.0

    monkeypatch.setattr(estimate, "measured", measure)
    return found


@pytest.mark.slow
def test_each_kind_of_cell_is_measured_once(quick: Quick, tmp_path: Path, measured: list[Config]) -> None:
    plan = quick(
        grid={"train.batch_size": [4, 6], "optimizer.generator.learning_rate": [1e-3, 1e-4], "train.steps": [6, 30]}, seeds=[0, 1]
    )
    found = estimates(plan, tmp_path, list(plan.tasks))
    assert sorted(config.train.batch_size for config in measured) == [4, 6]
    assert {(cell.config.train.steps, *found[cell.id]) for cell in plan.cells} == {(6, 6.0, 500.0), (30, 30.0, 500.0)}


def test_a_cell_that_has_run_tells_of_those_like_it(quick: Quick, tmp_path: Path, measured: list[Config]) -> None:
    plan = quick(seeds=[0, 1])
    here = finish(tmp_path, plan.cells[0])
    log_steps(here, 6, samples_per_second=0.1)
    (here.run / "checkpoints" / "step-00000006").mkdir(parents=True)
    (here.run / "checkpoints" / "step-00000006" / "weights.safetensors").write_bytes(b"x" * 2_000_000)
    found = estimates(plan, tmp_path, plan.cells[1:])
    assert not measured
    assert found[plan.cells[1].id] == (pytest.approx(6 * 4 / 0.1 / 60), 2.0)


def test_steps_that_are_done_are_not_counted(quick: Quick, tmp_path: Path, measured: list[Config]) -> None:
    plan = quick()
    log_steps(place(tmp_path, plan.cells[0]), 4)
    assert estimates(plan, tmp_path, plan.cells)[plan.cells[0].id] == (2.0, 500.0)


@pytest.mark.slow
def test_a_cell_that_others_start_from_counts_once_and_what_is_trained_no_more(
    quick: Quick, tmp_path: Path, measured: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.yaml").write_text("base: sf2f-64-tiny\nlosses: {perceptual: null}\ntrain: {steps: 6}\n", encoding="utf-8")
    (tmp_path / "second.yaml").write_text(
        "base: sf2f-64-tiny\ntrain: {init_from: first.yaml, init_modules: [encoder]}\n", encoding="utf-8"
    )
    plan = quick(grid={"base": ["first.yaml", "second.yaml"]})
    found = estimates(plan, tmp_path, list(plan.tasks))
    assert [found[task.id][0] for task in plan.tasks] == [0.0, 6.0, 6.0]
    log_steps(place(tmp_path, plan.cells[0]), 6)
    assert estimates(plan, tmp_path, list(plan.tasks))[plan.cells[0].id][0] == 0.0


@pytest.mark.slow
def test_a_budget_is_kept(quick: Quick, tmp_path: Path, measured: list[Config]) -> None:
    check_budget(quick(seeds=[0, 1]), tmp_path)
    assert not measured  # nobody asked
    check_budget(quick(seeds=[0, 1], budget={"hours": 0.2, "gigabytes": 1.0}), tmp_path)
    with pytest.raises(ValueError, match=r"budget\.hours: .*0\.2\b.*0\.19"):
        check_budget(quick(seeds=[0, 1], budget={"hours": 0.19}), tmp_path)
    plan = quick(seeds=[0, 1], budget={"gigabytes": 0.9})
    with pytest.raises(ValueError, match=r"budget\.gigabytes: .*\b1\b.*0\.9"):
        check_budget(plan, tmp_path)
    finish(tmp_path, plan.cells[0])
    check_budget(plan, tmp_path)  # what is done needs nothing more


def test_an_overview_shows_cells_states_and_what_is_left(quick: Quick, tmp_path: Path, measured: list[Config]) -> None:
    plan = quick(variants={"full": {}, "no L1": {"losses.pixel": None}}, launcher={"name": "local", "parallel": 3})
    assert "an evaluation a cell, not timed yet, shared by 3 at a time" in overview(plan, tmp_path)
    finish(tmp_path, plan.cells[0])
    lines = overview(plan, tmp_path).splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["controls", "waiting"], ["cell", "done"], ["cell", "waiting"]]
    assert lines[3].split()[2:] == ["no", "L1,", "seed", "0", "6", "6.0", "min", "500", "MB"]
    assert lines[2].endswith(" 6")  # done: nothing more to come
    assert lines[4] == "Trained on toy:tiny; scored on toy:tiny, protocol default."
    assert lines[5] == (
        "1 of 3 tasks done. Left: 0.1 h of training and 0.017 h of evaluation, shared by 3 at a time; "
        "about 0.5 GB of checkpoints."
    )


def test_a_cell_that_cannot_be_measured_is_named(quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(config: Config) -> tuple[float, float]:
        raise MemoryError("Unable to allocate 1 TiB")

    monkeypatch.setattr(estimate, "measured", measure)
    with pytest.raises(ValueError, match=r"^sf2f-64-tiny, seed 0: out of memory"):
        overview(quick(), tmp_path)


@pytest.mark.slow
def test_a_step_is_measured(quick: Quick, tmp_path: Path) -> None:
    plan = quick()
    minutes, megabytes = estimates(plan, tmp_path, plan.cells)[plan.cells[0].id]
    assert minutes > 0
    assert 0.1 < megabytes < 10
    assert not list(tmp_path.iterdir())
