"""How a table is laid out, as YAML says it: which rows and columns, under which names, and what a paper printed.

    title: SF2F, Table 2
    rows:                                     a system or recipe a line, in this order; default: all, as they came
      - full
      - {system: no L1, name: without L1}     shown under another name
    columns:                                  default: every metric
      - {metric: recall@10}
      - {metric: recall@10, split: unseen_speaker, seconds: 5, extractor: dlib, name: "recall@10, 5 s", percent: true}
      - {name: hours on a V100}               of which only the paper has values
    controls: [prior, shuffled]               default: all; chance is always shown
    corpora: together                         default: a table each; together, no value is called the best
    printed:                                  one, or a list of them
      source: SF2F, Table 2
      corpus: HQ-VoxCeleb
      values: {full: {"recall@10, 5 s": 21.34}, chance: {"recall@10, 5 s": 10}}

Rows and columns go by their name where they have one, else by their system or metric; two of one metric need names.
`extractor` is part of an extractor's description. As long as no column names a split, each split has its own table, and so has
each clip length. If any column names a split, one table holds all splits and clip lengths; if any names a clip length, one table
holds all clip lengths. A column that leaves them open then becomes several.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from evaluation.tables.lines import Column, column_of
from evaluation.tables.rows import Row, latest

NAMED = 20  # of what there is, in a message
CHANCE, REAL = "chance", "real faces"  # lines every table has, for which a paper may have printed values too


@dataclass(frozen=True)
class LayoutRow:
    """system: a system or recipe of the results rows. name: what the table calls it."""

    system: str
    name: str


@dataclass(frozen=True)
class LayoutColumn:
    """name: never empty. metric: None where only a paper has values. percent: values are shown times 100."""

    name: str
    metric: str | None = None
    split: str | None = None
    seconds: float | None = None
    extractor: str | None = None
    percent: bool = False

    def takes(self, column: Column) -> bool:
        return (
            column.metric == self.metric
            and self.split in (None, column.split)
            and self.seconds in (None, column.seconds)
            and (self.extractor is None or self.extractor.lower() in column.extractor.lower())
        )


@dataclass(frozen=True)
class Printed:
    """What a paper printed, by row and column, as text."""

    source: str
    corpus: str
    values: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Layout:
    """See above. columns, rows: empty for all; controls: None for all."""

    title: str = ""
    rows: tuple[LayoutRow, ...] = ()
    columns: tuple[LayoutColumn, ...] = ()
    controls: tuple[str, ...] | None = None
    corpora_together: bool = False
    printed: tuple[Printed, ...] = field(default=())

    @property
    def joins_splits(self) -> bool:
        """Whether one table holds all splits."""
        return any(column.split is not None for column in self.columns)

    @property
    def joins_lengths(self) -> bool:
        """Whether one table holds all clip lengths."""
        return self.joins_splits or any(column.seconds is not None for column in self.columns)

    def check_systems(self, systems: Iterable[str]) -> None:
        """Raises ValueError for a row that asks for a system there will never be."""
        known = list(systems)
        for at, row in enumerate(self.rows):
            if row.system not in known:
                raise ValueError(f"table.rows[{at}]: no system {row.system}. {_have(row.system, known)}")

    def check_rows(self, rows: Iterable[Row]) -> None:
        """Raises ValueError if there are results rows, but none for one of the columns."""
        rows = latest(rows)
        columns = list(dict.fromkeys(map(column_of, rows)))
        skipped = {row["metric"] for row in rows if row["value"] is None}  # may go by less than its scores' whole names
        for at, asked in enumerate(self.columns if columns else ()):
            if asked.metric is None:
                continue
            if any(asked.metric.startswith(metric) for metric in skipped):
                continue
            named = [column for column in columns if column.metric == asked.metric]
            if not named:
                raise ValueError(
                    f"table.columns[{at}].metric: no row has {asked.metric}. "
                    + _have(asked.metric, (column.metric for column in columns))
                )
            for key in ("split", "seconds", "extractor"):
                value, have = getattr(asked, key), [getattr(column, key) for column in named]
                found = any(str(value).lower() in one.lower() for one in have) if key == "extractor" else value in have
                if value is not None and not found:
                    raise ValueError(
                        f"table.columns[{at}].{key}: no row of {asked.metric} has {value}. "
                        + _have(str(value), map(_plain, have))
                    )


def read_layout(path: Path) -> Layout:
    """The layout in a YAML file: all of it, or its `table` section, as a sweep's. Raises ValueError, one line."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from None
    if values is None:
        raise ValueError(f"{path}: the file is empty; it holds no key.")
    try:
        return layout_of(values["table"] if isinstance(values, dict) and "table" in values else values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def layout_of(values: Any) -> Layout:
    """A plain mapping -> Layout. Raises ValueError, one line, naming the key, what came, what is allowed."""
    keys = _mapping(values, "table", ("title", "rows", "columns", "controls", "corpora", "printed"))
    rows = tuple(_row(entry, f"table.rows[{at}]") for at, entry in enumerate(_list(keys.get("rows"), "table.rows")))
    columns = tuple(
        _column(entry, f"table.columns[{at}]") for at, entry in enumerate(_list(keys.get("columns"), "table.columns"))
    )
    for what, names in (("rows", [row.name for row in rows]), ("columns", [column.name for column in columns])):
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"table.{what}: {twice} comes twice. Give each a name of its own: {{..., name: ...}}.")
    if keys.get("corpora") not in (None, "together"):
        raise ValueError(f"table.corpora: {keys['corpora']!r} came. Allowed: together; without it each corpus has a table.")
    controls = None
    if "controls" in keys:
        controls = tuple(_text(one, f"table.controls[{at}]") for at, one in enumerate(_list(keys["controls"], "table.controls")))
    sources = keys.get("printed") or []
    printed = tuple(
        _printed(source, f"table.printed[{at}]" if isinstance(sources, list) else "table.printed", rows, columns)
        for at, source in enumerate(sources if isinstance(sources, list) else [sources])
    )
    told = {name for source in printed for cells in source.values.values() for name in cells}
    for at, column in enumerate(columns):
        if column.metric is None and column.name not in told:
            raise ValueError(f"table.columns[{at}]: {column.name} has neither a metric nor printed values. Add a metric.")
    return Layout(_text(keys.get("title", ""), "table.title"), rows, columns, controls, "corpora" in keys, printed)


