"""How far a preparation is: the table, and the table that renews itself on a terminal."""

import sys
from pathlib import Path

import pytest

from gan.lease import Lease
from gan.raw import status
from gan.raw.item import Item, Listing
from gan.raw.profile import Profile
from gan.raw.store import Writer
from gan.raw.work import Work

pytestmark = pytest.mark.usefixtures("one_shard")


def work(folder: Path, items: int = 10) -> Work:
    listing = Listing([Item(f"id1/{number}", Path(f"{number}.wav"), "film", "id1") for number in range(items)])
    made = Work.make(folder / "w", "voxceleb", listing, Profile(), {})
    made.shard(0).parent.mkdir(parents=True)
    return made


def read(made: Work, *numbers: int, kind: str = "") -> None:
    with Writer(made.shard(0)) as writer:
        for number in numbers:
            ending = {"failed": "why", "kind": kind} if kind else {"parts": 1, "seconds": 360.0}
            writer.append({"item": f"id1/{number}", "part": 0})
            writer.append({"item": f"id1/{number}"} | ending)


def test_what_is_done_and_what_failed_by_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = work(tmp_path)
    status.show(made.path)
    assert capsys.readouterr().out == ("voxceleb: 0 of 10 items read (0.00 h of media), 0 failed, 10 left. Nobody is at it.\n")
    read(made, 0, 1)
    read(made, 2, kind="cut short")
    read(made, 3, 4, kind="no sound track")
    status.show(made.path)
    assert capsys.readouterr().out == (
        "voxceleb: 2 of 10 items read (0.20 h of media), 3 failed, 5 left. Nobody is at it.\n"
        "failed, no sound track: 2\n"
        "failed, cut short: 1\n"
    )


def test_fewer_items_may_be_listed_than_were_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read(work(tmp_path), 0, 1, 2)
    made = Work.make(tmp_path / "w", "voxceleb", Listing([Item("id1/0", Path("0.wav"), "film", "id1")]), Profile(), {})
    status.show(made.path)
    assert "3 of 1 items read (0.30 h of media), 0 failed, 0 left." in capsys.readouterr().out


@pytest.mark.parametrize(("seconds", "said"), [(30, "30 s"), (600, "10 min"), (7200, "2.0 h")])
def test_speed_and_time_left_come_of_two_looks(tmp_path: Path, seconds: float, said: str) -> None:
    made = work(tmp_path)
    text = status.table(made, (5.0, (2, {}, 100.0)), (5.0 + seconds, (5, {"cut short": 1}, 100.0 + 12 * seconds)), busy=True)
    assert text.splitlines()[0].endswith("4 left. At work.")
    assert text.splitlines()[-1].endswith(f"12.0 times real time, about {said} left.")


def test_on_a_terminal_it_is_live_while_somebody_is_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = work(tmp_path)
    lease = Lease.take(made.lease)
    assert lease is not None
    looks = iter(range(3))

    def meanwhile(_: float) -> None:
        look = next(looks)
        read(made, look)
        if look == 2:
            lease.__exit__()

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(status.time, "sleep", meanwhile)
    with lease:
        status.show(made.path)
    pages = capsys.readouterr().out.split(status.HOME_AND_CLEAR)[1:]
    assert [page.partition(" of ")[0] for page in pages] == [f"voxceleb: {number}" for number in range(4)]
    assert "times real time" not in pages[0]
    assert "times real time" in pages[1]
    assert "Nobody is at it." in pages[3]


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no work.json"):
        status.show(tmp_path)
