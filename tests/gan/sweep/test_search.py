import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from gan import checkpoint
from gan.launchers.base import Job, Launcher
from gan.lease import Lease
from gan.sweep import estimate, run, status
from gan.sweep.folder import DONE, PRUNED, WAITING, Place, place
from gan.sweep.plan import Plan, Task
from gan.sweep.search import Fruitless, Search, open_search
from gan.sweep.space import Parameter
from gan.sweep.task import perform
from tests.gan.sweep.conftest import QUICK

RATE, WIDTH, BATCH = "optimizer.generator.learning_rate", "encoder.embedding_dim", "train.batch_size"
SPACE: dict[str, Any] = {
    RATE: {"low": 1e-5, "high": 1e-2, "log": True},
    WIDTH: {"choices": [4, 8]},
    BATCH: {"low": 4, "high": 8, "step": 2},
}
VALIDATED = {"train.validate_every": 2}


@pytest.fixture
def planned(quick: Callable[..., Plan]) -> Callable[..., Plan]:
    def made(**about: Any) -> Plan:
        sections = about.pop("sections", {})
        return quick(
            set=VALIDATED | sections.pop("set", {}), search={"metric": "l1", "trials": 3, "parameters": SPACE} | about, **sections
        )

    return made


@pytest.fixture
def opened(planned: Callable[..., Plan], tmp_path: Path) -> Callable[..., Search]:
    def made(folder: Path = tmp_path, **about: Any) -> Search:
        found = open_search(planned(**about), folder)
        assert found is not None
        return found

    return made


def trials(search: Search) -> list[Task]:
    return [task for task in search.known().tasks if task.kind == "trial"]


def asked(search: Search) -> list[dict[str, str]]:
    return [task.axes for task in trials(search)]


def here(folder: Path, task: Task) -> Place:
    found = place(folder, task)
    found.write(task)
    return found


def logged(found: Place, values: dict[int, float]) -> None:
    """As a training leaves it whose validations gave these values."""
    found.run.mkdir(exist_ok=True)
    lines = [{"step": step, "metric/l1": value} for step, value in values.items()]
    (found.run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [{"step": 1, "loss/g": 1.0}, *lines]))
    step = min(values, key=lambda step: values[step])
    (found.run / "best.json").write_text(json.dumps(dict(step=step, metric="l1", split="val_speech", value=values[step])))


def trained(folder: Path, task: Task, values: dict[int, float]) -> None:
    logged(here(folder, task), values)
    here(folder, task).finish(train_seconds=1.0)


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "trials.csv", newline="") as file:
        return list(csv.DictReader(file))


