import io
import sys
import time

import pytest

from evaluation import progress
from evaluation.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that tqdm reads, which a test moves."""
    now = [0.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_half_minute(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    for _ in Progress(range(100), desc="train", unit="step"):
        clock[0] += 1.0
    lines = log.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("train: 3")
    assert " of 100 steps, " in lines[0]
    assert all(line.endswith(" left") and "\r" not in line for line in lines)


def test_short_work_is_not_told_in_a_log(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with Progress(desc="draw", unit="face", total=9) as told:
        clock[0] += progress.SECONDS - 1
        told.update(9)
    assert log.getvalue() == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    for silent in (False, True):
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        assert list(Progress(range(3), desc="draw", unit="face", disable=silent)) == [0, 1, 2]
        assert ("\rdraw" in screen.getvalue()) is not silent
