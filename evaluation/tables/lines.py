"""Results rows -> a table's lines and columns, and what stands where they cross. What a layout asks for is done elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from evaluation.tables.rows import ENTRY, Row, canonical, identity, number

Entry = tuple[str, ...]  # the values of ENTRY, as JSON
STEP, SEED = ENTRY.index("step"), ENTRY.index("training_seed")


@dataclass(frozen=True)
class Column:
    """One metric by one extractor on one split under one protocol (as JSON). Only such values may be compared."""

    metric: str
    extractor: str
    split: str
    protocol: str

    @property
    def seconds(self) -> float | None:
        """The clip length; None where no speech was given."""
        return dict(json.loads(self.protocol)).get("seconds")


def column_of(row: Row) -> Column:
    """The column in which a results row stands."""
    return Column(row["metric"], str(row.get("extractor") or ""), str(row["split"]), canonical(row["protocol"]))


@dataclass(frozen=True)
class Line:
    """A line of a table: a system, or runs of one recipe that differ in their training seed.

    names: the systems' and the recipe's. rows: of each column, one a training seed. missing: why some, or all, have none;
    failed: and whether one of them failed. elsewhere: what is to be said of other corpora it was trained on.
    """

    label: str
    names: frozenset[str]
    competes: bool
    rows: Mapping[Column, list[Row]]
    missing: tuple[str, ...] = ()
    failed: bool = False
    elsewhere: tuple[str, ...] = ()

    @property
    def seeds(self) -> int:
        return max(map(len, self.rows.values()), default=0)

    def scored(self, column: Column) -> list[Row]:
        return [row for row in self.rows.get(column, []) if number(row["value"]) is not None]

    def leaks(self, column: Column) -> bool:
        """Whether what is scored there was, in part, trained on."""
        return any("leak" in trained for row in self.rows.get(column, []) for trained in row.get("trained_on") or ())

    def runs(self) -> set[str]:
        return {str(row["run"]) for rows in self.rows.values() for row in rows if row.get("run")}


@dataclass(frozen=True)
class Summary:
    """mean of `seeds` training seeds. deviation: their standard deviation, None of one. interval: 95 %, of one seed only."""

    mean: float
    seeds: int
    deviation: float | None = None
    interval: tuple[float, float] | None = None


def summary(line: Line, column: Column) -> Summary | None:
    """What a line says in a column; None where it has no score."""
    rows = line.scored(column)
    if not rows:
        return None
    values = [row["value"] for row in rows]
    if line.seeds > 1:
        return Summary(float(np.mean(values)), len(rows), float(np.std(values, ddof=1)) if len(rows) > 1 else None)
    low, high = (number(edge) for edge in (rows[0].get("interval") or (None, None)))
    return Summary(float(values[0]), 1, interval=None if low is None or high is None else (low, high))


def reference(lines: Iterable[Line], column: Column, key: str) -> tuple[float, float] | None:
    """The lowest and the highest chance or upper value (key) that a column's rows were given."""
    found = [value for line in lines for row in line.scored(column) if (value := number(row.get(key))) is not None]
    return (min(found), max(found)) if found else None


def higher_is_better(lines: Iterable[Line], column: Column) -> bool | None:
    """None where nothing is said, or not the same of all."""
    said = {row.get("higher_is_better") for line in lines for row in line.scored(column)}
    return said.pop() if len(said) == 1 else None


def lines_of(rows: list[Row], missing: Iterable[Row] = ()) -> list[Line]:
    """One line for each entry; entries that differ only in their training seed share one. rows: those that stand."""
    entries: dict[Entry, list[Row]] = {}
    for row in rows:
        entries.setdefault(identity(row, ENTRY), []).append(row)
    siblings: dict[str, list[Entry]] = {}
    for entry, (row, *_) in entries.items():
        alone = row.get("recipe") is None or row.get("training_seed") is None
        siblings.setdefault(canonical(entry) if alone else canonical(row["recipe"]), []).append(entry)
    labels, trained = _labels(list(entries)), any(row.get("run") for row in rows)
    reasons: dict[str, list[Row]] = {}
    for row in missing:
        reasons.setdefault(str(row.get("recipe") or row["system"]), []).append(row)
    lines = []
    for members in (part for together in siblings.values() for part in _by_seed(together)):
        first, label = entries[members[0]][0], labels[members[0]]
        if len(members) > 1:
            steps = list(dict.fromkeys(entry[STEP] for entry in siblings[canonical(first["recipe"])]))
            at = sorted({json.loads(entry[STEP]) for entry in members}) if len(steps) > 1 else []
            label = f"{first['recipe']}, {len(members)} seeds" + (f", step {', '.join(map(str, at))}" if at else "")
        by_column: dict[Column, list[Row]] = {}
        for row in (row for entry in members for row in entries[entry]):
            by_column.setdefault(column_of(row), []).append(row)
        names = {str(entries[entry][0]["system"]) for entry in members} | {str(first.get("recipe") or first["system"])}
        why = [row for name in sorted(names & set(reasons)) for row in reasons.pop(name)]
        line = Line(label, frozenset(names), _competes(first, trained), by_column, elsewhere=_elsewhere(by_column))
        lines.append(_with(why, line))
    return lines + [_with(why, Line(name, frozenset({name}), True, {})) for name, why in reasons.items()]


def _elsewhere(rows: Mapping[Column, list[Row]]) -> tuple[str, ...]:
    """The corpora a line was trained on, if others than the one it is scored on, and what of that weighs on its scores."""
    said: dict[str, None] = {}
    for trained in (trained for each in rows.values() for row in each for trained in row.get("trained_on") or ()):
        said[f"trained on {trained['corpus']}"] = None
        for key, words in (("leak", "LEAKS, going by names: "), ("strangers", ""), ("unchecked", "")):
            if key in trained:
                said[words + trained[key]] = None
    return tuple(said)


def _with(missing: list[Row], line: Line) -> Line:
    """The line with the reasons why scores are missing, and of which training seed where it is told."""
    said = [
        f"training seed {seed}: {row['missing']}" if (seed := row.get("training_seed")) is not None else str(row["missing"])
        for row in missing
    ]
    return replace(line, missing=tuple(dict.fromkeys(said)), failed=any(row.get("failed") for row in missing))


def _by_seed(entries: list[Entry]) -> list[list[Entry]]:
    """A recipe's entries, parted into sets of different training seeds: all, or those of each step, or each alone.

    A seed that comes twice means that something else differs too, and what that is decides.
    """
    steps = list(dict.fromkeys(entry[STEP] for entry in entries))
    for parts in ([entries], [[entry for entry in entries if entry[STEP] == step] for step in steps]):
        if all(len({entry[SEED] for entry in part}) == len(part) for part in parts):
            return parts
    return [[entry] for entry in entries]


def _labels(entries: list[Entry]) -> dict[Entry, str]:
    """A system's name, and what tells it from another line of that name (run, step, seed)."""
    labels = {}
    for entry in entries:
        namesakes = [other for other in entries if other[0] == entry[0]]
        parts = [
            f"{name.replace('_', ' ')} {json.loads(entry[at])}"
            for at, name in enumerate(ENTRY)
            if at and len({other[at] for other in namesakes}) > 1
        ]
        labels[entry] = ", ".join([str(json.loads(entry[0])), *parts])
    return labels


def _competes(row: Row, trained: bool) -> bool:
    """Whether it may be called the best. Rows of before there was `control`: beside trained systems only those compete."""
    if row.get("control") is not None:
        return not row["control"]
    return not trained or row.get("run") == row["system"]
