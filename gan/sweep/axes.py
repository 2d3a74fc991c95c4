"""The axes of a sweep -> its points: every cell but for its seed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gan.config import Config, nearest
from gan.sweep.file import File, label_of

BASE, VARIANT = "base", "variant"


@dataclass(frozen=True)
class Value:
    """A value of an axis. label: as `exclude` names it; said: as it stands in a table; changes: the dotted keys it sets."""

    label: str
    said: str
    changes: dict[str, Any]


def points(file: File) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    """Every cell but for its seed: label, axes, changes."""
    names = _axis_names(file)
    grid = {names[key]: values_of(f"grid.{key}", key, values, names[key]) for key, values in file.grid.items()}
    joined = {names[key]: values_of(f"zip.{key}", key, values, names[key]) for key, values in file.zip.items()}
    if len({len(values) for values in joined.values()}) > 1:
        raise ValueError(
            f"zip: {', '.join(f'{axis} has {len(values)}' for axis, values in joined.items())} values. "
            "Allowed: the same number for each; use grid for every value with every other."
        )
    named = {VARIANT: values_of("variants", VARIANT, file.variants)} if file.variants else {}
    axes = [*named, *joined, *grid]
    if twice := [axis for axis in axes if axes.count(axis) > 1]:
        raise ValueError(f"grid, zip, variants: the axis {twice[0]} comes twice. Name one of them with {{label: changes}}.")
    if "seed" in axes:
        raise ValueError("grid, zip: an axis named seed came. Allowed: any other name; seeds are the sweep's own `seeds`.")
    sets: dict[str, str] = {}
    for axis, values in (named | joined | grid).items():
        for key in dict.fromkeys(key for value in values for key in value.changes):
            if (other := sets.setdefault(key, axis)) != axis:
                raise ValueError(f"grid, zip, variants: the axes {other} and {axis} both set {key}. Allowed: one of them.")
    together: list[list[Value]] = [list(values) for values in zip(*joined.values(), strict=True)] or [[]]
    found = []
    for variant, pair, chosen in itertools.product(
        itertools.product(*named.values()), together, itertools.product(*grid.values())
    ):
        values = [*variant, *pair, *chosen]
        changes: dict[str, Any] = {}
        for value in values:
            changes |= value.changes
        found.append(
            (", ".join(value.said for value in values), dict(zip(axes, (value.label for value in values), strict=True)), changes)
        )
    labels = {axis: [value.label for value in values] for axis, values in (named | joined | grid).items()}
    kept = _kept(found, file.exclude, labels)
    if shared := next((label for label, count in Counter(label for label, _, _ in kept).items() if count > 1), None):
        raise ValueError(f"grid, zip, variants: two cells would go by the label {shared!r}. Give their values other labels.")
    return kept


def _axis_names(file: File) -> dict[str, str]:
    """By key. A dotted key goes by its last part, where no other axis does."""
    short = {
        key: key if isinstance(values, Mapping) else key.rpartition(".")[2]
        for section in (file.zip, file.grid)
        for key, values in section.items()
    }
    counts = Counter(short.values())
    return {key: name if counts[name] == 1 else key for key, name in short.items()}


def values_of(where: str, key: str, values: Any, axis: str | None = None) -> list[Value]:
    """The labelled values of an axis: of a list, values of the key; of a mapping, named changes.

    axis: what it goes by in labels, default the last part of the key.
    """
    if not isinstance(values, list | Mapping) or not values:
        raise ValueError(f"{where}: {values!r} came. Allowed: a list of values, or {{label: {{dotted key: value}}}}, not empty.")
    if isinstance(values, Mapping):
        if bad := [label for label in values if not label or label != " ".join(label.split())]:
            raise ValueError(f"{where}: the label {bad[0]!r} came. Allowed: one line of text, without space around it.")
        return [Value(label, label, dotted(f"{where}.{label}", changes)) for label, changes in values.items()]
    found = [_value(where, key, value, axis or key.rpartition(".")[2]) for value in values]
    counts = Counter(value.label for value in found)
    if twice := next((label for label, count in counts.items() if count > 1), None):
        raise ValueError(f"{where}: {twice} comes twice. Use {{label: {{{key}: value}}}} to tell them apart.")
    return found


def _value(where: str, key: str, value: Any, axis: str) -> Value:
    changes = dotted(where.removesuffix(f".{key}"), {key: value})
    if isinstance(value, Mapping):
        if "name" not in value:
            raise ValueError(f"{where}: {dict(value)!r} has no name to go by. Use {{label: {{{key}: value}}}}.")
        return Value(str(value["name"]), str(value["name"]), changes)
    if value is None:
        return Value(label_of(value), f"no {axis}", changes)
    return Value(label_of(value), str(value) if key == BASE else f"{axis} {label_of(value)}", changes)


def dotted(where: str, changes: Any) -> dict[str, Any]:
    if not isinstance(changes, Mapping):
        raise ValueError(f"{where}: {changes!r} came. Allowed: {{dotted key: value}}, such as {{losses.pixel: null}}.")
    for key in changes:
        section = key.partition(".")[0]
        known = [entry.name for entry in fields(Config)]
        seed = key == "train.seed" or (key == "train" and isinstance(changes[key], Mapping) and "seed" in changes[key])
        if (section not in known or seed or section == "evaluation") and (key != BASE or where == "set"):
            allowed = ", ".join(section for section in known if section != "evaluation")
            raise ValueError(
                f"{where}.{key}: no key of a recipe that a sweep sets. Allowed: dotted keys of {allowed}; seeds and "
                "evaluation are the sweep's own `seeds` and `evaluate`." + nearest(section, known)
            )
    return dict(changes)


def _kept(
    points: list[tuple[str, dict[str, str], dict[str, Any]]], exclude: list[Any], labels: dict[str, list[str]]
) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    for number, rule in enumerate(exclude):
        where = f"exclude[{number}]"
        if not isinstance(rule, Mapping) or not rule:
            raise ValueError(f"{where}: {rule!r} came. Allowed: {{axis: label}}, or {{axis: [label, label]}}.")
        wanted = {}
        for axis, entry in rule.items():
            if axis not in labels:
                raise ValueError(f"{where}.{axis}: no such axis. Have: {', '.join(labels)}." + nearest(str(axis), labels))
            wanted[axis] = [label_of(label) for label in (entry if isinstance(entry, list) else [entry])]
            for label in wanted[axis]:
                if label not in labels[axis]:
                    raise ValueError(
                        f"{where}.{axis}: no {label!r} on that axis. Have: {', '.join(labels[axis])}."
                        + nearest(label, labels[axis])
                    )
        left = [point for point in points if not all(point[1][axis] in allowed for axis, allowed in wanted.items())]
        if len(left) == len(points):
            raise ValueError(f"{where}: leaves out nothing that a rule before it has not.")
        points = left
    return points
