"""What people said of pictures: one file of answers a reviewer, in one folder.

A line is an answer: JSON with `reviewer`, `person`, `picture` (its key), `verdict`, `step`, `time` (UTC), `version`. What one key
press answered has one step number. A line with verdict `undo` takes the last step back, and names it; the number is given again.
A line with `done` says that the person was looked at. Of several verdicts on a picture the last counts. A line is on the disk
before the page shows it. A last line that was cut (power failure, full disk) is no answer.
"""

from __future__ import annotations

import json
import math
import os
import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

VERDICTS = ("keep", "drop", "wrong")  # from the mildest to the strictest
VERSION = 1  # of what a verdict means
ENDING = ".jsonl"
_TYPES: dict[str, type] = dict(reviewer=str, person=str, picture=str, verdict=str, step=int, time=str, version=int)
_SHOWN = 20  # disagreements that are printed
_PAUSE_SECONDS = 300.0  # who needs longer for a person was away


@dataclass
class _Step:
    """What one key press answered."""

    person: str
    time: str
    verdicts: dict[str, str] = field(default_factory=dict)
    done: bool = False


class Answers:
    """One reviewer's answers: those in the file, if it is there, and those that are added.

    verdicts: of every picture judged, by its key. done: the people who were looked at to the end.
    Raises ValueError if the reviewer's name is no plain one, or if the file is not one of answers.
    """

    def __init__(self, folder: Path, reviewer: str):
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", reviewer):
            raise ValueError(f"reviewer: {reviewer!r} is no name for a file. Give 1 to 32 of a-z, 0-9, _ and -, such as anna.")
        self.reviewer, self.path = reviewer, folder / f"{reviewer}{ENDING}"
        self._steps: dict[int, _Step] = {}
        self._written = False
        if self.path.exists():
            for line in _read(self.path):
                self._take(line)
        self._recount()

    def add(self, person: str, verdicts: Mapping[str, str], done: bool = False) -> None:
        """verdicts: by picture key. Raises OSError if the disk does not take them; then none of them counts."""
        assert set(verdicts.values()) <= set(VERDICTS)
        rows = [(picture, verdict) for picture, verdict in verdicts.items()]
        if rows or done:
            self._write(person, [*rows, ("", "done")] if done else rows, max(self._steps, default=0) + 1)

    def undo(self) -> tuple[str, list[str]] | None:
        """Take the last step back that is not taken back yet. Returns its person and pictures; None if nothing is left."""
        if not self._steps:
            return None
        number = max(self._steps)
        step = self._steps[number]
        self._write(step.person, [("", "undo")], number)
        return step.person, list(step.verdicts)

    def minutes_left(self, people: int) -> float | None:
        """At the usual time for a person so far; None until four are done."""
        times = [datetime.fromisoformat(step.time) for step in self._steps.values() if step.done]
        gaps = [(after - before).total_seconds() for before, after in zip(times, times[1:], strict=False)]
        gaps = [gap for gap in gaps if 0 <= gap < _PAUSE_SECONDS][-20:]
        return people * statistics.median(gaps) / 60 if len(gaps) >= 3 else None

    def _write(self, person: str, rows: Sequence[tuple[str, str]], step: int) -> None:
        time = datetime.now(UTC).isoformat(timespec="seconds")
        same: dict[str, Any] = dict(step=step, time=time, version=VERSION)
        lines = [
            dict(reviewer=self.reviewer, person=person, picture=picture, verdict=verdict, **same) for picture, verdict in rows
        ]
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab", buffering=0) as file:
            whole = file.seek(0, os.SEEK_END)
            if not self._written:
                # A line that was cut would make one with the next.
                whole = file.truncate(_whole(self.path.read_bytes()))
            try:
                if file.write(content) != len(content):
                    raise OSError("the disk is full")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(whole)
                raise
        self._written = True
        for line in lines:
            self._take(line)
        self._recount()

    def _recount(self) -> None:
        self.verdicts = {picture: verdict for step in self._steps.values() for picture, verdict in step.verdicts.items()}
        self.done = {step.person for step in self._steps.values() if step.done}

    def _take(self, line: dict[str, Any]) -> None:
        number = line["step"]
        if line["verdict"] == "undo":
            self._steps.pop(number, None)
            return
        step = self._steps.setdefault(number, _Step(line["person"], line["time"]))
        if line["verdict"] == "done":
            step.done = True
        else:
            step.verdicts[line["picture"]] = line["verdict"]


