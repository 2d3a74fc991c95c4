"""Answers survive what happens to files, and reviewers are compared as worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from gan.pages.answers import VERSION, Agreement, Answers, agreement, read_answers, report


def test_answers_come_back_and_the_last_verdict_counts(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "review", "anna")
    answers.add("Ann", {"a/1": "drop", "a/2": "wrong"})
    answers.add("Ann", {"a/1": "keep"}, done=True)
    again = Answers(tmp_path / "review", "anna")
    assert again.verdicts == answers.verdicts == {"a/1": "keep", "a/2": "wrong"}
    assert again.done == {"Ann"}
    assert read_answers(tmp_path / "review") == again.verdicts
    line = json.loads(again.path.read_text().splitlines()[0])
    assert {**line, "time": ""} == dict(
        reviewer="anna", person="Ann", picture="a/1", verdict="drop", step=1, time="", version=VERSION
    )


def test_undo_is_a_further_line_and_goes_back_step_by_step(tmp_path: Path) -> None:
    answers = Answers(tmp_path, "anna")
    answers.add("Ann", {"a/1": "drop"})
    answers.add("Ann", {"a/1": "keep", "a/2": "keep"}, done=True)
    assert answers.undo() == ("Ann", ["a/1", "a/2"])
    assert (answers.verdicts, answers.done) == ({"a/1": "drop"}, set())
    answers.add("Ann", {"a/2": "wrong"})
    answers = Answers(tmp_path, "anna")
    assert answers.verdicts == {"a/1": "drop", "a/2": "wrong"}
    assert answers.undo() == ("Ann", ["a/2"])
    assert answers.undo() == ("Ann", ["a/1"])
    assert answers.undo() is None
    assert Answers(tmp_path, "anna").verdicts == {}
    assert len(answers.path.read_text().splitlines()) == 8


def test_a_line_cut_anywhere_is_no_answer_and_costs_no_other(tmp_path: Path) -> None:
    answers = Answers(tmp_path, "anna")
    answers.add("Ann", {"a/1": "keep"})
    first = answers.path.read_bytes()
    answers.add("Zoë \udcff", {"a/2": "drop"})
    whole = answers.path.read_bytes()
    for end in range(len(first), len(whole)):
        answers.path.write_bytes(whole[:end])
        again = Answers(tmp_path, "anna")
        assert again.verdicts == {"a/1": "keep"}
        again.add("Cid", {"a/3": "wrong"})
        assert Answers(tmp_path, "anna").verdicts == {"a/1": "keep", "a/3": "wrong"}


def test_what_the_disk_did_not_take_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(tmp_path, "anna")
    answers.add("Ann", {"a/1": "keep"})
    before = answers.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr("os.fsync", full)
        answers.add("Ann", {"a/2": "drop"})
    assert answers.path.read_bytes() == before
    assert answers.verdicts == {"a/1": "keep"}
    answers.add("Ann", {"a/2": "wrong"})
    assert Answers(tmp_path, "anna").verdicts == {"a/1": "keep", "a/2": "wrong"}


@pytest.mark.parametrize("name", ["", "Anna", "a/b", "../a", "a b", "-a", "a" * 33, "a\n"])
def test_a_name_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"^reviewer: "):
        Answers(tmp_path, name)


@pytest.mark.parametrize("line", ["x", "[]", "{}", '{"version": 99}', "null", '{"reviewer": "a", "version": 1}'])
def test_a_file_of_something_else_is_refused_by_line(tmp_path: Path, line: str) -> None:
    Answers(tmp_path, "anna").add("Ann", {"a/1": "keep"})
    with (tmp_path / "anna.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"anna\.jsonl, line 2: "):
        read_answers(tmp_path)


def test_time_left_is_the_median_of_those_before(tmp_path: Path) -> None:
    lines = [
        dict(reviewer="anna", person=f"p{number}", picture="", verdict="done", step=number, time=time, version=VERSION)
        for number, time in enumerate(
            ["2020-01-01T10:00:00+00:00", "2020-01-01T10:00:10+00:00", "2020-01-01T10:00:40+00:00", "2020-01-01T12:00:00+00:00"],
            1,
        )
    ]
    path = tmp_path / "anna.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert Answers(tmp_path, "anna").minutes_left(3) is None  # the pause is no gap, so there are two
    more = dict(lines[0], person="p5", step=5, time="2020-01-01T12:00:20+00:00")
    path.write_text(path.read_text() + json.dumps(more) + "\n")
    assert Answers(tmp_path, "anna").minutes_left(3) == 1.0


def test_kappa_by_hand() -> None:
    """20 keep-keep, 5 keep-drop, 10 drop-keep, 15 drop-drop: observed 0.7, by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5."""
    cells = [("keep", "keep")] * 20 + [("keep", "drop")] * 5 + [("drop", "keep")] * 10 + [("drop", "drop")] * 15
    one = {f"{number}": pair[0] for number, pair in enumerate(cells)} | {"only one": "wrong"}
    other = {f"{number}": pair[1] for number, pair in enumerate(cells)}
    assert agreement(one, other) == agreement(other, one) == Agreement(50, 0.7, pytest.approx(0.4))
    assert agreement(one, one).kappa == 1
    same = agreement({"1": "keep"}, {"1": "keep"})
    assert same.share == 1
    assert math.isnan(same.kappa)
    assert agreement(one, {}).pictures == 0


def test_of_two_reviewers_the_stricter_counts_and_the_report_says_so(tmp_path: Path) -> None:
    assert read_answers(tmp_path / "nowhere") == {}
    assert report(tmp_path) == []
    Answers(tmp_path, "anna").add("Ann", {"a/1": "keep", "a/2": "wrong", "a/3": "drop", "a/4": "keep"}, done=True)
    Answers(tmp_path, "ben").add("Ann", {"a/1": "keep", "a/2": "drop", "a/3": "keep"})
    assert read_answers(tmp_path) == {"a/1": "keep", "a/2": "wrong", "a/3": "drop", "a/4": "keep"}
    assert report(tmp_path) == [
        "anna: 1 people done; pictures: 2 keep, 1 drop, 1 wrong.",
        "ben: 0 people done; pictures: 2 keep, 1 drop, 0 wrong.",
        "anna and ben: 33.3% alike of 3 pictures, Cohen's kappa 0.00.",
        "'a/2': anna wrong, ben drop. Counts as wrong.",
        "'a/3': anna drop, ben keep. Counts as drop.",
    ]
