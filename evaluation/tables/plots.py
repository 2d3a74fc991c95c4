"""Results rows -> pictures: values with their intervals, over clip length, over training time; each as PNG and PDF.

Sized for one column of a paper. Colours: M. Okabe and K. Ito, Color Universal Design, 2008; a marker of its own for each line, so
that none is told by its colour alone. The same rows give the same bytes.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from evaluation.tables.grid import Grid, GridColumn, grids
from evaluation.tables.layout import Layout
from evaluation.tables.lines import Column, Line, Summary, reference, summary
from evaluation.tables.rows import Row

WIDTH = 3.4  # inches, a column of most papers
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vP*X<>ph"
GREY = "#777777"
UNITS = (("hours", 3600), ("minutes", 60), ("seconds", 1))
LABEL = 34  # letters of a name at most
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "font.size": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "legend.frameon": False,
    "legend.fontsize": 6.5,
    "axes.titlesize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "savefig.dpi": 300,
}
Point = tuple[float, Summary]


def draw(rows: Iterable[Row], folder: Path, layout: Layout | None = None) -> list[Path]:
    """Write every plot the rows are enough for. Returns the files, PNG and PDF of each.

    Of every column of every table its values; over clip length where a system has several; over training time where rows
    tell it (train_seconds). layout: which columns and lines, under which names.
    """
    rows = list(rows)
    folder.mkdir(parents=True, exist_ok=True)
    found = grids(rows, layout)
    written: list[Path] = []
    with matplotlib.rc_context(_STYLE):
        for grid in found:
            for column in (column for column in grid.columns if column.each):
                name = _file_name(grid, column)
                written += _save(_values(grid, column), folder / f"values-{name}", written)
                written += _save(_over_training_time(grid, column), folder / f"training-time-{name}", written)
        for grid, column, lines in _several_lengths(rows, layout):
            written += _save(_over_length(grid, column, lines), folder / f"clip-length-{_file_name(grid, column)}", written)
    return written


def _values(grid: Grid, column: GridColumn) -> Figure | None:
    """A bar each system: its value and interval; dashed chance, dotted real faces; grey the controls."""
    lines = [(line, found) for line in grid.lines if (found := _said(line, column)) is not None]
    if not lines:
        return None
    figure, axes = _figure(0.75 + 0.155 * len(lines))
    for at, (line, found) in enumerate(lines):
        colour = COLOURS[0] if line.competes else GREY
        below, above = _errors(found)
        axes.barh(at, found.mean, height=0.62, color=colour, alpha=0.35, linewidth=0)
        axes.errorbar(
            found.mean,
            at,
            xerr=[[below], [above]],
            fmt="o" if line.competes else "D",
            color=colour,
            markersize=2.8,
            markerfacecolor=colour if line.competes else "white",
            elinewidth=0.9,
            capsize=1.6,
            zorder=3,
        )
    low, high = _span(grid, column, [found for line, found in lines if line.competes] or [found for _, found in lines])
    low, high = min(low, 0), max(high, 0)
    edge = 0.04 * (high - low)
    axes.set_xlim(low - edge if low < 0 else 0, high + edge if high > 0 else 0)
    for at, (line, found) in enumerate(lines):
        if not line.competes and found.mean > high + edge:  # would leave no room for what is compared
            axes.text(
                high,
                at,
                f"{found.mean:.3g} →",
                ha="right",
                va="center",
                fontsize=6,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
                zorder=4,
            )
    axes.set_yticks(range(len(lines)), [_short(line.label) for line, _ in lines])
    for tick, (line, _) in zip(axes.get_yticklabels(), lines, strict=True):
        tick.set_fontstyle("normal" if line.competes else "italic")
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    _percent(axes.xaxis, column)
    axes.set_xlabel(_axis_name(column, grid))
    _references(grid, column, axes.axvline, axes.axvspan)
    _legend(figure, axes)
    figure.suptitle(_where(grid, column), x=0.01, ha="left", fontsize=7)
    return figure


def _over_training_time(grid: Grid, column: GridColumn) -> Figure | None:
    """A point each system that competes, or a line where checkpoints of several times were scored."""
    series: dict[str, list[Point]] = {}
    for line in grid.lines:
        found, at = _said(line, column), column.of(line)
        seconds = [] if at is None else [float(row["train_seconds"]) for row in line.scored(at) if row.get("train_seconds")]
        if found is not None and seconds and line.competes:
            series.setdefault(line.label.partition(", step ")[0], []).append((float(np.mean(seconds)), found))
    if len({time for points in series.values() for time, _ in points}) < 2:
        return None
    longest = max(time for points in series.values() for time, _ in points)
    unit, size = next((name, size) for name, size in UNITS if longest >= 2 * size or size == 1)
    return _curves(
        grid,
        column,
        {name: [(time / size, found) for time, found in points] for name, points in series.items()},
        set(),
        f"training time, {unit}",
    )


def _over_length(grid: Grid, column: GridColumn, lines: dict[str, list[Point]]) -> Figure | None:
    """A line each system. Of controls those that no run belongs to: a shuffled one beside every system would hide them."""
    controls = {line.label for line in grid.lines if not line.competes}
    hidden = {line.label for line in grid.lines if not line.competes and line.runs()}
    lines = {name: points for name, points in lines.items() if name not in hidden}
    if not set(lines) - controls:
        return None
    return _curves(grid, column, lines, controls, "speech, seconds")


def _curves(grid: Grid, column: GridColumn, series: dict[str, list[Point]], controls: set[str], along: str) -> Figure:
    low, high = _span(grid, column, [found for name, points in series.items() if name not in controls for _, found in points])
    edge = 0.06 * (high - low) or 1e-3
    series = {
        name: points
        for name, points in series.items()
        if name not in controls or all(low - edge <= found.mean <= high + edge for _, found in points)
    }
    columns = 1 if max(map(len, series)) > 22 else 2
    figure, axes = _figure(2.3 + 0.13 * math.ceil((len(series) + 2) / columns))
    times = sorted({time for points in series.values() for time, _ in points})
    wide = times[0] > 0 and times[-1] / times[0] > 8
    competing = [name for name in series if name not in controls]
    for number, (name, points) in enumerate(series.items()):
        points = sorted(points, key=lambda point: point[0])
        at = competing.index(name) if name in competing else number
        # A little apart, so that intervals at one place do not hide one another.
        apart = (number - (len(series) - 1) / 2) * min(0.012, 0.12 / len(series))
        nudge = [time * (1 + apart) if wide else time + apart * (times[-1] - times[0]) for time, _ in points]
        errors = np.array([_errors(found) for _, found in points]).T
        axes.errorbar(
            nudge,
            [found.mean for _, found in points],
            yerr=errors,
            label=_short(name),
            capsize=1.4,
            elinewidth=0.7,
            color=GREY if name in controls else COLOURS[at % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            linestyle=":" if name in controls else "-",
            markerfacecolor="white" if name in controls or at >= len(COLOURS) else None,
        )
    if wide:
        axes.set_xscale("log")
    if along.startswith("speech"):
        axes.xaxis.set_major_locator(FixedLocator(times))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(low - edge, high + edge)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    _percent(axes.yaxis, column)
    axes.set_xlabel(along)
    axes.set_ylabel(_axis_name(column, grid))
    _references(grid, column, axes.axhline, axes.axhspan)
    figure.suptitle(_where(grid, column), x=0.01, ha="left", fontsize=7)
    _legend(figure, axes, columns)
    return figure


def _several_lengths(rows: list[Row], layout: Layout | None) -> list[tuple[Grid, GridColumn, dict[str, list[Point]]]]:
    """What was scored at several clip lengths: by metric, extractor and split, each line's points."""
    open_layout = replace(
        layout or Layout(),
        columns=tuple(
            dict.fromkeys(
                replace(column, seconds=None, name=column.metric or "") for column in (layout.columns if layout else ())
            )
        ),
    )
    together: dict[tuple[str, ...], list[tuple[Grid, GridColumn, Column]]] = {}
    for grid in grids(rows, open_layout):
        for column in grid.columns:
            for one in column.each:
                key = (grid.corpus, str(grid.common.get("corpus_checksum")), one.split, one.metric, one.extractor)
                together.setdefault(key, []).append((grid, column, one))
    found = []
    for parts in together.values():
        if len({one.seconds for *_, one in parts} - {None}) < 2:
            continue
        series: dict[str, list[Point]] = {}
        for grid, _, one in parts:
            for line in grid.lines:
                said = summary(line, one)
                if said is not None and one.seconds is not None:
                    series.setdefault(line.label, []).append((one.seconds, said))
        series = {name: points for name, points in series.items() if len({seconds for seconds, _ in points}) > 1}
        if series:
            grid, column, _ = parts[0]
            every = [line for part, *_ in parts for line in part.lines]
            shown = replace(grid, lines=every, split=parts[0][2].split)
            found.append((shown, replace(column, name=column.asked, each=tuple(one for *_, one in parts)), series))
    return found