def _row(value: Any, where: str) -> LayoutRow:
    if not isinstance(value, Mapping):
        return LayoutRow(_text(value, where), _text(value, where))
    keys = _mapping(value, where, ("system", "name"))
    if "system" not in keys:
        raise ValueError(f"{where}.system: missing. A row is a system, or {{system: ..., name: ...}}.")
    system = _text(keys["system"], f"{where}.system")
    return LayoutRow(system, _text(keys.get("name", system), f"{where}.name"))


def _column(value: Any, where: str) -> LayoutColumn:
    if isinstance(value, str):
        return LayoutColumn(value, value)
    keys = _mapping(value, where, ("metric", "name", "split", "seconds", "extractor", "percent"))
    if "metric" not in keys and "name" not in keys:
        raise ValueError(
            f"{where}.metric: missing. A column is {{metric: recall@10}}, with name, split, seconds, extractor, "
            "percent as needed."
        )
    texts = {key: _text(keys[key], f"{where}.{key}") for key in ("metric", "name", "split", "extractor") if key in keys}
    for key, kind, told in (("seconds", (int, float), "a number of seconds above 0"), ("percent", bool, "true or false")):
        came = keys.get(key)
        if key in keys and (not isinstance(came, kind) or (key == "seconds" and (isinstance(came, bool) or not came > 0))):
            raise ValueError(f"{where}.{key}: {came!r} came. Allowed: {told}.")
    return LayoutColumn(
        texts.pop("name", "") or texts["metric"], **texts, seconds=keys.get("seconds"), percent=keys.get("percent", False)
    )


def _printed(value: Any, where: str, rows: tuple[LayoutRow, ...], columns: tuple[LayoutColumn, ...]) -> Printed:
    keys = _mapping(value, where, ("source", "corpus", "values"))
    for key in ("source", "corpus", "values"):
        if key not in keys:
            raise ValueError(
                f"{where}.{key}: missing. What was printed has source, corpus and values, {{row: {{column: number}}}}."
            )
    row_names = (*(row.name for row in rows), CHANCE, REAL)
    values = {}
    for row, cells in _mapping(keys["values"], f"{where}.values", row_names if rows else None).items():
        here = f"{where}.values.{row}"
        values[row] = {
            name: _text(cell, f"{here}.{name}")
            for name, cell in _mapping(cells, here, [one.name for one in columns] if columns else None).items()
        }
    return Printed(_text(keys["source"], f"{where}.source"), _text(keys["corpus"], f"{where}.corpus"), values)


def _mapping(value: Any, where: str, allowed: Iterable[str] | None) -> dict[str, Any]:
    known = None if allowed is None else list(allowed)
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: {value!r} came. Allowed: a mapping" + (f" with {', '.join(known)}." if known else "."))
    for key in value:
        if known is not None and str(key) not in known:
            raise ValueError(f"{where}.{key}: no such key. {_have(str(key), known, 'Allowed')}")
    return {str(key): entry for key, entry in value.items()}


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{where}: {value!r} came. Allowed: a list.")
    return value


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{where}: {value!r} came. Allowed: text or a number.")
    return str(value)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _have(word: str, known: Iterable[str], verb: str = "Have") -> str:
    known = list(dict.fromkeys(known))
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    told = ", ".join(known[:NAMED]) + (f" and {len(known) - NAMED} more" if len(known) > NAMED else "")
    return f"{verb}: {told}." + (f" Did you mean {close[0]}?" if close else "")
