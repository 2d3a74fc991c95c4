"""The space of a search: what is tried of each key of `search.parameters`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gan.config import nearest
from gan.sweep.axes import Value, dotted, values_of

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Parameter:
    """What is tried of one key: choices, or numbers from low to high. axis: its name in tables."""

    key: str
    axis: str
    choices: tuple[Value, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False

    def ask(self, trial: optuna.Trial) -> None:
        if self.choices:
            trial.suggest_categorical(self.key, [value.label for value in self.choices])
        elif isinstance(self.low, int) and isinstance(self.high, int):
            trial.suggest_int(self.key, self.low, self.high, step=1 if self.step is None else int(self.step), log=self.log)
        else:
            trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)

    def value(self, asked: Any) -> Value:
        """What was asked for, as a cell's axis takes it."""
        if self.choices:
            return next(value for value in self.choices if value.label == asked)
        return Value(f"{asked:.4g}", f"{self.axis} {asked:.4g}", {self.key: asked})

    def ends(self) -> list[Value]:
        return list(self.choices) or [self.value(self.low), self.value(self.high)]

    def __str__(self) -> str:
        if self.choices:
            return " | ".join(value.label for value in self.choices)
        how = ", log" if self.log else f" by {self.step:g}" if self.step is not None else ""
        return f"{self.low:g} to {self.high:g}{how}"


def parameters(given: Mapping[str, Any]) -> list[Parameter]:
    """Those of search.parameters. Raises ValueError naming the one that is wrong."""
    if not given:
        raise ValueError("search.parameters: none came. Allowed: {dotted key: {low, high, log, step}, or {choices: [...]}}.")
    last = [key.rpartition(".")[2] for key in given]
    return [
        _parameter(key, key if last.count(name) > 1 else name, about)
        for (key, about), name in zip(given.items(), last, strict=True)
    ]


def _parameter(key: str, axis: str, about: Any) -> Parameter:
    where, known = f"search.parameters.{key}", [entry.name for entry in fields(Parameter)][2:]
    if not isinstance(about, Mapping):
        raise ValueError(f"{where}: {about!r} came. Allowed: {{low, high, log, step}}, or {{choices: [...]}}.")
    for name in about:
        if name not in known:
            raise ValueError(f"{where}.{name}: no such key. Allowed: {', '.join(known)}." + nearest(str(name), known))
    if "choices" in about:
        if len(about) > 1:
            raise ValueError(f"{where}: {', '.join(about)} came. Allowed: choices alone, or low and high.")
        if not isinstance(about["choices"], Mapping):
            dotted("search.parameters", {key: None})
        return Parameter(key, axis, tuple(values_of(where, key, about["choices"], axis)))
    dotted("search.parameters", {key: None})
    return _range(where, key, axis, about)


def _range(where: str, key: str, axis: str, about: Mapping[str, Any]) -> Parameter:
    low, high, step, log = about.get("low"), about.get("high"), about.get("step"), about.get("log", False)
    for name, value in (("low", low), ("high", high), *((("step", step),) if step is not None else ())):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{where}.{name}: {value!r} came. Allowed: a number.")
    if not isinstance(log, bool):
        raise ValueError(f"{where}.log: {log!r} came. Allowed: true, false.")
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if low >= high:
        raise ValueError(f"{where}: low {low:g}, high {high:g} came. Allowed: low below high.")
    if log and (low <= 0 or step is not None):
        raise ValueError(f"{where}.log: came with low {low:g}, step {step}. Allowed: low above 0, and no step.")
    if step is not None:
        if step <= 0 or (isinstance(low, int) and isinstance(high, int) and not isinstance(step, int)):
            raise ValueError(f"{where}.step: {step} came. Allowed: above 0, and whole where low and high are.")
        steps = (high - low) / step
        if not math.isclose(steps, round(steps), abs_tol=1e-9):
            raise ValueError(
                f"{where}.step: {step:g} does not lead from {low:g} to {high:g}. Highest there is "
                f"{low + math.floor(steps) * step:g}."
            )
    return Parameter(key, axis, (), low, high, step, log)