def _said(line: Line, column: GridColumn) -> Summary | None:
    at = column.of(line)
    return None if at is None else summary(line, at)


def _span(grid: Grid, column: GridColumn, shown: list[Summary]) -> tuple[float, float]:
    """The range that intervals, chance and real faces take."""
    edges = [found.mean + sign * error for found in shown for sign, error in zip((-1, 1), _errors(found), strict=True)]
    for key in ("chance", "upper"):
        edges += [edge for one in column.each for edge in reference(grid.lines, one, key) or ()]
    return min(edges), max(edges)


def _errors(found: Summary) -> tuple[float, float]:
    """How far the bar reaches below and above: the interval, or a deviation over seeds."""
    if found.interval is not None:
        return max(0.0, found.mean - found.interval[0]), max(0.0, found.interval[1] - found.mean)
    return found.deviation or 0.0, found.deviation or 0.0


def _references(grid: Grid, column: GridColumn, line: Callable[..., object], span: Callable[..., object]) -> None:
    for name, key, style in (("chance", "chance", (0, (4, 2))), ("real faces", "upper", (0, (1, 1.5)))):
        found = [edges for one in column.each if (edges := reference(grid.lines, one, key)) is not None]
        if not found:
            continue
        low, high = min(edge[0] for edge in found), max(edge[1] for edge in found)
        if high - low > 1e-6 * abs(high):
            span(low, high, color=GREY, alpha=0.18, linewidth=0, zorder=0)
        line((low + high) / 2, color="black", linewidth=0.8, linestyle=style, zorder=1, label=name)


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _legend(figure: Figure, axes: Axes, columns: int = 2) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def _percent(axis: matplotlib.axis.Axis, column: GridColumn) -> None:
    if column.percent:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))


