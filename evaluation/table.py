"""Results rows -> tables. A table is built from rows alone, so old results can be tabled again at any time.

A row is a dict, one metric of one system on one split:
    system, run, step, training_seed     what was scored: its name; of a trained one its run, checkpoint and seed
    recipe                               the same for runs that differ in their training seed only: they share a line
    control                              true where it is no system that competes: prior, shuffled, oracles
    corpus, corpus_checksum, split       on which faces and voices
    protocol, results_version            how; protocol is a dict (runs, seconds, gallery, num_faces, ...)
    metric, value, interval, chance, upper, extractor, note, higher_is_better      the Score's fields
    scores                               path of the .npz with the single values: speaker, clip, run, value, each (N,)
Only system, corpus, split, protocol, metric and value must be there; None and NaN are the same.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from csv import writer
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation import table_text
from evaluation.bootstrap import Difference, paired_difference
from evaluation.table_text import Cell, Section, Table

Row = Mapping[str, Any]
Column = tuple[str, str]  # metric, extractor
Entry = tuple[str, ...]  # the values of ENTRY, as JSON
Samples = tuple[np.ndarray, np.ndarray]  # values and speakers, (N,) each
Pairs = Sequence[tuple[str, str]]

NEEDED = ("system", "corpus", "split", "protocol", "metric", "value")
ENTRY = ("system", "run", "step", "training_seed")  # what tells one scored system from another
STEP, SEED = ENTRY.index("step"), ENTRY.index("training_seed")
GROUP = ("corpus", "corpus_checksum", "split", "results_version", "protocol")  # what makes a table
SURE = 0.05  # the p below which one system is called better than another


def markdown(rows: Iterable[Row], folder: Path | None = None, pairs: Pairs | None = None) -> str:
    """Markdown: a table for each corpus, split and protocol, and under it the paired differences between systems.

    folder: where the rows' `scores` paths start; without it no differences are made and no value is called the best.
    pairs: which systems to set against each other, by name or recipe; all pairs by default. A later row of the same
    system, checkpoint, metric, extractor and protocol replaces the earlier one. Rows of another protocol, corpus or
    results version get a table of their own, those of another extractor a column of their own. Runs of one recipe that
    differ in their training seed share a line, mean and standard deviation over seeds.
    Raises ValueError for a row without a needed key, or unreadable scores.
    """
    return "\n".join(map(table_text.markdown_section, sections(rows, folder, pairs))) or "No results yet.\n"


def latex(rows: Iterable[Row], folder: Path | None = None, pairs: Pairs | None = None) -> str:
    """The same tables as LaTeX table environments, to be read in by a document with booktabs and graphicx."""
    return "\n".join([table_text.LATEX_NEEDS, *map(table_text.latex_section, sections(rows, folder, pairs))])


def csv(rows: Iterable[Row]) -> str:
    """One line a standing row, nothing averaged or left out: every key a column, `protocol.runs` and so on one each."""
    flat = [_flat(row) for row in latest(rows)]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    lines = writer(text, lineterminator="\n")
    lines.writerow(names)
    lines.writerows([row.get(name, "") for name in names] for row in flat)
    return text.getvalue()


def latest(rows: Iterable[Row]) -> list[Row]:
    """The rows that stand: of those that say the same thing of the same system, the last, at the first one's place."""
    standing: dict[tuple[str, ...], Row] = {}
    for number, row in enumerate(rows, 1):
        if missing := [key for key in NEEDED if key not in row]:
            raise ValueError(f"results row {number}: {', '.join(missing)} missing. A row has {', '.join(NEEDED)}.")
        standing[tuple(_canonical(row.get(name)) for name in (*ENTRY, *GROUP, "metric", "extractor"))] = row
    return list(standing.values())


