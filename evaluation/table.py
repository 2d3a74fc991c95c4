"""Results rows -> Markdown. A table is built from rows alone, so old results can be tabled again at any time.

A row is a dict, one metric of one system on one split:
    system, run, step, training_seed     what was scored: its name; of a trained one its run, checkpoint and seed
    corpus, corpus_checksum, split       on which faces and voices
    protocol, results_version            how; protocol is a dict (runs, seconds, gallery, num_faces, ...)
    metric, value, interval, chance, upper, extractor, note, higher_is_better      the Score's fields
    scores                               path of the .npz with the single values: speaker, clip, run, value, each (N,)
Only system, corpus, split, protocol, metric and value must be there; None and NaN are the same.
"""

from __future__ import annotations

import itertools
import json
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.bootstrap import Difference, paired_difference

Row = Mapping[str, Any]
Column = tuple[str, str]  # metric, extractor

NEEDED = ("system", "corpus", "split", "protocol", "metric", "value")
ENTRY = ("system", "run", "step", "training_seed")  # what makes a line of a table
GROUP = ("corpus", "corpus_checksum", "split", "results_version", "protocol")  # what makes a table
NOTHING = "–"


def markdown(rows: Iterable[Row], folder: Path | None = None, pairs: Sequence[tuple[str, str]] | None = None) -> str:
    """Markdown: a table for each corpus, split and protocol, and under it the paired differences between systems.

    folder: where the rows' `scores` paths start; without it no differences are made. pairs: which systems to set
    against each other, by name; all pairs by default. A later row of the same system, checkpoint, metric, extractor
    and protocol replaces the earlier one. Rows of another protocol, corpus or results version get a table of their
    own, those of another extractor a column of their own.
    Raises ValueError for a row without a needed key, or unreadable scores.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in latest(rows):
        groups.setdefault(tuple(_canonical(row.get(name)) for name in GROUP), []).append(row)
    if not groups:
        return "No results yet.\n"
    return "\n".join(_section(group, folder, pairs) for group in groups.values())


def latest(rows: Iterable[Row]) -> list[Row]:
    """The rows that stand: of those that say the same thing of the same system, the last, at the first one's place."""
    standing: dict[tuple[str, ...], Row] = {}
    for number, row in enumerate(rows, 1):
        if missing := [key for key in NEEDED if key not in row]:
            raise ValueError(f"results row {number}: {', '.join(missing)} missing. A row has {', '.join(NEEDED)}.")
        standing[tuple(_canonical(row.get(name)) for name in (*ENTRY, *GROUP, "metric", "extractor"))] = row
    return list(standing.values())


def _section(rows: list[Row], folder: Path | None, pairs: Sequence[tuple[str, str]] | None) -> str:
    entries = list(dict.fromkeys(_entry(row) for row in rows))
    labels = _labels(entries)
    scored = [row for row in rows if _number(row["value"]) is not None]
    columns = list(dict.fromkeys(_column(row) for row in scored))
    cells = {(_entry(row), _column(row)): row for row in scored}
    marks, notes = _footnotes(columns, scored)
    head = [_heading(column, scored) + marks[column] for column in columns]
    said = dict(rows[0]["protocol"])
    for name in ("corpus_checksum", "results_version"):
        if rows[0].get(name) is not None:
            said[name] = str(rows[0][name])[:12]
    protocol = ", ".join(f"{str(key).replace('_', ' ')} {_text(value)}" for key, value in said.items())
    parts = [f"### {_text(rows[0]['corpus'])}, split `{rows[0]['split']}`\n"]
    parts.append(f"{protocol + '. ' if protocol else ''}Values with 95 % intervals, clustered by speaker.\n")
    if columns:
        lines = [
            [labels[entry], *(_cell(cells.get((entry, column))) for column in columns)]
            for entry in entries
            if any((entry, column) in cells for column in columns)
        ]
        for name, key in (("*chance*", "chance"), ("*real faces*", "upper")):
            lines.append([name, *(_reference(column, key, scored) for column in columns)])
        parts.append(_table(["system", *head], lines))
    if notes:
        parts.append("\n".join(notes) + "\n")
    if skipped := _skipped(rows, labels):
        parts.append("\n".join(skipped) + "\n")
    if folder is not None and (lines := _differences(entries, columns, cells, labels, folder, pairs)):
        parts.append("Paired differences by speaker, first minus second; **bold** where 0 is outside the interval.\n")
        parts.append(_table(["systems", *head], lines))
    return "\n".join(parts)


