import fcntl
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gan import lease
from gan.lease import STALE_SECONDS, TAKEN, Lease, holder, locked

HOLD = """
import sys, threading
from pathlib import Path
from gan import lease
lease.RENEW_SECONDS = 0.05
with lease.Lease.take(Path(sys.argv[1])):
    print("held", flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lease.json"


def hold(path: Path) -> subprocess.Popen[str]:
    """A process that holds a lease until it is ended."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def write(path: Path, age: float = 0.0, **changes: object) -> None:
    """A lease of a process elsewhere, last renewed some seconds ago."""
    path.write_text(json.dumps(dict(token="other", host="elsewhere", boot="b", pid=1, started="1") | changes))
    os.utime(path, (time.time() - age,) * 2)


def ours(**changes: object) -> dict[str, object]:
    return lease._process() | changes


# -- one at a time ------------------------------------------------------------------------------------------------------


def contend(path: Path, rounds: int, found: "multiprocessing.Queue[tuple[int, int]]") -> None:
    """Take and give back; note how often it was had, and how often somebody else had it at that time."""
    had = both = 0
    while had < rounds:
        if (taken := Lease.take(path)) is None:
            continue
        with taken:
            had += 1
            try:
                os.close(os.open(path.with_name("within"), os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                both += 1
            else:
                os.unlink(path.with_name("within"))
    found.put((had, both))


@pytest.mark.slow
def test_of_two_processes_one_holds_it_at_a_time(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    found: multiprocessing.Queue[tuple[int, int]] = context.Queue()
    processes = [context.Process(target=contend, args=(path, 150, found)) for _ in range(2)]
    for process in processes:
        process.start()
    results = [found.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert results == [(150, 0)] * 2
    assert holder(path) is None


def test_a_lease_that_is_held_is_not_given(path: Path) -> None:
    with Lease.take(path):  # type: ignore[union-attr]
        assert Lease.take(path) is None
        assert holder(path)["pid"] == os.getpid()  # type: ignore[index]
    assert not path.exists()
    assert holder(path) is None
    assert Lease.take(path) is not None


def test_it_is_given_back_after_an_exception(path: Path) -> None:
    with pytest.raises(KeyError), Lease.take(path):  # type: ignore[union-attr]
        raise KeyError
    assert holder(path) is None


def test_it_is_not_given_back_for_another_who_has_taken_it_over(path: Path) -> None:
    with Lease.take(path):  # type: ignore[union-attr]
        write(path)
    assert holder(path)["host"] == "elsewhere"  # type: ignore[index]


# -- holders that are gone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("buried", [True, False])
def test_the_lease_of_a_killed_process_is_free_at_once(path: Path, buried: bool) -> None:
    process = hold(path)
    assert Lease.take(path) is None
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie: nobody has asked for its exit code yet
    if buried:
        process.communicate()
    assert holder(path) is None
    assert Lease.take(path) is not None
    process.communicate()


def test_a_process_number_given_out_again_is_not_its_former_owner(path: Path) -> None:
    write(path, **ours(started="0"))
    assert holder(path) is None
    write(path, **ours())
    assert holder(path) is not None


def test_a_process_number_of_another_machine_or_container_says_nothing(path: Path) -> None:
    for elsewhere in (ours(host="elsewhere", started="0"), ours(boot="before", started="0")):
        write(path, **elsewhere)
        assert holder(path) is not None


@pytest.mark.parametrize(("age", "held"), [(0.0, True), (STALE_SECONDS - 10, True), (STALE_SECONDS + 1, False), (1e6, False)])
def test_a_holder_elsewhere_is_gone_when_it_has_not_renewed_for_long(path: Path, age: float, held: bool) -> None:
    write(path, age)
    assert (holder(path) is not None) == held
    assert (Lease.take(path) is None) == held


def test_a_process_of_this_machine_that_hangs_loses_its_lease(path: Path) -> None:
    write(path, STALE_SECONDS + 1, **ours())
    assert Lease.take(path) is not None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"x"', '{"token": "a"}', "\x00\xff"])
def test_a_file_that_is_no_lease_holds_nothing(path: Path, content: str) -> None:
    path.write_bytes(content.encode("latin-1"))
    assert holder(path) is None
    with Lease.take(path):  # type: ignore[union-attr]
        assert holder(path)["pid"] == os.getpid()  # type: ignore[index]


# -- while it is held ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lose", [write, Path.unlink, lambda path: path.write_text("{")], ids=["taken", "removed", "cut"])
def test_a_process_that_has_lost_its_lease_ends(path: Path, lose) -> None:
    process = hold(path)
    with locked(path):
        lose(path)
    _, said = process.communicate(timeout=60)
    assert process.returncode == TAKEN
    assert "another process has taken this task over" in said


def test_a_process_asleep_ends_when_it_wakes_after_another_has_taken_over(path: Path) -> None:
    process = hold(path)
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    os.utime(path, (time.time() - STALE_SECONDS - 1,) * 2)
    with Lease.take(path):  # type: ignore[union-attr]
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=60)
        assert process.returncode == TAKEN
        assert holder(path)["pid"] == os.getpid()  # type: ignore[index]


def renewed(path: Path) -> bool:
    """Whether a lease made to look old is soon young again."""
    os.utime(path, (1, 1))
    deadline = time.monotonic() + 60
    while path.stat().st_mtime == 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.stat().st_mtime > 1


def test_it_is_renewed_while_held(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.01)
    with Lease.take(path):  # type: ignore[union-attr]
        assert renewed(path)


def test_it_is_renewed_again_after_the_disk_was_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away, taken = [True] * 3, Lease.take(path)

    def flaky(file: Path):
        if away:
            away.pop()
            raise OSError("stale file handle")
        return locked(file)

    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr(lease, "locked", flaky)
    with taken:  # type: ignore[union-attr]
        assert renewed(path)
        assert not away


def test_a_child_that_inherits_the_open_file_does_not_keep_it_locked(path: Path) -> None:
    """A loader process forked at that moment lives as long as the training."""
    with locked(path):
        file = next(
            int(number)
            for number in os.listdir("/proc/self/fd")
            if number.isdigit()
            and os.path.exists(f"/proc/self/fd/{number}")
            and os.readlink(f"/proc/self/fd/{number}").endswith(".lock")
        )
        child = subprocess.Popen(["sleep", "600"], pass_fds=[file])
    try:
        with open(path.with_name(".lease.json.lock"), "a", encoding="utf-8") as again:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        child.kill()
        child.wait()
