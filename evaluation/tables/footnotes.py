"""What is said under a table: of its columns by letters, of lines without scores, of what was skipped."""

from __future__ import annotations

import json

from evaluation.tables.grid import Grid, GridColumn
from evaluation.tables.layout import Layout
from evaluation.tables.lines import Line
from evaluation.tables.rows import number

Note = tuple[str, str]  # a letter, or a word that needs none, and what it stands for


class Letters:
    """Gives each text a letter, the same to the same."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def mark(self, text: str) -> str:
        """The letter as it is put behind a name, such as " (a)"; nothing for no text."""
        if text and text not in self._letters:
            self._letters[text] = _letter(len(self._letters))
        return f" ({self._letters[text]})" if text else ""

    def notes(self) -> list[Note]:
        return [(f"({letter})", text) for text, letter in self._letters.items()]


def column_notes(grid: Grid, column: GridColumn, lines: list[Line]) -> str:
    """The protocol where columns differ in it, the extractor, and the scores' own notes.

    What all systems' notes have in common is said once; what only some say is said with their names.
    """
    said = [
        (line.label, str(row.get("note") or "").split("; ")) for line in lines for one in column.each for row in line.scored(one)
    ]
    if not said:
        return ""
    common = [part for part in said[0][1] if all(part in parts for _, parts in said)]
    own: dict[str, dict[str, None]] = {}
    for label, parts in said:
        own.setdefault("; ".join(part for part in parts if part not in common), {})[label] = None
    apart = [f"{text} ({', '.join(who)})" for text, who in own.items() if text]
    return "; ".join(filter(None, [_protocol(grid, column), column.each[0].extractor, *common, *apart]))


def _protocol(grid: Grid, column: GridColumn) -> str:
    parts = [] if grid.split else [column.each[0].split]
    protocols = [dict(json.loads(one.protocol)) for one in column.each]
    for key in (key for key in protocols[0] if key not in grid.common):
        values = dict.fromkeys(str(protocol.get(key)) for protocol in protocols)
        parts.append(f"{key.replace('_', ' ')} {', '.join(values)}")
    return ", ".join(parts)


def skipped(lines: list[Line], layout: Layout | None) -> list[Note]:
    """Scores that could not be had, with the reason; of those the layout asks for. All of a metric may go by its first word."""
    asked = [column.metric for column in layout.columns if column.metric is not None] if layout else []
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for line in lines:
        for row in (row for rows in line.rows.values() for row in rows if number(row["value"]) is None):
            if asked and not any(metric.startswith(row["metric"]) for metric in asked):
                continue
            reason = str(row.get("note") or "no reason given").removeprefix("skipped: ")
            reasons.setdefault((row["metric"], reason), {})[line.label] = None
    everybody = {line.label for line in lines if line.rows}
    return [
        ("skipped:", f"{metric}{'' if set(who) == everybody else ' (' + ', '.join(who) + ')'}: {reason}")
        for (metric, reason), who in reasons.items()
    ]


def _letter(number: int) -> str:
    return (chr(ord("a") + number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)