def _labels(entries: list[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """A system's name, and what tells it from another line of that name (run, step, seed)."""
    labels = {}
    for entry in entries:
        namesakes = [other for other in entries if other[0] == entry[0]]
        parts = [
            f"{name.replace('_', ' ')} {json.loads(entry[at])}"
            for at, name in enumerate(ENTRY)
            if at and len({other[at] for other in namesakes}) > 1
        ]
        labels[entry] = ", ".join([_text(json.loads(entry[0])), *map(_text, parts)])
    return labels


def _footnotes(columns: list[Column], rows: list[Row]) -> tuple[dict[Column, str], list[str]]:
    """A letter for each column, shared by columns that say the same, and the notes behind the letters."""
    marks: dict[Column, str] = {}
    letters: dict[str, str] = {}
    for column in columns:
        said = dict.fromkeys(str(row.get("note") or "") for row in rows if _column(row) == column)
        text = "; ".join(part for part in (column[1], " / ".join(filter(None, said))) if part)
        if text and text not in letters:
            letters[text] = _letter(len(letters))
        marks[column] = f" ({letters[text]})" if text else ""
    return marks, [f"- ({letter}) {_text(text)}" for text, letter in letters.items()]


def _skipped(rows: list[Row], labels: dict[tuple[str, ...], str]) -> list[str]:
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        if _number(row["value"]) is None:
            reason = str(row.get("note") or "no reason given").removeprefix("skipped: ")
            reasons.setdefault((row["metric"], reason), {})[labels[_entry(row)]] = None
    everybody = set(labels.values())
    return [
        f"- skipped: {_text(metric)}{'' if set(who) == everybody else ' (' + ', '.join(who) + ')'}: {_text(reason)}"
        for (metric, reason), who in reasons.items()
    ]


def _differences(
    entries: list[tuple[str, ...]],
    columns: list[Column],
    cells: Mapping[tuple[tuple[str, ...], Column], Row],
    labels: dict[tuple[str, ...], str],
    folder: Path,
    pairs: Sequence[tuple[str, str]] | None,
) -> list[list[str]]:
    named = [(a, b) for a, b in itertools.combinations(entries, 2)]
    if pairs is not None:
        wanted = {(_canonical(first), _canonical(second)) for first, second in pairs}
        named = [(a, b) for a, b in itertools.permutations(entries, 2) if (a[0], b[0]) in wanted]
    read: dict[str, dict[str, np.ndarray]] = {}
    lines = []
    for first, second in named:
        line = []
        for column in columns:
            found = [cells.get((entry, column), {}).get("scores") for entry in (first, second)]
            paths = [str(path) for path in found if path]
            if len(paths) < 2:
                line.append(NOTHING)
                continue
            for path in paths:
                if path not in read:
                    read[path] = _read_scores(folder / path)
            a, b = (read[path] for path in paths)
            line.append(_difference(paired_difference(a["value"], a["speaker"], b["value"], b["speaker"])))
        if any(cell != NOTHING for cell in line):
            lines.append([f"{labels[first]} − {labels[second]}", *line])
    return lines


def _read_scores(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in ("speaker", "value")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{path}: not readable as scores (.npz with speaker, value). Evaluate again.") from None


def _difference(found: Difference) -> str:
    if math.isnan(found.mean):
        return NOTHING
    low, high = found.interval
    text = f"{found.mean:+.3f} [{low:+.3f}, {high:+.3f}]"
    return f"**{text}**" if low > 0 or high < 0 else text


def _heading(column: Column, rows: list[Row]) -> str:
    better = {row.get("higher_is_better") for row in rows if _column(row) == column}
    arrow = " ↑" if better == {True} else " ↓" if better == {False} else ""
    return _text(column[0]) + arrow


def _cell(row: Row | None) -> str:
    if row is None:
        return NOTHING
    low, high = (_number(edge) for edge in (row.get("interval") or (None, None)))
    span = f" [{_format(low)}, {_format(high)}]" if low is not None and high is not None else ""
    return _format(row["value"]) + span


def _reference(column: Column, key: str, rows: list[Row]) -> str:
    """The chance or upper value of a column; its range where systems were given different ones."""
    found = [value for row in rows if _column(row) == column and (value := _number(row.get(key))) is not None]
    if not found:
        return NOTHING
    low, high = _format(min(found)), _format(max(found))
    return low if low == high else f"{low} to {high}"


def _table(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines]) + "\n"


def _entry(row: Row) -> tuple[str, ...]:
    return tuple(_canonical(row.get(name)) for name in ENTRY)


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


def _text(value: Any) -> str:
    """One line that cannot break a Markdown table."""
    return " ".join(str(value).split()).replace("|", "\\|")
