"""Tables and lists of others -> rows of stripped cells, whatever their separator, quotes and blanks.

A line is a row: names and numbers hold no line breaks, and so a quote that is never closed costs one row, not the rest of the
file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SEPARATORS = "\t;,"  # the first of these that the first line holds most of; a tab beats all
MOST_COLUMNS = 256
LONGEST_LINE = 1 << 20  # characters
LONGEST_CELL = 4096


@dataclass(frozen=True)
class Row:
    """line: from 1. cells: stripped. fault: why the line is no row, "" for one that is."""

    line: int
    cells: tuple[str, ...]
    fault: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a header, read whole. bad: (line, reason) of the rows that are left out."""

    path: Path
    columns: tuple[str, ...]
    rows: list[Row]
    bad: list[tuple[int, str]]

    def has(self, *names: str) -> bool:
        return self._find(names) is not None

    def column(self, *names: str) -> int:
        """The position of the first column that is called by one of the names, compared by letters and digits only.

        Raises ValueError naming the columns that there are.
        """
        found = self._find(names)
        if found is None:
            raise ValueError(f"{self.path}: has no column {' or '.join(names)}. Found: {_short(', '.join(self.columns))}.")
        return found

    def _find(self, names: tuple[str, ...]) -> int | None:
        keys = [column_key(column) for column in self.columns]
        return next((keys.index(key) for name in names if (key := column_key(name)) in keys), None)


def column_key(name: str) -> str:
    """ "VoxCeleb2 ID " -> "voxceleb2id"."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def read_table(path: str | Path) -> Table:
    """A table whose first line names the columns. Raises ValueError, one line, if it has no header or not one good row."""
    path = Path(path)
    lines = read_lines(path)
    header = next(lines, None)
    if header is None:
        raise ValueError(f"{path}: the table is empty.")
    if header.fault:
        raise ValueError(f"{path}: line {header.line}: {header.fault}.")
    rows, bad = [], []
    for row in lines:
        fault = row.fault
        if not fault and len(row.cells) != len(header.cells):
            fault = f"{len(row.cells)} cells, the header has {len(header.cells)}"
        if fault:
            bad.append((row.line, fault))
        else:
            rows.append(row)
    if not rows:
        first = f" First: line {bad[0][0]}: {bad[0][1]}." if bad else ""
        raise ValueError(f"{path}: the table has no good row.{first} Columns: {_short(', '.join(header.cells))}.")
    return Table(path, header.cells, rows, bad)


def read_lines(path: str | Path, separator: str = "") -> Iterator[Row]:
    """The lines of a table one by one, empty ones left out. Without a separator the first of them decides.

    Raises ValueError, one line, if the file cannot be read. What is wrong with a line is said of that line.
    """
    path = Path(path)
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                whole = len(line) < LONGEST_LINE or line.endswith("\n")
                while not whole:
                    rest = file.readline(LONGEST_LINE)
                    whole = not rest or rest.endswith("\n")
                if not line.strip():
                    continue
                fault = _fault(line)
                if fault:
                    yield Row(number, (), fault)
                    continue
                separator = separator or _sniff(line)
                yield _cells(number, line, separator)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{path}: no such file.") from None
    except IsADirectoryError:
        raise ValueError(f"{path}: a folder. Name a table.") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}).") from None


def _fault(line: str) -> str:
    if len(line) >= LONGEST_LINE:
        return f"longer than {LONGEST_LINE} characters"
    if "\0" in line:
        return "holds NUL bytes: not a text table, or saved as UTF-16. Save it as UTF-8"
    if not line.isascii() and any("\udc80" <= letter <= "\udcff" for letter in line):
        return "not UTF-8. Save the table as UTF-8"
    return ""


def _sniff(line: str) -> str:
    return "\t" if "\t" in line else max(SEPARATORS, key=line.count)


def _cells(number: int, line: str, separator: str) -> Row:
    line = line.rstrip("\r\n")
    if line.count(separator) >= MOST_COLUMNS:
        return Row(number, (), f"{line.count(separator) + 1} columns; at most {MOST_COLUMNS} are read")
    if '"' in line and separator != "\n":
        try:
            cells = _quoted(line.strip(" "), separator)
        except csv.Error as error:
            return Row(number, (), f"quotes are wrong ({error})")
    else:
        cells = line.split(separator)
    cells = [cell.strip() for cell in cells]
    if max(map(len, cells)) > LONGEST_CELL:
        return Row(number, (), f"a cell of {max(map(len, cells))} characters; at most {LONGEST_CELL} are read")
    return Row(number, tuple(cells))


def _quoted(line: str, separator: str) -> list[str]:
    def read(strict: bool) -> list[str]:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=separator != "\t", strict=strict))

    try:
        return read(True)
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise csv.Error("one is never closed") from None
        return read(False)  # blanks between a quote and the separator


def _short(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]} ..."