# -- mistakes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"metric": ""}, "search.metric: none came"),
        ({"metric": "frechet"}, "search.metric: frechet is no score of train.validate_metrics. Have: l1."),
        ({"split": "unseen_speech"}, "search.split: 'unseen_speech' came. Allowed: val_speech, val_speaker."),
        ({"mode": "least"}, "search.mode: 'least' came. Allowed: min, max."),
        ({"trials": 0}, "search.trials: 0 came. Allowed: 1 or more."),
        ({"trials": 10_000}, "budget.cells: 10,000 trials came, 200 are allowed"),
        ({"prune": {"warmup_steps": -1}}, "search.prune.warmup_steps: -1 came"),
        ({"sections": {"seeds": [0, 1]}}, "seeds: [0, 1] came"),
        ({"sections": {"set": {"train.validate_every": None}}}, "train.validate_every: none came"),
        ({"sections": {"set": {"train.validate_every": 7}}}, "train.validate_every: 7 came with train.steps 6"),
        ({"sections": {"set": {BATCH: 0}}}, "train.batch_size: 0 came"),
    ],
)
def test_bad_settings_are_named(about: dict[str, Any], said: str, opened: Callable[..., Search]) -> None:
    with pytest.raises(ValueError, match=r"^quick: ") as error:
        opened(**about)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "search.parameters: none came"),
        ({"train.nothing": {"low": 1, "high": 2}}, "search.parameters.train.nothing: 1: train.nothing: no such key"),
        ({"nothing.x": {"low": 1, "high": 2}}, "search.parameters.nothing.x: no key of a recipe"),
        ({"evaluation.runs": {"choices": [1, 2]}}, "search.parameters.evaluation.runs: no key of a recipe"),
        (
            {BATCH: [4, 8]},
            "search.parameters.train.batch_size: [4, 8] came. Allowed: {low, high, log, step}, or {choices: [...]}.",
        ),
        ({BATCH: {"low": 4, "hihg": 8}}, "hihg: no such key. Allowed: choices, low, high, step, log. Did you mean high?"),
        ({BATCH: {"low": 4}}, "train.batch_size.high: None came. Allowed: a number."),
        ({BATCH: {"low": "4", "high": 8}}, "train.batch_size.low: '4' came. Allowed: a number."),
        ({BATCH: {"low": 8, "high": 4}}, "low 8, high 4 came. Allowed: low below high."),
        ({BATCH: {"low": 4, "high": 8, "step": 3}}, "step: 3 does not lead from 4 to 8. Highest there is 7."),
        ({BATCH: {"low": 4, "high": 8, "step": 0.5}}, "step: 0.5 came. Allowed: above 0, and whole where low and high are."),
        ({RATE: {"low": 0.0, "high": 1.0, "log": True}}, "log: came with low 0"),
        ({RATE: {"low": 1e-5, "high": 1.0, "log": "yes"}}, "log: 'yes' came. Allowed: true, false."),
        ({WIDTH: {"choices": []}}, "search.parameters.encoder.embedding_dim: [] came"),
        ({WIDTH: {"choices": [4], "low": 1}}, "choices, low came. Allowed: choices alone, or low and high."),
        ({WIDTH: {"choices": [8, "many"]}}, "search.parameters.encoder.embedding_dim: many: "),
        ({"encoder": {"choices": [{"name": "nothing"}]}}, "search.parameters.encoder: nothing: encoder.name: no file"),
        ({"train.validate_every": {"low": 1, "high": 2}}, "changes train.validate_every, which trials must have in common"),
        ({"recipe": {"choices": {"own": {"data.corpus": "toy:demo"}}}}, "changes data.corpus, which trials must have in common"),
    ],
)
def test_bad_parameters_are_named(given: dict[str, Any], said: str, opened: Callable[..., Search]) -> None:
    with pytest.raises(ValueError, match=r"^quick: ") as error:
        opened(parameters=given)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("section", [{"grid": {BATCH: [4, 6]}}, {"variants": {"full": {}}}, {"zip": {BATCH: [4, 6]}}])
def test_a_search_has_no_axes(section: dict[str, Any], planned: Callable[..., Plan]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(section))}: .*search"):
        planned(sections=section)