def _axis_name(column: GridColumn, grid: Grid) -> str:
    better = {row.get("higher_is_better") for line in grid.lines for one in column.each for row in line.scored(one)}
    arrow = " ↑" if better == {True} else " ↓" if better == {False} else ""
    return textwrap.fill(f"{column.name}{', %' if column.percent else ''}{arrow}", LABEL)


def _where(grid: Grid, column: GridColumn) -> str:
    seconds = {one.seconds for one in column.each} - {None}
    parts = [grid.corpus, *sorted({one.split for one in column.each}), *(f"{only:g} s" for only in seconds if len(seconds) == 1)]
    if any(line.seeds > 1 for line in grid.lines):
        parts.append("± over seeds")
    return _short(", ".join(parts), 70)


def _short(text: str, longest: int = LABEL) -> str:
    """Cut in the middle."""
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest // 2]}…{text[-(longest // 2 - 1) :]}"


def _file_name(grid: Grid, column: GridColumn) -> str:
    seconds = {one.seconds for one in column.each} - {None}
    parts = [
        column.asked,
        grid.corpus,
        *sorted({one.split for one in column.each}),
        *(f"{only:g}s" for only in seconds if len(seconds) == 1),
    ]
    return re.sub(r"[^\w.@]+", "-", "-".join(parts)).strip("-")


def _save(figure: Figure | None, path: Path, written: list[Path]) -> list[Path]:
    """Two columns of one name differ in extractor or protocol: the second is numbered."""
    if figure is None:
        return []
    number = sum(1 for done in written if re.fullmatch(re.escape(path.name) + r"(-\d+)?\.png", done.name))
    name = path.name + (f"-{number + 1}" if number else "")
    files = [path.with_name(f"{name}.png"), path.with_name(f"{name}.pdf")]
    figure.savefig(files[0], metadata={"Software": None})
    figure.savefig(files[1], metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return files
