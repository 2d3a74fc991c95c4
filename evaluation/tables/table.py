"""Results rows -> tables. A table is built from rows alone (tables/rows.py), so old results can be tabled at any time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from evaluation.tables.comparison import SURE, Scores, leaders
from evaluation.tables.footnotes import Letters, column_notes, skipped
from evaluation.tables.grid import Grid, GridColumn, grids
from evaluation.tables.latex import NEEDS, section
from evaluation.tables.layout import CHANCE, REAL, Layout, Printed
from evaluation.tables.lines import Line, higher_is_better, reference, summary
from evaluation.tables.rows import Row, absent
from evaluation.tables.text import DIFFERS, NOTHING, PRINTED, Cell, Section, Table, markdown_section

Pairs = Sequence[tuple[str, str]]


def markdown(rows: Iterable[Row], folder: Path | None = None, pairs: Pairs | None = None, layout: Layout | None = None) -> str:
    """Markdown: a table for each corpus, split and protocol, and under it the paired differences between systems.

    folder: where the rows' `scores` paths start; without it no differences are made and no value is called the best.
    pairs: which systems to set against each other, by name or recipe; by default all pairs, with a layout the first line
    against every other. layout: which lines and columns, see evaluation/tables/layout.py. A later row of the same system,
    checkpoint, metric, extractor and protocol replaces the earlier one. Rows of another corpus or results version get a table
    of their own, so do those of another protocol unless the layout says otherwise, and those of another extractor a column of
    their own. Runs of one recipe that differ in their training seed share a line, mean and standard deviation over seeds.
    Raises ValueError for a row without a needed key, unreadable scores, or a layout that asks for what there is not.
    """
    rows = list(rows)
    return "\n".join(map(markdown_section, sections(rows, folder, pairs, layout))) or _nothing(rows)


def latex(rows: Iterable[Row], folder: Path | None = None, pairs: Pairs | None = None, layout: Layout | None = None) -> str:
    """The same tables as LaTeX table environments, to be read in by a document with booktabs and graphicx."""
    return "\n".join([NEEDS, *map(section, sections(rows, folder, pairs, layout))])


def _nothing(rows: list[Row]) -> str:
    return "No results yet.\n" + "".join(f"- {row['system']}: {row['missing']}\n" for row in absent(rows))


def sections(
    rows: Iterable[Row], folder: Path | None = None, pairs: Pairs | None = None, layout: Layout | None = None
) -> list[Section]:
    """What markdown and latex write, before it is text."""
    scores = Scores(folder)
    return [_section(grid, scores, pairs, layout) for grid in grids(rows, layout)]


def _section(grid: Grid, scores: Scores, pairs: Pairs | None, layout: Layout | None) -> Section:
    shown = [line for line in grid.lines if not line.rows or any(_scored(line, column) for column in grid.columns)]
    letters = Letters()
    marks = {column: leaders(column.each[0], shown, scores) if grid.comparable and column.each else {} for column in grid.columns}
    heads: list[str] = []
    stands: list[list[Cell]] = []  # column by column, each with the cells of all lines, then chance and real faces
    compared: list[tuple[str, GridColumn]] = []
    printed = layout.printed if layout else ()
    for column in grid.columns:
        heading = _heading(column, shown) + letters.mark(column_notes(grid, column, shown))
        if column.each:
            heads.append(heading)
            stands.append(
                [
                    *(_cell(line, column, marks[column]) for line in shown),
                    _reference(column, "chance", shown),
                    _reference(column, "upper", shown),
                ]
            )
            compared.append((heading, column))
        sources = [source for source in printed if any(column.asked in cells for cells in source.values.values())]
        for source in sources:
            name = f"printed, {source.corpus}" if column.each else f"{column.name}, printed, {source.corpus}"
            heads.append(name + letters.mark(f"printed in {source.source}, on another corpus: not comparable"))
            stands.append(
                [
                    *(_printed(source, {line.label, *line.names}, column) for line in shown),
                    _printed(source, {CHANCE}, column),
                    _printed(source, {REAL}, column),
                ]
            )
    names = [
        line.label + letters.mark("; ".join((*line.missing, *line.elsewhere)) or ("" if line.rows else "not evaluated"))
        for line in shown
    ]
    cells = [list(row) for row in zip(*stands, strict=True)]
    table = (
        Table(
            ["system", *heads],
            list(zip([*names, CHANCE, REAL], cells, strict=True)),
            references=2,
            controls=_controls_at_the_end(shown),
        )
        if stands
        else None
    )
    asked = _pairs(shown, pairs, layout) if grid.comparable else []
    differences = [
        (f"{first.label} − {second.label}", [_difference(first, second, column, scores) for _, column in compared])
        for first, second in asked
    ]
    found = [(name, cells) for name, cells in differences if any(cell.value != NOTHING for cell in cells)]
    return Section(
        title=grid.title,
        corpus=grid.corpus,
        split=grid.split,
        intro=_intro(grid, shown, any(marks.values())),
        results=table,
        notes=letters.notes() + skipped(grid.lines, layout),
        about_differences=_about_differences(asked),
        differences=Table(["systems", *(name for name, _ in compared)], found) if found else None,
    )


def _intro(grid: Grid, lines: list[Line], marked: bool) -> list[str]:
    said = ", ".join(f"{str(key).replace('_', ' ')} {value}" for key, value in grid.common.items())
    intro = [f"Protocol: {said}."] if said else []
    intro.append("Values with 95 % intervals, clustered by speaker.")
    if any(line.seeds > 1 for line in lines):
        intro.append("Of several training seeds: mean ± standard deviation over seeds.")
    if not grid.comparable:
        intro.append("Each line is scored on its own corpus, so none is called better than another.")
    if marked:
        among = "" if all(line.competes for line in lines) else ", control systems apart,"
        intro.append(
            f"Bold: the best{among} and underlined: the second, each only if a paired test by speaker finds it better "
            f"than the next (p < {SURE})."
        )
    return intro


def _about_differences(pairs: list[tuple[Line, Line]]) -> str:
    about = "Paired differences by speaker, first minus second; bold where 0 is outside the 95 % interval."
    if any(first.seeds > 1 or second.seeds > 1 for first, second in pairs):
        about += (
            " Of several training seeds a speaker's mean over them is taken: intervals and p are about speakers; what "
            "another training might give, the differences of seed and seed show, lowest to highest."
        )
    return about


def _controls_at_the_end(lines: list[Line]) -> int:
    return sum(1 for _ in itertools.takewhile(lambda line: not line.competes, reversed(lines)))


def _pairs(lines: list[Line], pairs: Pairs | None, layout: Layout | None) -> list[tuple[Line, Line]]:
    scored = [line for line in lines if line.rows]
    if pairs is None:
        return [(scored[0], other) for other in scored[1:]] if layout else list(itertools.combinations(scored, 2))
    names = {line.label: {line.label, *line.names} for line in scored}
    return [
        (a, b)
        for a, b in itertools.permutations(scored, 2)
        if any(one in names[a.label] and other in names[b.label] for one, other in pairs)
    ]


def _scored(line: Line, column: GridColumn) -> list[Row]:
    at = column.of(line)
    return [] if at is None else line.scored(at)


def _heading(column: GridColumn, lines: list[Line]) -> str:
    better = {higher_is_better(lines, one) for one in column.each}
    arrow = " ↑" if better == {True} else " ↓" if better == {False} else ""
    return f"{column.name}{', %' if column.percent else ''}{arrow}"


def _cell(line: Line, column: GridColumn, marks: Mapping[str, str]) -> Cell:
    at = column.of(line)
    found = None if at is None else summary(line, at)
    if found is None:
        return Cell() if line.rows else Cell("failed" if line.failed else "missing")
    mean, mark = _format(found.mean, column), marks.get(line.label, "")
    if line.seeds > 1:
        deviation = "" if found.deviation is None else f"± {_format(found.deviation, column)} "
        return Cell(mean, f"{deviation}(n = {found.seeds})", mark)
    if found.interval is None:
        return Cell(mean, "", mark)
    return Cell(mean, f"[{', '.join(_format(edge, column) for edge in found.interval)}]", mark)


def _reference(column: GridColumn, key: str, lines: list[Line]) -> Cell:
    """The chance or upper value of a column; its range where systems were given different ones."""
    spans = [span for one in column.each if (span := reference(lines, one, key)) is not None]
    if not spans:
        return Cell()
    low, high = (_format(edge, column) for edge in (min(span[0] for span in spans), max(span[1] for span in spans)))
    return Cell(low if low == high else f"{low} to {high}")


def _printed(source: Printed, names: set[str], column: GridColumn) -> Cell:
    values = [
        source.values[name][column.asked] for name in source.values if name in names and column.asked in source.values[name]
    ]
    return Cell(values[0], mark=PRINTED) if values else Cell()


def _difference(first: Line, second: Line, column: GridColumn, scores: Scores) -> Cell:
    rows = _scored(first, column), _scored(second, column)
    found = scores.difference(*rows)
    if found is None or math.isnan(found.mean):
        return Cell()
    p = f"p {found.p:.3f}" if found.p >= 0.001 else "p < 0.001"
    low, high = found.interval
    seeds = scores.by_seed(*rows) if first.seeds > 1 and second.seeds > 1 else []
    spread = f"; seeds {_signed(min(seeds), column)} to {_signed(max(seeds), column)}" if len(seeds) > 1 else ""
    return Cell(
        _signed(found.mean, column),
        f"[{_signed(low, column)}, {_signed(high, column)}], {p}{spread}",
        DIFFERS if low > 0 or high < 0 else "",
    )


def _signed(value: float, column: GridColumn) -> str:
    return f"{100 * value:+.1f}" if column.percent else f"{value:+.3f}"


def _format(value: float, column: GridColumn) -> str:
    if column.percent:
        return f"{100 * value:.1f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