def test_a_sweep_without_one_needs_no_optuna(
    quick: Callable[..., Plan], planned: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert open_search(quick(), tmp_path) is None
    with pytest.raises(ValueError, match=r'Run pip install "voxface\[search\]"\.$'):
        open_search(planned(), tmp_path)


# -- what is asked ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_trials_are_cells_of_the_space_scored_on_the_validation_split_only(opened: Callable[..., Search]) -> None:
    search = opened()
    search.step(3)
    found = trials(search)
    assert [task.axes["trial"] for task in found] == ["0", "1", "2"]
    for task in found:
        assert 1e-5 <= task.config.optimizer.generator.learning_rate <= 1e-2
        assert task.config.train.batch_size in (4, 6, 8)
        assert task.config.encoder["embedding_dim"] in (4, 8)
        assert task.config.evaluation.splits == ["val_speech"]
        assert task.corpus is None
        best = task.config.train.best
        assert (best.metric, best.split, best.mode) == ("l1", "val_speech", "min")
    assert len({task.config.optimizer.generator.learning_rate for task in found}) == 3


@pytest.mark.slow
def test_choices_may_be_named_changes_and_sections(opened: Callable[..., Search]) -> None:
    search = opened(
        trials=1,
        parameters={
            "width": {"choices": {"narrow": {WIDTH: 4, BATCH: 4}}},
            "optimizer.generator.epsilon": {"low": 1e-9, "high": 1e-8},
            "optimizer.discriminator.epsilon": {"choices": [1e-8]},
        },
    )
    search.step(1)
    (task,) = trials(search)
    assert (task.config.encoder["embedding_dim"], task.config.train.batch_size) == (4, 4)
    assert list(task.axes) == ["trial", "width", "optimizer.generator.epsilon", "optimizer.discriminator.epsilon"]


@pytest.mark.slow
def test_a_study_taken_up_again_asks_what_it_would_have(opened: Callable[..., Search], tmp_path: Path) -> None:
    whole = opened(tmp_path / "whole")
    for number in range(3):
        whole.step(1)
        trained(tmp_path / "whole", trials(whole)[number], {2: 50.0 - number})
    for number in range(3):
        again = opened(tmp_path / "again")
        again.step(1)
        assert len(trials(again)) == number + 1
        trained(tmp_path / "again", trials(again)[number], {2: 50.0 - number})
    assert asked(again) == asked(whole)
    assert [task.id for task in trials(again)] == [task.id for task in trials(whole)]


@pytest.mark.slow
def test_another_space_is_another_study_and_more_trials_are_the_same(opened: Callable[..., Search]) -> None:
    search = opened()
    search.step(3)
    assert asked(opened(trials=5)) == asked(search)
    assert asked(opened(parameters={RATE: SPACE[RATE]})) == []
    assert asked(opened(seed=1)) == []


@pytest.mark.slow
def test_processes_on_one_folder_share_the_trials(opened: Callable[..., Search]) -> None:
    searches = [opened(trials=6, parameters={RATE: SPACE[RATE]}) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda search: [search.step(1) for _ in range(3)], searches))
    for search in searches:
        assert sorted(int(axes["trial"]) for axes in asked(search)) == list(range(6))
        assert asked(search) == asked(searches[0])


