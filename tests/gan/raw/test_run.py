"""Jobs that end, fail, are killed or pass by what others hold: when they are started again, and when the whole is given up."""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from gan.launchers.base import Job, Launcher
from gan.raw import run
from gan.raw.item import Item, Listing
from gan.raw.profile import Profile
from gan.raw.store import Writer
from gan.raw.work import Work, alone_at

pytestmark = pytest.mark.usefixtures("one_shard")


class Told(Launcher):
    """Does in the place of each job what it is told, which gives the exit code."""

    parallel = 1

    def __init__(self, act: Callable[[int, Job], int | None]):
        self.act, self.started, self.ended = act, 0, dict[str, int | None]()

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.started += 1
            self.ended[job.id] = self.act(self.started, job)

    def poll(self) -> dict[str, int | None]:
        ended, self.ended = self.ended, {}
        return ended

    def stop_jobs(self, ids: Collection[str]) -> None: ...

    def stop(self) -> None: ...


@pytest.fixture
def work(tmp_path: Path) -> Work:
    made = Work.make(tmp_path / "w", "voxceleb", Listing([Item("a", Path("a.wav"), "a", "id1")]), Profile(), {})
    made.shard(0).parent.mkdir(parents=True)
    return made


def write(work: Work, part: int | None = None) -> None:
    with Writer(work.shard(0)) as writer:
        writer.append({"item": "a"} | ({"parts": 1, "seconds": 1.0} if part is None else {"part": part}))


def read_all(work: Work, act: Callable[[int, Job], int | None], monkeypatch: pytest.MonkeyPatch) -> Told:
    launcher = Told(act)
    monkeypatch.setattr(run, "build", lambda *_, **__: launcher)
    monkeypatch.setattr(run, "POLL_SECONDS", 0.0)
    run.read_all(work, {})
    return launcher


def test_a_shard_that_a_stopped_commands_job_holds_is_waited_for(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    other = ExitStack()
    other.enter_context(alone_at(work.shard(0)))
    holders: list[object] = []
    holder = run.holder

    def look(path: Path) -> object:
        holders.append(holder(path))
        if len(holders) == 3:
            other.close()
        return holders[-1]

    def act(start: int, _: Job) -> int:
        if start == 2:
            write(work)
        return 0

    monkeypatch.setattr(run, "holder", look)
    assert read_all(work, act, monkeypatch).started == 2
    assert [bool(each) for each in holders] == [True, True, True, False]


def test_a_long_film_that_grows_is_never_given_up(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(start: int, _: Job) -> int | None:
        write(work, start - 1 if start < 8 else None)
        return None if start < 8 else 0  # a cluster does not say how

    assert read_all(work, act, monkeypatch).started == 8


def test_jobs_that_fail_without_getting_on_end_in_one_line(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(_: int, job: Job) -> int:
        job.log.write_text("voxface: 00000.jsonl: No space left on device\n")
        return 2

    with pytest.raises(ValueError, match=r"w: 00000.jsonl: No space left on device Whole log: .*job0.txt") as error:
        read_all(work, act, monkeypatch)
    assert "\n" not in str(error.value)


def test_a_disk_so_full_that_no_log_was_written(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LEAST_FREE_BYTES", 1 << 62)
    with pytest.raises(ValueError, match=r"the disk is full\. Make room"):
        read_all(work, lambda *_: 2, monkeypatch)


def test_jobs_that_end_well_and_do_nothing_are_no_endless_loop(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"jobs end, and leave .*00000.jsonl unread"):
        read_all(work, lambda *_: 0, monkeypatch)