def sections(rows: Iterable[Row], folder: Path | None = None, pairs: Pairs | None = None) -> list[Section]:
    """What markdown and latex write, before it is text."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in latest(rows):
        groups.setdefault(tuple(_canonical(row.get(name)) for name in GROUP), []).append(row)
    return [_section(group, folder, pairs) for group in groups.values()]


@dataclass(frozen=True)
class _Line:
    """A line of a table. names: the systems' and the recipe's. rows: of each column, one a training seed."""

    label: str
    names: frozenset[str]
    competes: bool
    rows: Mapping[Column, list[Row]]


def _section(rows: list[Row], folder: Path | None, pairs: Pairs | None) -> Section:
    scored = [row for row in rows if _number(row["value"]) is not None]
    columns = list(dict.fromkeys(_column(row) for row in scored))
    lines = _lines(rows)
    shown = [line for line in lines if any(column in line.rows for column in columns)]
    letters, notes = _footnotes(columns, lines)
    scores = _Scores(folder)
    marks = {column: _marks(column, shown, scores) for column in columns}
    head = [_heading(column, scored) + letters[column] for column in columns]
    results = Table(
        ["system", *head],
        [(line.label, [_cell(line, column, marks[column]) for column in columns]) for line in shown]
        + [(name, [_reference(column, key, scored) for column in columns])
           for name, key in (("chance", "chance"), ("real faces", "upper"))],
    )
    compared = [
        (f"{first.label} − {second.label}", [_difference(first, second, column, scores) for column in columns])
        for first, second in _pairs(shown, pairs)
    ]
    differences = [(name, cells) for name, cells in compared if any(cell.value != table_text.NOTHING for cell in cells)]
    return Section(
        corpus=str(rows[0]["corpus"]),
        split=str(rows[0]["split"]),
        intro=_intro(rows[0], lines, any(marks.values())),
        results=results if columns else None,
        references=2,
        notes=notes + _skipped(lines),
        about_differences="Paired differences by speaker, first minus second; bold where 0 is outside the 95 % interval.",
        differences=Table(["systems", *head], differences) if differences else None,
    )


def _intro(row: Row, lines: list[_Line], marked: bool) -> list[str]:
    said = dict(row["protocol"])
    for name in ("corpus_checksum", "results_version"):
        if row.get(name) is not None:
            said[name] = str(row[name])[:12]
    intro = [", ".join(f"{str(key).replace('_', ' ')} {value}" for key, value in said.items()) + "."] if said else []
    intro.append("Values with 95 % intervals, clustered by speaker.")
    if any(_seeds(line) > 1 for line in lines):
        intro.append("Of several training seeds: mean ± standard deviation over seeds.")
    if marked:
        among = "" if all(line.competes for line in lines) else ", control systems apart,"
        intro.append(f"Bold: the best{among} and underlined: the second, each only if a paired test by speaker finds it better "
                     f"than the next (p < {SURE}).")
    return intro


def _lines(rows: list[Row]) -> list[_Line]:
    """One line an entry, but one for all the entries that differ only in their training seed."""
    entries: dict[Entry, list[Row]] = {}
    for row in rows:
        entries.setdefault(tuple(_canonical(row.get(name)) for name in ENTRY), []).append(row)
    siblings: dict[str, list[Entry]] = {}
    for entry, (row, *_) in entries.items():
        alone = row.get("recipe") is None or row.get("training_seed") is None
        siblings.setdefault(_canonical(entry) if alone else _canonical(row["recipe"]), []).append(entry)
    labels, trained = _labels(list(entries)), any(row.get("run") for row in rows)
    lines = []
    for members in (part for together in siblings.values() for part in _by_seed(together)):
        first, label = entries[members[0]][0], labels[members[0]]
        if len(members) > 1:
            steps = list(dict.fromkeys(entry[STEP] for entry in siblings[_canonical(first["recipe"])]))
            at = sorted({json.loads(entry[STEP]) for entry in members}) if len(steps) > 1 else []
            label = f"{first['recipe']}, {len(members)} seeds" + (f", step {', '.join(map(str, at))}" if at else "")
        by_column: dict[Column, list[Row]] = {}
        for row in (row for entry in members for row in entries[entry]):
            by_column.setdefault(_column(row), []).append(row)
        names = {str(entries[entry][0]["system"]) for entry in members} | {str(first.get("recipe"))}
        lines.append(_Line(label, frozenset(names), _competes(first, trained), by_column))
    return lines


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


def _seeds(line: _Line) -> int:
    return max(map(len, line.rows.values()))


def _scored(line: _Line, column: Column) -> list[Row]:
    return [row for row in line.rows.get(column, []) if _number(row["value"]) is not None]


class _Scores:
    """The single values behind rows, each file read once."""

    def __init__(self, folder: Path | None):
        self._folder = folder
        self._read: dict[str, Samples] = {}

    def samples(self, rows: list[Row]) -> Samples | None:
        """The values of all these rows end to end; None where there are no rows, or one without scores."""
        if self._folder is None or not rows or not all(row.get("scores") for row in rows):
            return None
        for path in (str(row["scores"]) for row in rows):
            if path not in self._read:
                self._read[path] = _read_scores(self._folder / path)
        values, speakers = zip(*(self._read[str(row["scores"])] for row in rows), strict=True)
        return np.concatenate(values), np.concatenate(speakers)

    def difference(self, first: list[Row], second: list[Row]) -> Difference | None:
        """first minus second, paired by speaker, a speaker's value being the mean over seeds and faces."""
        a, b = self.samples(first), self.samples(second)
        return None if a is None or b is None else paired_difference(*a, *b)