def read_answers(folder: Path) -> dict[str, str]:
    """Picture key -> keep, drop or wrong, of all reviewers together. Empty if nobody has answered.

    Where reviewers disagree the stricter verdict counts: wrong before drop, drop before keep. A face that one of two people
    doubts costs more in a corpus than a good face that is missing. `report` lists these pictures.
    """
    together: dict[str, str] = {}
    for answers in _all(folder):
        for picture, verdict in answers.verdicts.items():
            together[picture] = max(verdict, together.get(picture, verdict), key=VERDICTS.index)
    return together


@dataclass(frozen=True)
class Agreement:
    """Of two reviewers over the pictures that both judged. kappa: Cohen's; nan if both gave one and the same verdict only."""

    pictures: int
    share: float
    kappa: float


def agreement(one: Mapping[str, str], other: Mapping[str, str]) -> Agreement:
    """How alike two reviewers judged. one, other: picture key -> verdict.

    Source: Cohen, A coefficient of agreement for nominal scales, 1960: (observed - by chance) / (1 - by chance).
    """
    both = sorted(one.keys() & other.keys())
    if not both:
        return Agreement(0, math.nan, math.nan)
    alike = sum(one[picture] == other[picture] for picture in both)
    first, second = (Counter(verdicts[picture] for picture in both) for verdicts in (one, other))
    # In whole numbers, so that a chance of 1 is exactly that.
    chance = sum(first[verdict] * second[verdict] for verdict in VERDICTS)
    kappa = (alike * len(both) - chance) / (len(both) ** 2 - chance) if chance < len(both) ** 2 else math.nan
    return Agreement(len(both), alike / len(both), kappa)


def report(folder: Path) -> list[str]:
    """Lines to print: what each reviewer said, how two and two agree, and where they do not. Empty if nobody has answered."""
    reviewers = {answers.reviewer: answers for answers in _all(folder)}
    lines = []
    for name, answers in reviewers.items():
        counts = Counter(answers.verdicts.values())
        said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
        lines.append(f"{name}: {len(answers.done)} people done; pictures: {said}.")
    for one, other in combinations(reviewers, 2):
        found = agreement(reviewers[one].verdicts, reviewers[other].verdicts)
        if not found.pictures:
            lines.append(f"{one} and {other}: no picture that both judged.")
            continue
        kappa = "not defined, both gave one verdict only" if math.isnan(found.kappa) else f"{found.kappa:.2f}"
        lines.append(f"{one} and {other}: {found.share:.1%} alike of {found.pictures} pictures, Cohen's kappa {kappa}.")
    split = _disagreements(reviewers)
    for picture, verdicts in split[:_SHOWN]:
        strictest = max(verdicts.values(), key=VERDICTS.index)
        said = ", ".join(f"{name} {verdict}" for name, verdict in verdicts.items())
        lines.append(f"{picture!r}: {said}. Counts as {strictest}.")
    if len(split) > _SHOWN:
        lines.append(f"... and {len(split) - _SHOWN} more pictures with different verdicts; the stricter counts.")
    return lines


def _disagreements(reviewers: Mapping[str, Answers]) -> list[tuple[str, dict[str, str]]]:
    """(picture, verdict of each reviewer) for every picture with more than one verdict."""
    of_picture: dict[str, dict[str, str]] = {}
    for name, answers in reviewers.items():
        for picture, verdict in answers.verdicts.items():
            of_picture.setdefault(picture, {})[name] = verdict
    return [(picture, of) for picture, of in sorted(of_picture.items()) if len(set(of.values())) > 1]


def _all(folder: Path) -> list[Answers]:
    return [Answers(folder, path.name.removesuffix(ENDING)) for path in sorted(folder.glob(f"[a-z0-9]*{ENDING}"))]


def _whole(content: bytes) -> int:
    """Bytes up to the end of the last line that is not cut."""
    return content.rfind(b"\n") + 1


def _read(path: Path) -> list[dict[str, Any]]:
    lines = []
    content = path.read_bytes()
    for number, text in enumerate(content[: _whole(content)].splitlines(), start=1):
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if isinstance(line, dict) and isinstance(line.get("version"), int) and line["version"] > VERSION:
            raise ValueError(
                f"{path}, line {number}: version {line['version']}. This voxface knows up to {VERSION}. Use a newer one."
            )
        if not _is_answer(line):
            raise ValueError(f"{path}, line {number}: no answer of a reviewer. Take the line out, or put the file elsewhere.")
        lines.append(line)
    return lines


def _is_answer(line: object) -> bool:
    return (
        isinstance(line, dict)
        and all(type(line.get(name)) is kind for name, kind in _TYPES.items())
        and line["verdict"] in (*VERDICTS, "done", "undo")
        and _is_time(line["time"])
    )


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
