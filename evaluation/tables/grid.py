"""Results rows, and a layout where there is one -> grids: the lines and columns that stand in one table and its plots."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from evaluation.tables.layout import CHANCE, REAL, Layout, LayoutRow
from evaluation.tables.lines import Column, Line, column_of, lines_of
from evaluation.tables.rows import CORPUS, GROUP, Row, absent, identity, latest, number


@dataclass(frozen=True)
class GridColumn:
    """Results columns under one heading. name: as shown, and `asked`: as the layout calls it ("" without one).

    each: one results column; several only where each corpus gives its own, a line then having one of them; none where only
    a paper has values.
    """

    name: str
    asked: str
    each: tuple[Column, ...]
    percent: bool = False

    def of(self, line: Line) -> Column | None:
        """The results column in which a line stands."""
        return next((column for column in self.each if column in line.rows), None)


@dataclass(frozen=True)
class Grid:
    """What one table shows. corpora: names of those scored on, as said where there are several. common: what is the same of all
    columns' protocols. split: "" where columns differ in it. comparable: whether values of one column may be compared."""

    title: str
    corpus: str
    split: str
    common: dict[str, Any]
    columns: list[GridColumn]
    lines: list[Line]
    comparable: bool = True


def grids(rows: Iterable[Row], layout: Layout | None = None) -> list[Grid]:
    """A grid for each corpus, split and protocol, or as the layout divides them. Raises ValueError for what it asks in vain."""
    rows = list(rows)
    standing, missing = latest(rows), absent(rows)
    layout = layout or Layout()
    layout.check_rows(standing)
    joined = {"protocol"} if layout.joins_lengths else set()
    joined |= {"split"} if layout.joins_splits else set()
    keys = tuple(key for key in GROUP if key not in joined)
    if layout.corpora_together:
        keys = tuple(key for key in keys if key not in (*CORPUS, "protocol"))
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in standing:
        groups.setdefault(identity(row, keys), []).append(row)
    everyone = {str(row[key]) for row in standing for key in ("system", "recipe") if row.get(key)}
    return [grid for group in groups.values() if (grid := _grid(group, missing, layout, everyone)) is not None]


def _grid(rows: list[Row], missing: list[Row], layout: Layout, everyone: set[str]) -> Grid | None:
    columns = _columns(rows, layout)
    lines = lines_of(rows, missing)
    lines = lines if layout == Layout() else chosen(lines, layout, everyone)
    splits = list(dict.fromkeys(str(row["split"]) for row in rows))
    used = {column for one in columns for column in one.each}
    protocols = [json.loads(column.protocol) for column in used] or [dict(row["protocol"]) for row in rows[:1]]
    common = {key: value for key, value in protocols[0].items() if all(other.get(key) == value for other in protocols)}
    corpora = list(dict.fromkeys(str(row["corpus"]) for row in rows))
    for key in ("corpus_checksum", "results_version"):
        if len({row.get(key) for row in rows}) == 1 and rows[0].get(key) is not None:
            common[key] = str(rows[0][key])[:12]
    if not any(line.rows for line in lines):
        return None
    return Grid(
        layout.title,
        ", ".join(corpora),
        splits[0] if len(splits) == 1 else "",
        common,
        columns,
        lines,
        comparable=not layout.corpora_together,
    )


def _columns(rows: list[Row], layout: Layout) -> list[GridColumn]:
    found = list(dict.fromkeys(column_of(row) for row in rows if number(row["value"]) is not None))
    if not layout.columns:
        return _told_apart([GridColumn(column.metric, column.metric, (column,)) for column in found], layout)
    shown = []
    for asked in layout.columns:
        matches = sorted((column for column in found if asked.takes(column)), key=lambda column: column.seconds or 0)
        shown += _told_apart(
            [GridColumn(asked.name, asked.name, (column,), asked.percent) for column in matches]
            or [GridColumn(asked.name, asked.name, (), asked.percent)],
            layout,
        )
    return shown


def _told_apart(columns: list[GridColumn], layout: Layout) -> list[GridColumn]:
    """The same, named by split and clip length where those of one name differ in them; one where only corpora differ."""
    if layout.corpora_together:
        together: dict[tuple[str, str, str, float | None], list[GridColumn]] = {}
        for one in columns:
            key = [(column.extractor, column.split, column.seconds) for column in one.each] or [("", "", None)]
            together.setdefault((one.name, *key[0]), []).append(one)
        columns = [replace(parts[0], each=tuple(column for part in parts for column in part.each)) for parts in together.values()]
    named = []
    for one in columns:
        alike = [column for other in columns if other.name == one.name for column in other.each]
        parts = []
        for own in one.each[:1]:
            parts = [own.split] if len({column.split for column in alike}) > 1 else []
            parts += [f"{own.seconds:g} s"] if own.seconds is not None and len({column.seconds for column in alike}) > 1 else []
        named.append(replace(one, name=", ".join([one.name, *parts])))
    return named


def chosen(lines: list[Line], layout: Layout, everyone: set[str]) -> list[Line]:
    """The lines a layout shows, as it orders and calls them. everyone: all systems and recipes there are rows of.

    A system without rows gets a line that says so, unless it has its rows in another table.
    """
    if layout.rows:
        systems = [line for asked in layout.rows for line in _asked(asked, lines, everyone)]
    else:
        systems = [line for line in lines if line.competes]
        known = everyone.union(*(line.names for line in lines), (CHANCE, REAL))
        told = dict.fromkeys(name for source in layout.printed for name in source.values)
        systems += [_without_rows(LayoutRow(name, name)) for name in told if name not in known]
    controls = [line for line in lines if not line.competes and all(line.names != system.names for system in systems)]
    if layout.rows:
        runs = {run for line in systems for run in line.runs()}
        controls = [line for line in controls if not line.runs() or line.runs() & runs]
    if layout.controls is not None:
        controls = [line for control in layout.controls for line in controls if _is_control(control, line)]
    renamed = {row.system: row.name for row in layout.rows}
    return systems + [replace(line, label=_renamed(line.label, renamed)) for line in controls]


def _asked(asked: LayoutRow, lines: list[Line], everyone: set[str]) -> list[Line]:
    found = [line for line in lines if asked.system in line.names or asked.system == line.label]
    if len(found) == 1:
        return [replace(found[0], label=asked.name)]
    if found:
        return [replace(line, label=f"{asked.name} ({line.label})") for line in found]
    if asked.system in everyone:
        return []
    return [_without_rows(asked)]


def _without_rows(asked: LayoutRow) -> Line:
    return Line(asked.name, frozenset({asked.system}), True, {})


def _renamed(label: str, names: dict[str, str]) -> str:
    """A shuffled system is called after the system as it is shown."""
    kind, _, system = label.partition(" ")
    return f"{kind} {names[system]}" if system in names else label


def _is_control(control: str, line: Line) -> bool:
    """`shuffled` stands for every shuffled system."""
    return any(name == control or name.startswith(f"{control} ") for name in line.names)
