"""A table of results as LaTeX, for a document with booktabs and graphicx: pdflatex reads it whatever letters are in it."""

from __future__ import annotations

import re
import unicodedata

from evaluation.tables.comparison import BEST, SECOND
from evaluation.tables.text import DIFFERS, PRINTED, Cell, Section, Table

NEEDS = "% \\usepackage{booktabs,graphicx}\n"
LINES, COLUMNS = 26, 6  # of a table that can be read on a page; what is more goes on in a further one
NARROW = 4  # columns, the names' among them, that fit half a page
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        (
            "alpha",
            "beta",
            "gamma",
            "delta",
            "varepsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "pi",
            "rho",
            "sigma",
            "tau",
            "upsilon",
            "varphi",
            "chi",
            "psi",
            "omega",
            "Gamma",
            "Delta",
            "Theta",
            "Lambda",
            "Xi",
            "Pi",
            "Sigma",
            "Phi",
            "Psi",
            "Omega",
        ),
        strict=True,
    )
)
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "[": "{[}",
    "*": "{*}",  # which after a line's end would be read as belonging to it
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "`": r"\textasciigrave{}",
    "'": r"\char39{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "°": r"$^\circ$",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    **{letter: f"$\\{name}$" for letter, name in _GREEK.items()},
}
_MARKS = {BEST: r"\textbf{%s}", DIFFERS: r"\textbf{%s}", SECOND: r"\underline{%s}", PRINTED: r"\textit{%s}"}
_ACCENTS = {
    "\u0300": r"\`",
    "\u0301": r"\'",
    "\u0302": r"\^",
    "\u0303": r"\~",
    "\u0308": r"\"",
    "\u030a": r"\r",
    "\u030c": r"\v",
    "\u0327": r"\c",
}


def section(section: Section) -> str:
    """A table environment for the results, and one for the differences. A table wider than the line is made to fit."""
    where = tex(section.corpus) + (f", split \\texttt{{{tex(section.split)}}}" if section.split else "")
    title = f"{tex(section.title)}: {where}." if section.title else f"{where}."
    parts = []
    notes = [f"{mark} {text}" for mark, text in section.notes]
    if section.results:
        parts += _tables(f"{title} {' '.join(map(tex, section.intro))}", section.results, notes)
    else:
        parts += [f"% {' '.join(text.split())}\n" for text in (f"{section.corpus}, split {section.split}", *notes)]
    if section.differences:
        parts += _tables(f"{title} {tex(section.about_differences)}", section.differences, [])
    return "\n".join(parts)


def _tables(caption: str, table: Table, notes: list[str]) -> list[str]:
    """One table, or as many as its columns and lines need; the notes under the last."""
    rules = {len(table.lines) - table.references} if table.references else set()
    rules |= {len(table.lines) - table.references - table.controls} if table.controls else set()
    parts = [(first, start) for first in range(0, len(table.head) - 1, COLUMNS) for start in range(0, len(table.lines), LINES)]
    made: list[str] = []
    for first, start in parts:
        columns = slice(first, first + COLUMNS)
        lines: list[str] = []
        for at, (name, cells) in enumerate(table.lines[start : start + LINES], start):
            lines += [r"\midrule"] if at in rules and lines else []
            lines.append(" & ".join([tex(name), *map(_cell, cells[columns])]) + r" \\")
        head = [tex(table.head[0]), *map(_head, table.head[1:][columns])]
        made.append(_environment("Continued." if made else caption, head, lines, notes if (first, start) == parts[-1] else []))
    return made


def _environment(caption: str, head: list[str], lines: list[str], notes: list[str]) -> str:
    kind = "table*" if len(head) > NARROW else "table"  # across both columns of a page that has two
    return "\n".join(
        [
            rf"\begin{{{kind}}}[tbp]",
            r"\centering",
            rf"\caption{{{caption}}}",
            r"\footnotesize",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            " & ".join(head) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            *([r"\par\smallskip\raggedright\scriptsize"] if notes else []),
            *(rf"{tex(note)}\par" for note in notes),
            rf"\end{{{kind}}}",
            "",
        ]
    )


def _head(name: str) -> str:
    """A column's name, broken at its commas."""
    parts = name.split(", ")
    return tex(name) if len(parts) == 1 else r"\shortstack[r]{" + r",\\".join(map(tex, parts)) + "}"


def _cell(cell: Cell) -> str:
    """A value, and under it, small, what stands behind it."""
    value, beside = (tex(re.sub(r"(?<!\w)-(?=\d)", "−", text)) for text in (cell.value, cell.beside))
    marked = _MARKS.get(cell.mark, "%s") % value
    return marked if not beside else rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{marked}\\[-3pt]{{\tiny {beside}}}\end{{tabular}}"


def tex(text: str) -> str:
    """Text that LaTeX sets as it reads; a letter that pdflatex has no sign for as its code, such as U+4E2D."""
    return "".join(map(_letter, " ".join(text.split())))


def _letter(letter: str) -> str:
    if letter in _LATEX:
        return _LATEX[letter]
    if " " <= letter <= "~":
        return letter
    apart = unicodedata.normalize("NFD", letter)
    if len(apart) == 2 and apart[0].isascii() and apart[1] in _ACCENTS:
        return f"{_ACCENTS[apart[1]]}{{{apart[0]}}}"
    plain = unicodedata.normalize("NFKC", letter)
    return tex(plain) if plain != letter else f"U+{ord(letter):04X}"
