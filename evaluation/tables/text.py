"""A table of results, and it as Markdown. What is in it is decided in evaluation/tables/table.py."""

from __future__ import annotations

from dataclasses import dataclass, field

from evaluation.tables.comparison import BEST, SECOND

NOTHING = "–"
DIFFERS, PRINTED = "differs", "printed"  # a cell's mark, beside BEST and SECOND: 0 is outside the interval; a paper's value


@dataclass(frozen=True)
class Cell:
    """value and what stands behind it (an interval), as text; mark: how the value is set."""

    value: str = NOTHING
    beside: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """head: the columns' names, the first of the lines' own. lines: (name, its cells), one cell a further column.

    references: how many of the last lines are chance and real faces; controls: how many above them are control systems.
    """

    head: list[str]
    lines: list[tuple[str, list[Cell]]]
    references: int = 0
    controls: int = 0


@dataclass(frozen=True)
class Section:
    """All that is said of one corpus, split and protocol. split: "" where the columns tell it.

    intro: sentences above the results. notes: what is said under them, (letter or word, text). differences: between systems,
    and what is said above them.
    """

    title: str
    corpus: str
    split: str
    intro: list[str]
    results: Table | None
    notes: list[tuple[str, str]] = field(default_factory=list)
    about_differences: str = ""
    differences: Table | None = None


def markdown_section(section: Section) -> str:
    """A section as Markdown: its title, tables and notes."""
    where = plain(section.corpus) + (f", split `{section.split}`" if section.split else "")
    parts = [f"### {plain(section.title) + ': ' if section.title else ''}{where}\n", " ".join(map(plain, section.intro)) + "\n"]
    if section.results:
        parts.append(_markdown_table(section.results))
    if section.notes:
        parts.append("\n".join(f"- {mark} {plain(text)}" for mark, text in section.notes) + "\n")
    if section.differences:
        parts.append(plain(section.about_differences) + "\n")
        parts.append(_markdown_table(section.differences))
    return "\n".join(parts)


def _markdown_table(table: Table) -> str:
    lines = [table.head, ["---", *["---:"] * (len(table.head) - 1)]]
    for at, (name, cells) in enumerate(table.lines):
        shown = f"*{plain(name)}*" if at >= len(table.lines) - table.references else plain(name)
        lines.append([shown, *map(_markdown_cell, cells)])
    lines[0] = [plain(name) for name in lines[0]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _markdown_cell(cell: Cell) -> str:
    if cell.mark == DIFFERS:
        return f"**{cell.value} {cell.beside}**"
    value = {BEST: "**{}**", SECOND: "<ins>{}</ins>", PRINTED: "*{}*"}.get(cell.mark, "{}").format(plain(cell.value))
    return f"{value} {cell.beside}".strip()


def plain(text: str) -> str:
    """One line that cannot break a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")