@pytest.mark.slow
def test_killed_in_the_middle_of_asking(opened: Callable[..., Search], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = opened(tmp_path / "undisturbed")
    undisturbed.step(1)
    ask = Parameter.ask

    def killed(self: Parameter, trial: Any) -> None:
        if self.key == WIDTH:
            raise KeyboardInterrupt
        ask(self, trial)

    with monkeypatch.context() as patch:
        patch.setattr(Parameter, "ask", killed)
        with pytest.raises(KeyboardInterrupt):
            opened().step(1)
    again = opened()
    assert asked(again) == []
    again.step(1)
    assert asked(again) == asked(undisturbed)


@pytest.mark.slow
def test_a_journal_line_cut_short_is_taken_off(opened: Callable[..., Search], tmp_path: Path) -> None:
    opened().step(1)
    with open(tmp_path / "search.jsonl", "a") as file:
        file.write('{"op_code": 4, "wor')
    search = opened()
    search.step(1)
    assert len(trials(opened())) == 2


# -- what comes out -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_best_becomes_the_cell_and_more_trials_may_follow(opened: Callable[..., Search], tmp_path: Path) -> None:
    search = opened()
    search.step(3)
    for task, value in zip(trials(search), (60.0, 40.0, 50.0), strict=True):
        assert not search.step(1).cells
        trained(tmp_path, task, {2: value, 4: 70.0})
    plan = search.step(1)
    (cell,), best = plan.cells, trials(search)[1]
    assert (cell.trained, cell.needs) == (best.id, (best.id,))
    assert cell.config.evaluation.splits == ["unseen_speech", "unseen_speaker"]
    assert [task.kind for task in plan.tasks] == ["controls", "trial", "trial", "trial", "cell"]
    assert not opened(trials=4).known().cells
    assert opened(mode="max").known().tasks == ()  # another study
    search.close()
    assert [(row["state"], row["l1"], row["step"]) for row in table(tmp_path)] == [
        ("done", "60.0", "2"),
        ("done", "40.0", "2"),
        ("done", "50.0", "2"),
    ]
    assert (tmp_path / "search.png").stat().st_size > 1000
    said = status.table(plan, tmp_path, {task.id: place(tmp_path, task).state() for task in plan.tasks})
    assert f"Best l1 on val_speech of 3 of 3 trials: 40, {best.label}." in said


@pytest.mark.slow
def test_one_that_falls_behind_is_given_up_after_its_warm_up(opened: Callable[..., Search], tmp_path: Path) -> None:
    search = opened(prune={"warmup_steps": 4, "startup_trials": 1})
    search.step(2)
    good, bad = trials(search)
    trained(tmp_path, good, {2: 50.0, 4: 40.0, 6: 30.0})
    found = here(tmp_path, bad)
    lease = Lease.take(found.lease)
    assert lease is not None
    with lease:
        logged(found, {2: 90.0})
        search.step(0)
        assert found.state() != PRUNED
        logged(found, {2: 90.0, 4: 80.0})
        opened(prune={"warmup_steps": None}).step(0)
        assert found.state() != PRUNED
    again = Lease.take(found.lease)
    assert again is not None
    with again:
        opened(prune={"warmup_steps": 4, "startup_trials": 1}).step(0)
        assert found.state() == PRUNED
    perform(tmp_path, bad.id)  # started all the same: does nothing
    assert not (found.run / "checkpoints").exists()
    search.step(0)
    search.close()
    assert [row["state"] for row in table(tmp_path)] == [DONE, PRUNED]


@pytest.mark.slow
def test_a_failed_one_is_reported_and_asked_again_on_demand(opened: Callable[..., Search], tmp_path: Path) -> None:
    search = opened(trials=1)
    search.step(1)
    (task,) = trials(search)
    here(tmp_path, task).fail("out of memory")
    search.step(1)
    with pytest.raises(Fruitless, match="none of 1 trials has a value"):
        search.close()
    assert [(row["state"], row["why"]) for row in table(tmp_path)] == [("failed", "out of memory")]
    here(tmp_path, task).retry()
    search.retry()
    search.step(1)
    assert [other.id for other in trials(search)] == [task.id]
    trained(tmp_path, task, {2: 5.0})
    (cell,) = search.step(1).cells
    assert cell.trained == task.id
    search.close()
    assert [row["state"] for row in table(tmp_path)] == ["done"]


@pytest.mark.slow
def test_values_that_come_again_are_not_trained_again(opened: Callable[..., Search], tmp_path: Path) -> None:
    search = opened(trials=4, parameters={WIDTH: {"choices": [4, 8]}})
    while not (plan := search.step(1)).cells:
        for task in trials(search):
            if place(tmp_path, task).state() == WAITING:
                trained(tmp_path, task, {2: float(task.axes["embedding_dim"])})
    assert plan.cells[0].config.encoder["embedding_dim"] == 4
    assert len(trials(search)) <= 2
    search.close()
    assert len(table(tmp_path)) == 4


@pytest.mark.slow
def test_a_combination_that_cannot_be_built_is_a_failed_trial(
    opened: Callable[..., Search], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = opened(trials=1, parameters={RATE: SPACE[RATE]})

    def cell(*_: object) -> Task:
        raise RuntimeError("they do not\nfit")

    monkeypatch.setattr(search._cells, "cell", cell)
    assert search.step(1).tasks == ()
    with pytest.raises(Fruitless):
        search.close()
    assert [(row["state"], row["why"]) for row in table(tmp_path)] == [("failed", "RuntimeError: they do not fit")]


# -- with the scheduler ---------------------------------------------------------------------------------------------------


class Here(Launcher):
    """Does jobs in this process, one after another."""

    parallel = 1

    def __init__(self) -> None:
        self.ended: dict[str, int | None] = {}

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            perform(Path(job.command[-2]), job.id)
            self.ended[job.id] = 0

    def poll(self) -> dict[str, int | None]:
        ended, self.ended = self.ended, {}
        return ended

    def stop_jobs(self, ids: Collection[str]) -> None:
        assert not ids

    def stop(self) -> None:
        pass


@pytest.mark.floor
@pytest.mark.slow
def test_a_whole_search(
    planned: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(trials=2)
    said = estimate.overview(plan, tmp_path)
    assert "Search: 2 trials for the smallest l1 on val_speech; none is stopped early." in said
    assert f"{RATE}  1e-05 to 0.01, log" in said
    assert "trial    waiting  trial 1" in said
    status.show(plan, tmp_path)
    assert capsys.readouterr().out == "quick: no trial asked for yet.\n"
    assert not (tmp_path / "search.jsonl").exists()
    launcher = Here()
    monkeypatch.setattr(run, "build", lambda *_, **__: launcher)
    monkeypatch.setattr(run, "POLL_SECONDS", 0.0)
    assert run.run(plan, tmp_path) == 0
    found = open_search(plan, tmp_path)
    assert found is not None
    best = min(table(tmp_path), key=lambda row: float(row["l1"]))
    (cell,) = found.known().cells
    assert cell.trained is not None
    assert best["folder"].endswith(cell.trained)
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    own = [row for row in rows if row["system"] == cell.label]
    assert {row["split"] for row in own} == {"unseen_speech", "unseen_speaker"}
    assert {row["step"] for row in own} == {int(best["step"])}  # scored is what was compared
    assert {row["control"] for row in rows} == {True, False}
    for line in table(tmp_path):  # none of them has read a test split
        assert not list((tmp_path / line["folder"]).glob("results*"))
    status.show(plan, tmp_path)
    assert f"l1 {float(best['l1']):.4g} at step {best['step']}" in capsys.readouterr().out
    with pytest.raises(ValueError, match="has no log yet"):  # done in this process
        status.log(plan, tmp_path, [f"trial={best['trial']}"])


@pytest.mark.slow
def test_the_scheduler_stops_what_was_given_up(planned: Callable[..., Plan], tmp_path: Path) -> None:
    class Endless(Here):
        def __init__(self) -> None:
            super().__init__()
            self.stopped: list[str] = []

        def start(self, jobs: Sequence[Job]) -> None:
            pass

        def stop_jobs(self, ids: Collection[str]) -> None:
            self.stopped += ids
            self.ended |= dict.fromkeys(ids, 143)

    launcher, search = Endless(), open_search(planned(trials=1), tmp_path)
    assert search is not None
    scheduler = run._Scheduler(search.known(), tmp_path, launcher, search)
    assert scheduler.step()
    assert launcher.stopped == []
    (task,) = trials(search)
    here(tmp_path, task).prune(2)
    scheduler.step()
    assert launcher.stopped == [task.id]
    assert not scheduler.step()
    assert scheduler.states[task.id] == PRUNED


@pytest.mark.slow
def test_killed_and_restarted_it_finds_the_same(
    planned: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep and its running trial are killed once in a trial; the command again does the rest."""
    about, sets = {"metric": "l1", "trials": 2, "parameters": SPACE}, {"train.save_every": 1, "train.threads": 1}
    file = tmp_path / "killed.yaml"
    file.write_text(yaml.safe_dump(QUICK | {"set": QUICK["set"] | VALIDATED | sets, "search": about}, sort_keys=False))
    command = [sys.executable, "-m", "gan", "sweep", "run", str(file), "--out", str(tmp_path / "killed")]
    first = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 300
    while not list((tmp_path / "killed").glob("cells/*/run/checkpoints/step-00000003")):
        assert time.monotonic() < deadline
        assert first.poll() is None
    for lease in (tmp_path / "killed").glob("cells/*/lease.json"):
        os.kill(json.loads(lease.read_text())["pid"], signal.SIGKILL)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    subprocess.run(command, check=True)

    plan = planned(trials=2, sections={"set": sets})
    monkeypatch.setattr(run, "build", lambda *_, **__: Here())
    monkeypatch.setattr(run, "POLL_SECONDS", 0.0)
    assert run.run(plan, tmp_path / "whole") == 0
    assert table(tmp_path / "killed") == table(tmp_path / "whole")
    (trial,) = (path for path in (tmp_path / "killed/cells").glob("trial-0-*"))
    assert "Going on with" in (trial / "log.txt").read_text()
    assert checkpoint.steps(trial / "run/checkpoints")[-1].name == "step-00000006"
