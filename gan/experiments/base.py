"""The contract of an experiment, and what it hands back (an Outcome); from its name to its files.

The folder is the registry: `voxface experiment audio-length RUN` is the public subclass of Experiment in audio_length.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gan.build import build, names
from gan.config import nearest
from gan.data.corpora import open_corpus
from gan.experiments._report import csv_of, markdown
from gan.experiments._study import Study
from gan.files import write_atomically
from gan.run import Run
from gan.sheets import write_sheet


@dataclass(frozen=True)
class Outcome:
    """columns: captions of the sheet's columns. pictures: rows of the sheet, a caption and uint8 (H, W, 3) faces or None each.

    rows: the numbers, every row with the same keys; values are Measured, numbers or text. notes: what a reader must know of the
    sheet, a sentence each; legend: of the numbers.
    """

    columns: list[str]
    pictures: list[tuple[str, list[np.ndarray | None]]]
    rows: list[dict[str, Any]]
    notes: list[str]
    legend: list[str]


class Experiment(ABC):
    """about: one line for the command's help. split: whose voices are drawn where none is named."""

    about: str
    split: str = "unseen_speech"

    @abstractmethod
    def __call__(self, study: Study) -> Outcome:
        """Raises ValueError, one line, if the voices do not suffice."""


# -- from a name to files ---------------------------------------------------------------------------------------------


def experiments() -> list[str]:
    """The names, as the command takes them."""
    return [name.replace("_", "-") for name in names(Experiment)]


def overview() -> str:
    """A line on each, for the command's help."""
    return "\n".join(["experiments:", *(f"  {name:<20}{find(name).about}" for name in experiments())])


def find(name: str) -> Experiment:
    """Raises ValueError naming what there is."""
    if name not in experiments():
        raise ValueError(f"experiment: no experiment {name}. Have: {', '.join(experiments())}." + nearest(name, experiments()))
    return build(Experiment, {"name": name.replace("-", "_")}, "experiment")


def perform(
    name: str,
    run: Run,
    *,
    corpus_name: str | None = None,
    split: str | None = None,
    audio: Sequence[Path] = (),
    limit: int = 100,
    seed: int = 0,
    out: Path = Path(),
) -> tuple[Path, Path]:
    """Do an experiment; write out/NAME.png and out/NAME.csv, print the numbers as a Markdown table, and return the two paths.

    corpus_name: default the run's own. Raises ValueError, one line, for what does not exist or does not suffice.
    """
    experiment = find(name)
    study = Study(run, open_corpus(corpus_name or run.config.data.corpus), split, audio, limit, seed)
    outcome = experiment(study)
    voices = f"{len(audio)} of your sounds" if audio else f"{study.corpus.name}, {split or experiment.split}"
    title = f"{name}: {run.path.name}, step {run.step}, {voices}"
    out.mkdir(parents=True, exist_ok=True)
    picture, numbers = out / f"{name}.png", out / f"{name}.csv"
    write_sheet(picture, title, outcome.columns, outcome.pictures, outcome.notes)
    write_atomically(numbers, csv_of(outcome.rows))
    print(f"### {title}", "", markdown(outcome.rows), "", *outcome.notes, *outcome.legend, "", picture, numbers, sep="\n")
    return picture, numbers
