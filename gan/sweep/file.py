"""A sweep's YAML: its sections, and how it is read.

    base: sf2f-64-small                       a recipe, shipped or beside the sweep
    set:      {train.steps: 600}              dotted keys, for every cell
    grid:     {train.batch_size: [8, 16]}     every value with every other axis
    zip:      {a.b: [1, 2], c.d: [3, 4]}      first with first, second with second
    variants: {full: {}, no L1: {losses.pixel: null}}     the axis `variant`: named changes
    exclude:  [{variant: no L1, batch_size: 8}]     cells left out, by axis and label
    seeds:    [0, 1]

An axis of grid or zip is a dotted key with a list of values, or any name with {label: changes}, as in variants. The key `base`
stands for another recipe to start from, under `set` and the other changes. A cell is a point of grid x zip x variants x seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan import recipes

MAX_SEED = 2**31 - 1


@dataclass
class Budget:
    cells: int = 200  # most cells; more are refused, as a slip of the pen
    hours: float | None = None  # most estimated hours of training in all; more are refused
    gigabytes: float | None = None  # most estimated disk space


@dataclass
class Prune:
    warmup_steps: int | None = None  # steps that every trial is left; after them one worse than the median of those done is
    # stopped. null: none is
    startup_trials: int = 5  # trials done before any is stopped


@dataclass
class SearchSettings:
    metric: str = ""  # a score that train.validate_metrics give, on ...
    split: str = "val_speech"  # val_speech | val_speaker; test splits choose nothing
    mode: str = "min"  # min | max
    trials: int = 20
    seed: int = 0  # of what is tried; that of the trainings is the one of `seeds`
    parameters: dict[str, Any] = field(default_factory=dict)  # dotted key: {low, high, log, step}, or {choices} as in grid
    prune: Prune = field(default_factory=Prune)


@dataclass
class File:
    """The sections of a sweep's YAML."""

    base: str = ""
    set: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, Any] = field(default_factory=dict)
    zip: dict[str, Any] = field(default_factory=dict)
    variants: dict[str, Any] = field(default_factory=dict)
    exclude: list[Any] = field(default_factory=list)
    seeds: list[int] = field(default_factory=lambda: [0])
    budget: Budget = field(default_factory=Budget)
    evaluate: dict[str, Any] = field(default_factory=dict)  # protocol: a name or file; corpus: one for all cells, default the one
    # they learn from; and keys of a recipe's evaluation section
    table: dict[str, Any] = field(default_factory=dict)  # evaluation/tables/layout.py
    search: SearchSettings = field(default_factory=SearchSettings)  # gan/sweep/search.py; without parameters there is none
    launcher: dict[str, Any] = field(default_factory=dict)  # gan/launchers/, default {name: local}


def read(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The YAML as plain values, dotted overrides on top, unchecked. Raises ValueError, one line, if it is none."""
    if not path.is_file():
        raise ValueError(f"{path}: no such sweep file.")
    try:
        values = recipes.read_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8 ({error}).") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: a sweep is a mapping of sections, a {type(values).__name__} came.")
    return _with_overrides(_text_keys(values), overrides)


def _with_overrides(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """set.data.corpus=x also where the file says `data.corpus: y` under `set`: of both spellings the override's stays."""
    values = recipes.overridden(values, overrides)
    axes = [
        axis
        for section in ("variants", "grid", "zip")
        if isinstance(found := values.get(section), dict)
        for axis in ((found,) if section == "variants" else found.values())
        if isinstance(axis, dict)
    ]
    for changes in (values.get("set"), *(changes for axis in axes for changes in axis.values())):
        for key in [key for key in changes if "." in key] if isinstance(changes, dict) and overrides else ():
            nested: Any = changes
            for part in key.split("."):
                nested = nested.get(part, _ABSENT) if isinstance(nested, dict) else _ABSENT
            if nested is not _ABSENT:
                del changes[key]
    return values


_ABSENT = object()


def check_seeds(seeds: Any) -> None:
    if not isinstance(seeds, list) or not seeds or any(type(seed) is not int or not 0 <= seed <= MAX_SEED for seed in seeds):
        raise ValueError(f"seeds: {seeds!r} came. Allowed: a list of whole numbers from 0 to {MAX_SEED}, such as [0, 1, 2].")
    if twice := [seed for seed, count in Counter(seeds).items() if count > 1]:
        raise ValueError(f"seeds: {twice[0]} comes twice.")


def check_count(values: Mapping[str, Any]) -> None:
    """Before anything else is looked at: a slip of the pen may mean millions."""

    def several(section: Any) -> list[Any]:
        return list(section.values()) if isinstance(section, Mapping) else []

    budget = values.get("budget")
    count, allowed = 1, budget.get("cells", Budget.cells) if isinstance(budget, Mapping) else Budget.cells
    for section in (values.get("seeds"), values.get("variants"), *several(values.get("zip"))[:1], *several(values.get("grid"))):
        count *= len(section) if isinstance(section, list | Mapping) and section else 1
    if isinstance(allowed, int) and count > allowed:
        raise ValueError(f"budget.cells: {count:,} cells came, {allowed:,} are allowed. Raise budget.cells if so many are meant.")


def _text_keys(value: Any) -> Any:
    """The same with every key as text: a label may look like a number."""
    if isinstance(value, Mapping):
        return {label_of(key): _text_keys(entry) for key, entry in value.items()}
    return [_text_keys(entry) for entry in value] if isinstance(value, list) else value


def label_of(value: Any) -> str:
    """A value as text, as YAML has it."""
    return {None: "none", True: "yes", False: "no"}[value] if value is None or isinstance(value, bool) else str(value)
