"""A table of results as Markdown or LaTeX. What is in it is decided in evaluation/table.py."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NOTHING = "–"
BEST, SECOND, DIFFERS = "best", "second", "differs"  # a cell's mark; DIFFERS: 0 is outside a difference's interval


@dataclass(frozen=True)
class Cell:
    """value and what stands behind it (an interval), as text; mark: how the value is set."""

    value: str = NOTHING
    beside: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """head: the columns' names, the first of the lines' own. lines: (name, its cells), one cell a further column."""

    head: list[str]
    lines: list[tuple[str, list[Cell]]]


@dataclass(frozen=True)
class Section:
    """All that is said of one corpus, split and protocol.

    intro: sentences above the results. notes: (letter, what it stands for), "skipped" being a letter too. references: how
    many of the last lines of results are chance and real faces. differences: between systems, and what is said above it.
    """

    corpus: str
    split: str
    intro: list[str]
    results: Table | None
    references: int = 0
    notes: list[tuple[str, str]] = field(default_factory=list)
    about_differences: str = ""
    differences: Table | None = None


def markdown_section(section: Section) -> str:
    parts = [f"### {_plain(section.corpus)}, split `{section.split}`\n", " ".join(map(_plain, section.intro)) + "\n"]
    if section.results:
        parts.append(_markdown_table(section.results, section.references))
    if section.notes:
        said = [f"- {letter}: {_plain(text)}" if letter == "skipped" else f"- ({letter}) {_plain(text)}"
                for letter, text in section.notes]
        parts.append("\n".join(said) + "\n")
    if section.differences:
        parts.append(_plain(section.about_differences) + "\n")
        parts.append(_markdown_table(section.differences, 0))
    return "\n".join(parts)


def _markdown_table(table: Table, references: int) -> str:
    lines = [table.head, ["---", *["---:"] * (len(table.head) - 1)]]
    for at, (name, cells) in enumerate(table.lines):
        shown = f"*{_plain(name)}*" if at >= len(table.lines) - references else _plain(name)
        lines.append([shown, *map(_markdown_cell, cells)])
    lines[0] = [_plain(name) for name in lines[0]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _markdown_cell(cell: Cell) -> str:
    if cell.mark == DIFFERS:
        return f"**{cell.value} {cell.beside}**"
    value = {BEST: "**{}**", SECOND: "<ins>{}</ins>"}.get(cell.mark, "{}").format(cell.value)
    return f"{value} {cell.beside}".strip()


def _plain(text: str) -> str:
    """One line that cannot break a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


LATEX_NEEDS = "% \\usepackage{booktabs,graphicx}\n"
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "[": "{[}", "*": "{*}",  # which after a line's end would be read as belonging to it
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "±": r"$\pm$", "−": "$-$", "–": "--", "×": r"$\times$",
}


def latex_section(section: Section) -> str:
    """A table environment for the results, and one for the differences. A table wider than the line is made to fit."""
    title = f"{_tex(section.corpus)}, split \\texttt{{{_tex(section.split)}}}."
    parts = []
    notes = [f"{letter}: {text}" if letter == "skipped" else f"({letter}) {text}" for letter, text in section.notes]
    if section.results:
        caption = f"{title} {' '.join(map(_tex, section.intro))}"
        parts.append(_latex_table(caption, section.results, section.references, notes))
    else:
        parts += [f"% {' '.join(text.split())}\n" for text in (f"{section.corpus}, split {section.split}", *notes)]
    if section.differences:
        parts.append(_latex_table(f"{title} {_tex(section.about_differences)}", section.differences, 0, []))
    return "\n".join(parts)


def _latex_table(caption: str, table: Table, references: int, notes: list[str]) -> str:
    lines = [" & ".join([_tex(name), *map(_latex_cell, cells)]) + r" \\" for name, cells in table.lines]
    if references:
        lines.insert(len(lines) - references, r"\midrule")
    return "\n".join([
        r"\begin{table}[tb]", r"\centering", rf"\caption{{{caption}}}", r"\footnotesize",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}", r"\toprule",
        " & ".join(map(_tex, table.head)) + r" \\", r"\midrule", *lines, r"\bottomrule", r"\end{tabular}}",
        *(rf"\par\smallskip\raggedright {_tex(note)}" for note in notes), r"\end{table}", ""])


def _latex_cell(cell: Cell) -> str:
    value, beside = (_tex(re.sub(r"(?<!\w)-(?=\d)", "−", text)) for text in (cell.value, cell.beside))
    mark = {BEST: r"\textbf{%s}", DIFFERS: r"\textbf{%s}", SECOND: r"\underline{%s}"}.get(cell.mark, "%s")
    return f"{mark % value} {beside}".strip()


def _tex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))