def _read_scores(path: Path) -> Samples:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays["value"], arrays["speaker"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{path}: not readable as scores (.npz with speaker, value). Evaluate again.") from None


def _marks(column: Column, lines: list[_Line], scores: _Scores) -> dict[str, str]:
    """By label: the best and the second, each if it is surely better than the next."""
    found = [(line.label, rows) for line in lines if line.competes and (rows := _scored(line, column))]
    better = {row.get("higher_is_better") for _, rows in found for row in rows}
    if better not in ({True}, {False}):
        return {}
    sign = 1 if better == {True} else -1
    ranked = sorted(found, key=lambda entry: -sign * _mean(entry[1]))
    marks = {}
    for (label, rows), (_, next_rows), mark in zip(ranked, ranked[1:], (table_text.BEST, table_text.SECOND), strict=False):
        difference = scores.difference(rows, next_rows)
        if difference is not None and difference.p < SURE and sign * difference.mean > 0:
            marks[label] = mark
    return marks


def _footnotes(columns: list[Column], lines: list[_Line]) -> tuple[dict[Column, str], list[tuple[str, str]]]:
    """A letter for each column, shared by columns that say the same, and what the letters stand for.

    What all systems' notes have in common is said once; what only some say is said with their names.
    """
    marks: dict[Column, str] = {}
    letters: dict[str, str] = {}
    for column in columns:
        said = [(line.label, str(row.get("note") or "").split("; ")) for line in lines for row in _scored(line, column)]
        common = [part for part in said[0][1] if all(part in parts for _, parts in said)]
        own: dict[str, dict[str, None]] = {}
        for label, parts in said:
            own.setdefault("; ".join(part for part in parts if part not in common), {})[label] = None
        apart = [f"{text} ({', '.join(who)})" for text, who in own.items() if text]
        text = "; ".join(filter(None, [column[1], *common, *apart]))
        if text and text not in letters:
            letters[text] = _letter(len(letters))
        marks[column] = f" ({letters[text]})" if text else ""
    return marks, [(letter, text) for text, letter in letters.items()]


def _skipped(lines: list[_Line]) -> list[tuple[str, str]]:
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for line in lines:
        for row in (row for rows in line.rows.values() for row in rows if _number(row["value"]) is None):
            reason = str(row.get("note") or "no reason given").removeprefix("skipped: ")
            reasons.setdefault((row["metric"], reason), {})[line.label] = None
    everybody = {line.label for line in lines}
    return [
        ("skipped", f"{metric}{'' if set(who) == everybody else ' (' + ', '.join(who) + ')'}: {reason}")
        for (metric, reason), who in reasons.items()
    ]


def _pairs(lines: list[_Line], pairs: Pairs | None) -> list[tuple[_Line, _Line]]:
    if pairs is None:
        return list(itertools.combinations(lines, 2))
    return [(a, b) for a, b in itertools.permutations(lines, 2) if _asked(a.names, b.names, pairs)]


def _asked(first: Collection[str], second: Collection[str], pairs: Pairs) -> bool:
    return any(a in first and b in second for a, b in pairs)


def _difference(first: _Line, second: _Line, column: Column, scores: _Scores) -> Cell:
    found = scores.difference(_scored(first, column), _scored(second, column))
    if found is None or math.isnan(found.mean):
        return Cell()
    low, high = found.interval
    p = f"p {found.p:.3f}" if found.p >= 0.001 else "p < 0.001"
    return Cell(f"{found.mean:+.3f}", f"[{low:+.3f}, {high:+.3f}], {p}", table_text.DIFFERS if low > 0 or high < 0 else "")


def _heading(column: Column, rows: list[Row]) -> str:
    better = {row.get("higher_is_better") for row in rows if _column(row) == column}
    return column[0] + (" ↑" if better == {True} else " ↓" if better == {False} else "")


def _cell(line: _Line, column: Column, marks: Mapping[str, str]) -> Cell:
    rows = _scored(line, column)
    if not rows:
        return Cell()
    mark = marks.get(line.label, "")
    if _seeds(line) > 1:
        deviation = f"± {_format(float(np.std([row['value'] for row in rows], ddof=1)))}" if len(rows) > 1 else ""
        return Cell(_format(_mean(rows)), f"{deviation} (n = {len(rows)})".strip(), mark)
    low, high = (_number(edge) for edge in (rows[0].get("interval") or (None, None)))
    span = f"[{_format(low)}, {_format(high)}]" if low is not None and high is not None else ""
    return Cell(_format(rows[0]["value"]), span, mark)


def _reference(column: Column, key: str, rows: list[Row]) -> Cell:
    """The chance or upper value of a column; its range where systems were given different ones."""
    found = [value for row in rows if _column(row) == column and (value := _number(row.get(key))) is not None]
    if not found:
        return Cell()
    low, high = _format(min(found)), _format(max(found))
    return Cell(low if low == high else f"{low} to {high}")


def _flat(row: Row) -> dict[str, Any]:
    """A row's keys and plain values: an interval's ends and a protocol's keys apart, other lists as JSON."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key == "interval":
            flat["interval_low"], flat["interval_high"] = value or ("", "")
        elif isinstance(value, Mapping):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return {key: json.dumps(value) if isinstance(value, (list, tuple, dict)) else "" if value is None or value != value else value
            for key, value in flat.items()}


def _mean(rows: list[Row]) -> float:
    return float(np.mean([row["value"] for row in rows]))


def _column(row: Row) -> Column:
    return row["metric"], str(row.get("extractor") or "")


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _format(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _letter(number: int) -> str:
    return (chr(ord("a") + number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)
