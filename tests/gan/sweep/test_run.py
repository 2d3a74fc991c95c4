import json
import os
import signal
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest

from gan.launchers.base import Job, Launcher
from gan.lease import TAKEN
from gan.sweep import run as running
from gan.sweep.folder import DONE, FAILED, WAITING, place
from gan.sweep.plan import Plan, Task
from gan.sweep.run import STARTS, Interrupted, run
from tests.gan.sweep.conftest import finish

Quick = Callable[..., Plan]
Deed = Callable[[Path, Task], int | None]  # what becomes of a job, and its exit code


def succeed(folder: Path, task: Task) -> int:
    finish(folder, task)
    return 0


class Played(Launcher):
    """Jobs end at once, as told by the label of their task; one that nothing is told of is done."""

    def __init__(self, folder: Path, plan: Plan, deeds: dict[str, Deed], parallel: int):
        self.parallel, self._folder, self._deeds = parallel, folder, deeds
        self._tasks = {task.id: task for task in plan.tasks}
        self._ended: dict[str, int | None] = {}
        self.started: list[list[str]] = []
        self.stopped = False

    def start(self, jobs: Sequence[Job]) -> None:
        self.started.append([self._tasks[job.id].title for job in jobs])
        for job in jobs:
            assert job.command[1:5] == ["-m", "gan", "sweep", "task"]
            assert job.command[5:] == [str(self._folder), job.id]
            task = self._tasks[job.id]
            self._ended[job.id] = self._deeds.get(task.title, succeed)(self._folder, task)

    def poll(self) -> dict[str, int | None]:
        ended, self._ended = self._ended, {}
        return ended

    def stop_jobs(self, ids: Collection[str]) -> None:
        assert not ids

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, Played]]:
    """Run a plan; returns how many cells have failed, and the launcher."""
    monkeypatch.setattr(running, "POLL_SECONDS", 0)

    def played(plan: Plan, deeds: dict[str, Deed] | None = None, parallel: int = 2, retry: bool = False) -> tuple[int, Played]:
        launcher = Played(tmp_path, plan, deeds or {}, parallel)
        monkeypatch.setattr(running, "build", lambda *_, **__: launcher)
        return run(plan, tmp_path, retry), launcher

    return played


def states(plan: Plan, folder: Path) -> list[str]:
    return [place(folder, task).state() for task in plan.tasks]


def fail(folder: Path, task: Task) -> int:
    place(folder, task).fail("no disk")
    return 1


@pytest.mark.slow
def test_all_is_done_so_many_at_a_time(quick: Quick, tmp_path: Path, play) -> None:
    plan = quick(seeds=[0, 1, 2])
    failed, launcher = play(plan)
    assert failed == 0
    assert launcher.started == [["controls", "sf2f-64-tiny, seed 0"], ["sf2f-64-tiny, seed 1", "sf2f-64-tiny, seed 2"]]
    assert states(plan, tmp_path) == [DONE] * 4
    assert "sf2f-64-tiny" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert play(plan)[1].started == []


@pytest.mark.slow
def test_cells_wait_for_their_stage(quick: Quick, tmp_path: Path, play) -> None:
    plan = quick(base="sf2f-64-fuser-tiny", grid={"train.batch_size": [4, 6]})
    _, launcher = play(plan, parallel=8)
    assert launcher.started == [["controls", "sf2f-64-tiny, seed 0"], ["batch_size 4, seed 0", "batch_size 6, seed 0"]]


@pytest.mark.slow
def test_a_cell_that_fails_hides_no_other(quick: Quick, tmp_path: Path, play, capsys: pytest.CaptureFixture[str]) -> None:
    plan = quick(seeds=[0, 1, 2])
    failed, _ = play(plan, {"sf2f-64-tiny, seed 1": fail})
    assert failed == 1
    assert states(plan, tmp_path) == [DONE, DONE, FAILED, DONE]
    assert "no disk" in capsys.readouterr().err
    assert "no disk" in (tmp_path / "table.md").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["training_seed"] for row in rows if row["system"] == "sf2f-64-tiny" and "value" in row} == {0, 2}


