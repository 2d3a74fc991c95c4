"""Which line of a table is better: paired by speaker, from the single values behind the rows."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.intervals.bootstrap import Difference, paired_difference
from evaluation.tables.lines import Column, Line, higher_is_better
from evaluation.tables.rows import Row

Samples = tuple[np.ndarray, np.ndarray]  # values and speakers, (N,) each
BEST, SECOND = "best", "second"
SURE = 0.05  # the p below which one system is called better than another


class Scores:
    """The single values behind rows, each file read once. folder: where the rows' `scores` paths start; None: no values."""

    def __init__(self, folder: Path | None):
        self._folder = folder
        self._read: dict[str, Samples] = {}

    def difference(self, first: list[Row], second: list[Row]) -> Difference | None:
        """first minus second, paired by speaker, a speaker's value being the mean over training seeds and faces.

        None where there are no rows, or one without scores. Raises ValueError for scores that cannot be read.
        """
        a, b = self._samples(first), self._samples(second)
        return None if a is None or b is None else paired_difference(*a, *b)

    def by_seed(self, first: list[Row], second: list[Row]) -> list[float]:
        """The difference of every training seed that both have."""
        theirs = {row.get("training_seed"): row for row in second}
        shared = [(row, theirs[seed]) for row in first if (seed := row.get("training_seed")) in theirs and seed is not None]
        found = [self.difference([a], [b]) for a, b in shared]
        return [one.mean for one in found if one is not None]

    def _samples(self, rows: list[Row]) -> Samples | None:
        """The values of all these rows end to end."""
        if self._folder is None or not rows or not all(row.get("scores") for row in rows):
            return None
        for path in (str(row["scores"]) for row in rows):
            if path not in self._read:
                self._read[path] = _read_scores(self._folder / path)
        values, speakers = zip(*(self._read[str(row["scores"])] for row in rows), strict=True)
        return np.concatenate(values), np.concatenate(speakers)


def _read_scores(path: Path) -> Samples:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays["value"], arrays["speaker"]
    except PermissionError:
        raise ValueError(f"{path}: may not be read (permission denied). Let its owner run chmod a+r on it.") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{path}: not readable as scores (.npz with speaker, value). Evaluate again.") from None


def leaders(column: Column, lines: Sequence[Line], scores: Scores) -> dict[str, str]:
    """By label: BEST and SECOND, each if it is surely better than the next. What leaks is called neither."""
    found = [(line.label, rows) for line in lines if line.competes and not line.leaks(column) and (rows := line.scored(column))]
    better = higher_is_better([line for line in lines if line.competes], column)
    if better is None:
        return {}
    sign = 1 if better else -1
    ranked = sorted(found, key=lambda entry: -sign * float(np.mean([row["value"] for row in entry[1]])))
    marks = {}
    for (label, rows), (_, next_rows), mark in zip(ranked, ranked[1:], (BEST, SECOND), strict=False):
        difference = scores.difference(rows, next_rows)
        if difference is not None and difference.p < SURE and sign * difference.mean > 0:
            marks[label] = mark
    return marks