@pytest.mark.slow
def test_a_failed_stage_is_waited_for_by_nobody(quick: Quick, tmp_path: Path, play) -> None:
    plan = quick(base="sf2f-64-fuser-tiny", seeds=[0, 1])
    failed, launcher = play(plan, {"sf2f-64-tiny, seed 0": fail})
    assert failed == 1
    assert "sf2f-64-fuser-tiny, seed 0" not in [title for titles in launcher.started for title in titles]
    assert "its stage sf2f-64-tiny failed: no disk" in (tmp_path / "table.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_what_has_failed_is_tried_again_when_asked(quick: Quick, tmp_path: Path, play) -> None:
    plan = quick(seeds=[0, 1])
    play(plan, {"sf2f-64-tiny, seed 1": fail})
    failed, launcher = play(plan)
    assert (failed, launcher.started) == (1, [])
    failed, launcher = play(plan, retry=True)
    assert (failed, launcher.started) == (0, [["sf2f-64-tiny, seed 1"]])


@pytest.mark.slow
def test_a_changed_cell_is_done_anew_and_the_others_are_not(quick: Quick, tmp_path: Path, play) -> None:
    play(quick(grid={"train.batch_size": [4, 6]}))
    _, launcher = play(quick(grid={"train.batch_size": [4, 5]}))
    assert launcher.started == [["batch_size 5, seed 0"]]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "was ended by signal 9 3 times without getting further (not enough memory?)"),
        (143, "was ended by signal 15 3 times"),
        (None, "left the queue 3 times"),
    ],
)
def test_a_task_that_is_killed_is_started_again_but_not_for_ever(
    quick: Quick, tmp_path: Path, play, code: int | None, words: str
) -> None:
    plan = quick()
    failed, launcher = play(plan, {"sf2f-64-tiny, seed 0": lambda *_: code}, parallel=1)
    assert failed == 1
    assert launcher.started == [["controls"], *([["sf2f-64-tiny, seed 0"]] * STARTS)]
    assert words in place(tmp_path, plan.cells[0]).reason()


def test_a_task_that_is_killed_once_goes_on(quick: Quick, tmp_path: Path, play) -> None:
    killed = [-9]
    failed, launcher = play(quick(), {"sf2f-64-tiny, seed 0": lambda *about: killed.pop() if killed else succeed(*about)}, 1)
    assert failed == 0
    assert launcher.started == [["controls"], ["sf2f-64-tiny, seed 0"], ["sf2f-64-tiny, seed 0"]]


def test_a_task_that_another_sweep_has_taken_has_not_failed(quick: Quick, tmp_path: Path, play) -> None:
    def taken(folder: Path, task: Task) -> int:
        finish(folder, task)  # by that other one, a moment later
        return TAKEN

    assert play(quick(), {"sf2f-64-tiny, seed 0": taken})[0] == 0


def test_a_process_that_ends_without_a_word_has_failed(quick: Quick, tmp_path: Path, play) -> None:
    def silent(folder: Path, task: Task) -> int:
        place(folder, task).log.write_text("Traceback\nImportError: no torch\n", encoding="utf-8")
        return 1

    plan = quick()
    assert play(plan, {"sf2f-64-tiny, seed 0": silent})[0] == 1
    assert place(tmp_path, plan.cells[0]).reason() == "ended with exit code 1: ImportError: no torch"


@pytest.mark.slow
def test_a_sweep_asked_to_stop_stops_its_jobs(quick: Quick, tmp_path: Path, play) -> None:
    def interrupt(folder: Path, task: Task) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return 143

    plan = quick(seeds=[0, 1])
    with pytest.raises(Interrupted, match="The same command goes on") as caught:
        play(plan, {"sf2f-64-tiny, seed 0": interrupt}, parallel=1)
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert states(plan, tmp_path)[1:] == [WAITING, WAITING]
    assert play(plan)[0] == 0


def test_a_sweep_above_its_budget_does_not_start(quick: Quick, tmp_path: Path, play) -> None:
    with pytest.raises(ValueError, match=r"budget\.hours: "):
        play(quick(budget={"hours": 1e-9}))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_whole_sweep_with_a_bad_cell(quick: Quick, tmp_path: Path) -> None:
    """Processes, as a person starts them."""
    plan = quick(
        variants={"full": {}, "hot": {"optimizer.generator.learning_rate": 1e30}},
        launcher={"parallel": 2},
        evaluate={"splits": ["unseen_speaker"]},
    )
    assert run(plan, tmp_path) == 1
    assert states(plan, tmp_path) == [DONE, DONE, FAILED]
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "A loss was not finite at step 2" in table
    assert "full" in table
