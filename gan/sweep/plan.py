"""A sweep's YAML -> tasks, every one checked before the first starts.

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

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from evaluation.layout import layout_of
from gan import checkpoint
from gan import config as configuration
from gan.build import arguments_of
from gan.config import Config, Evaluation, nearest
from gan.data.corpora import content_of
from gan.data.corpus import SPLITS
from gan.evaluate import build_metrics
from gan.launchers.base import Launcher
from gan.model import NO_DECODER
from gan.systems import CONTROLS
from gan.train import check, stage_of

BASE, VARIANT = "base", "variant"
OF_SWEEP = ("protocol", "corpus")   # keys of `evaluate` beside those of a recipe's evaluation section
# What changes where, how fast or with what log a task is done, not what comes out of it.
NOT_IN_ID = ("logging", "data.corpus", "data.workers", "data.published_identities", "train.device", "train.threads",
             "train.init_from", "train.save_every", "train.keep_last")
MAX_SEED = 2 ** 31 - 1


@dataclass
class Budget:
    cells: int = 200                    # most cells; more are refused, as a slip of the pen
    hours: float | None = None          # most estimated hours of training in all; more are refused
    gigabytes: float | None = None      # most estimated disk space


@dataclass
class Prune:
    warmup_steps: int | None = None     # steps that every trial is left; after them one worse than the median of those done is
                                        # stopped. null: none is
    startup_trials: int = 5             # trials done before any is stopped


@dataclass
class Search:
    metric: str = ""                    # a score that train.validate_metrics give, on ...
    split: str = "val_speech"           # val_speech | val_speaker; test splits choose nothing
    mode: str = "min"                   # min | max
    trials: int = 20
    seed: int = 0                       # of what is tried; that of the trainings is the one of `seeds`
    parameters: dict[str, Any] = field(default_factory=dict)    # dotted key: {low, high, log, step}, or {choices} as in grid
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
    table: dict[str, Any] = field(default_factory=dict)     # evaluation/layout.py
    search: Search = field(default_factory=Search)          # gan/sweep/search.py; without parameters there is none
    launcher: dict[str, Any] = field(default_factory=dict)  # gan/launchers/, default {name: local}


@dataclass(frozen=True)
class Task:
    """What one process does: a cell (train, then evaluate), a stage that cells start from, a search's trial (train, scored on a
    validation split only), or the control rows beside them.

    id: eight hex digits of everything that decides what comes out. needs: the ids of tasks to be done before. corpus: whose
    voices and faces it is scored on. face_size: px at which those are compared.
    trained: the stage or the trial, if there is one, whose training is this cell's own too.
    """

    id: str
    kind: str
    label: str
    axes: dict[str, str]
    seed: int
    needs: tuple[str, ...]
    config: Config
    corpus: str | None = None
    face_size: int | None = None
    trained: str | None = None

    @property
    def name(self) -> str:
        """Its folder's name, readable and unique."""
        plain = re.sub(r"[^a-z0-9.]+", "-", self.label.lower()).strip("-.")[:60] or self.kind
        return f"{plain}-s{self.seed}-{self.id}" if self.kind != "controls" else f"{plain}-{self.id}"

    @property
    def title(self) -> str:
        return f"{self.label}, seed {self.seed}" if self.kind in ("cell", "stage") else self.label


@dataclass(frozen=True)
class Plan:
    """tasks: those that others need come first, cells in the order of the file. Of a search they grow: gan/sweep/search.py.

    beside: the file's folder.
    """

    name: str
    file: File
    tasks: tuple[Task, ...]
    beside: Path

    @property
    def cells(self) -> list[Task]:
        return [task for task in self.tasks if task.kind == "cell"]


def load(path: Path, overrides: Sequence[str] = ()) -> Plan:
    """Read a sweep's YAML, with dotted overrides on top, and check all of it.

    Raises ValueError, one line, naming the key or the cell.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such sweep file.")
    try:
        values = configuration.read_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8 ({error}).") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: a sweep is a mapping of sections, a {type(values).__name__} came.")
    try:
        return plan(_with_overrides(_text_keys(values), overrides), path.stem, path.parent)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _with_overrides(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """set.data.corpus=x also where the file says `data.corpus: y` under `set`: of both spellings the override's stays."""
    values = configuration.overridden(values, overrides)
    axes = [axis for section in ("variants", "grid", "zip") if isinstance(found := values.get(section), dict)
            for axis in ((found,) if section == "variants" else found.values()) if isinstance(axis, dict)]
    for changes in (values.get("set"), *(changes for axis in axes for changes in axis.values())):
        for key in [key for key in changes if "." in key] if isinstance(changes, dict) and overrides else ():
            nested: Any = changes
            for part in key.split("."):
                nested = nested.get(part, _ABSENT) if isinstance(nested, dict) else _ABSENT
            if nested is not _ABSENT:
                del changes[key]
    return values


_ABSENT = object()


def plan(values: Any, name: str, folder: Path) -> Plan:
    """The same from a plain mapping. folder: where `base` and a protocol's file are looked for first."""
    _check_count(values)
    _check_seeds(values.get("seeds", [0]))
    file = configuration.typed(File, values)
    _check_launcher(file.launcher)
    layout = layout_of(file.table)
    if not file.base:
        raise ValueError("base: none came. Allowed: a recipe's file or name, such as sf2f-64.")
    if file.search != Search():
        for key in ("grid", "zip", "variants", "exclude"):
            if getattr(file, key):
                raise ValueError(f"{key}: came beside search. Allowed: one of them; search.parameters takes {{choices: [...]}}.")
        return Plan(name, file, (), folder)
    maker = Cells(file, folder)
    cells: list[Task] = []
    controls: dict[str, Task] = {}
    for label, axes, changes in _points(file):
        for seed in file.seeds:
            about = f"cell {label!r}, seed {seed}" if axes else f"seed {seed}"
            try:
                task = maker.cell(label or Path(file.base).stem, axes, changes, seed)
            except Exception as error:      # a component may fail to be built in any way
                raise ValueError(f"{about}: {in_one_line(error)}") from error
            if twin := next((other for other in cells if other.id == task.id), None):
                raise ValueError(f"{about} is the same as cell {twin.label!r}, seed {twin.seed}, but for what changes no result. "
                                 "Exclude one of them.")
            cells.append(task)
            control = controls_of(task)
            controls[control.id] = control
    if not cells:
        raise ValueError("exclude: leaves no cell.")
    layout.check_systems([*(name for cell in cells for name in (cell.label, f"shuffled {cell.label}")), *CONTROLS])
    stages = maker.stages
    tasks = (*controls.values(), *stages.values(), *(_trained_before(cell, stages) for cell in cells))
    return Plan(name, file, tasks, folder)


# -- axes ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """A value of an axis. label: as `exclude` names it; said: as it stands in a table; changes: the dotted keys it sets."""

    label: str
    said: str
    changes: dict[str, Any]


def _points(file: File) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    """Every cell but for its seed: label, axes, changes."""
    names = _axis_names(file)
    grid = {names[key]: values_of(f"grid.{key}", key, values, names[key]) for key, values in file.grid.items()}
    joined = {names[key]: values_of(f"zip.{key}", key, values, names[key]) for key, values in file.zip.items()}
    if len({len(values) for values in joined.values()}) > 1:
        raise ValueError(f"zip: {', '.join(f'{axis} has {len(values)}' for axis, values in joined.items())} values. "
                         "Allowed: the same number for each; use grid for every value with every other.")
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
    for variant, pair, chosen in itertools.product(itertools.product(*named.values()), together,
                                                   itertools.product(*grid.values())):
        values = [*variant, *pair, *chosen]
        changes: dict[str, Any] = {}
        for value in values:
            changes |= value.changes
        found.append((", ".join(value.said for value in values),
                      dict(zip(axes, (value.label for value in values), strict=True)), changes))
    labels = {axis: [value.label for value in values] for axis, values in (named | joined | grid).items()}
    kept = _kept(found, file.exclude, labels)
    if shared := next((label for label, count in Counter(label for label, _, _ in kept).items() if count > 1), None):
        raise ValueError(f"grid, zip, variants: two cells would go by the label {shared!r}. Give their values other labels.")
    return kept


def _check_seeds(seeds: Any) -> None:
    if not isinstance(seeds, list) or not seeds or any(type(seed) is not int or not 0 <= seed <= MAX_SEED for seed in seeds):
        raise ValueError(f"seeds: {seeds!r} came. Allowed: a list of whole numbers from 0 to {MAX_SEED}, such as [0, 1, 2].")
    if twice := [seed for seed, count in Counter(seeds).items() if count > 1]:
        raise ValueError(f"seeds: {twice[0]} comes twice.")


def _check_launcher(section: dict[str, Any]) -> None:
    """Its keys; whether this machine has what it takes is seen when it starts."""
    arguments_of(Launcher, {"name": "local"} | section, "launcher", folder=Path())


def _check_count(values: Mapping[str, Any]) -> None:
    """Before anything else is looked at: a slip of the pen may mean millions."""
    def several(section: Any) -> list[Any]:
        return list(section.values()) if isinstance(section, Mapping) else []

    budget = values.get("budget")
    count, allowed = 1, budget.get("cells", Budget.cells) if isinstance(budget, Mapping) else Budget.cells
    for section in (values.get("seeds"), values.get("variants"), *several(values.get("zip"))[:1], *several(values.get("grid"))):
        count *= len(section) if isinstance(section, list | Mapping) and section else 1
    if isinstance(allowed, int) and count > allowed:
        raise ValueError(f"budget.cells: {count:,} cells came, {allowed:,} are allowed. Raise budget.cells if so many are meant.")


def _axis_names(file: File) -> dict[str, str]:
    """By key. A dotted key goes by its last part, where no other axis does."""
    short = {key: key if isinstance(values, Mapping) else key.rpartition(".")[2]
             for section in (file.zip, file.grid) for key, values in section.items()}
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
        return Value(_label(value), f"no {axis}", changes)
    return Value(_label(value), str(value) if key == BASE else f"{axis} {_label(value)}", changes)


def _label(value: Any) -> str:
    """A value as text, as YAML has it."""
    return {None: "none", True: "yes", False: "no"}[value] if value is None or isinstance(value, bool) else str(value)


def dotted(where: str, changes: Any) -> dict[str, Any]:
    if not isinstance(changes, Mapping):
        raise ValueError(f"{where}: {changes!r} came. Allowed: {{dotted key: value}}, such as {{losses.pixel: null}}.")
    for key in changes:
        section = key.partition(".")[0]
        known = [entry.name for entry in fields(Config)]
        seed = key == "train.seed" or (key == "train" and isinstance(changes[key], Mapping) and "seed" in changes[key])
        if (section not in known or seed or section == "evaluation") and (key != BASE or where == "set"):
            allowed = ", ".join(section for section in known if section != "evaluation")
            raise ValueError(f"{where}.{key}: no key of a recipe that a sweep sets. Allowed: dotted keys of {allowed}; seeds and "
                             "evaluation are the sweep's own `seeds` and `evaluate`." + nearest(section, known))
    return dict(changes)


def _kept(points: list[tuple[str, dict[str, str], dict[str, Any]]], exclude: list[Any],
          labels: dict[str, list[str]]) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    for number, rule in enumerate(exclude):
        where = f"exclude[{number}]"
        if not isinstance(rule, Mapping) or not rule:
            raise ValueError(f"{where}: {rule!r} came. Allowed: {{axis: label}}, or {{axis: [label, label]}}.")
        wanted = {}
        for axis, entry in rule.items():
            if axis not in labels:
                raise ValueError(f"{where}.{axis}: no such axis. Have: {', '.join(labels)}." + nearest(str(axis), labels))
            wanted[axis] = [_label(label) for label in (entry if isinstance(entry, list) else [entry])]
            for label in wanted[axis]:
                if label not in labels[axis]:
                    raise ValueError(f"{where}.{axis}: no {label!r} on that axis. Have: {', '.join(labels[axis])}."
                                     + nearest(label, labels[axis]))
        left = [point for point in points if not all(point[1][axis] in allowed for axis, allowed in wanted.items())]
        if len(left) == len(points):
            raise ValueError(f"{where}: leaves out nothing that a rule before it has not.")
        points = left
    return points


# -- cells ----------------------------------------------------------------------------------------------------------------


def _evaluation(evaluate: dict[str, Any], base: dict[str, Any], folder: Path) -> Any:
    """The evaluation section of every cell: a protocol's, or else the recipe's own, with the keys given beside it."""
    own = {key: value for key, value in evaluate.items() if key not in OF_SWEEP}
    known = [entry.name for entry in fields(Evaluation)]
    for key in own:
        if key.partition(".")[0] not in known:
            raise ValueError(f"evaluate.{key}: no such key. Allowed: {', '.join([*OF_SWEEP, *known[1:]])}." + nearest(key, known))
    section = base.get("evaluation", {})
    if (name := evaluate.get("protocol")) is not None:
        file = folder / str(name)
        try:
            section = asdict(configuration.load_protocol(str(file) if file.is_file() else str(name)))
        except ValueError as error:
            raise ValueError(f"evaluate.protocol: {str(error).removeprefix('--protocol: ')}") from None
    return configuration.changed(section, own)


class Cells:
    """Makes tasks of a file's points. stages: by id, what those made so far start from."""

    def __init__(self, file: File, folder: Path):
        self.stages: dict[str, Task] = {}
        self._file, self._folder = file, folder
        self._common = dotted("set", file.set)
        if (corpus := file.evaluate.get("corpus")) is not None:
            try:
                content_of(str(corpus))
            except ValueError as error:
                raise ValueError(f"evaluate.corpus: {str(error).removeprefix('data.corpus: ')}") from None
        self._checked: dict[str, int | None] = {}

    def cell(self, label: str, axes: dict[str, str], changes: Mapping[str, Any], seed: int) -> Task:
        """To be trained and scored. Raises ValueError for whatever is wrong with it."""
        if label in CONTROLS or label.startswith("shuffled "):
            raise ValueError("that is what control rows are called. Give it another label.")
        config = self._config(changes, seed)
        size = _checked(config, self._checked)
        if size is None:
            raise ValueError(NO_DECODER)
        _check_evaluation(json.dumps(asdict(config.evaluation)))
        needs = _stages(config, self.stages, self._checked)
        corpus = str(self._file.evaluate.get("corpus") or config.data.corpus)
        return Task(_id(config, needs, corpus), "cell", label, axes, seed, needs, config, corpus,
                    config.evaluation.face_size or size)

    def trial(self, label: str, axes: dict[str, str], changes: Mapping[str, Any], seed: int) -> Task:
        """To be trained only; nothing is built to check it. Of the evaluation it keeps what validation reads."""
        config = self._config(changes, seed)
        read = {name: entry for name, entry in config.evaluation.metrics.items() if name in config.train.validate_metrics}
        config.evaluation = replace(config.evaluation, protocol="validation", splits=[config.train.best.split],
                                    seconds=config.evaluation.seconds[:1], metrics=read)
        needs = _stages(config, self.stages, self._checked)
        return Task(_id(config, needs, config.data.corpus), "trial", label, axes, seed, needs, config)

    def _config(self, changes: Mapping[str, Any], seed: int) -> Config:
        recipe = configuration.read_recipe(str(changes.get(BASE, self._file.base)), self._folder)
        # A section before what is in it, whichever axis has it: a variant's encoder.channels is not lost to a grid's encoder.
        sets = {key: changes[key] for key in sorted(changes, key=lambda key: key.count(".")) if key != BASE}
        recipe = configuration.changed(configuration.changed(recipe, self._common), sets | {"train.seed": seed})
        recipe["evaluation"] = _evaluation(self._file.evaluate, recipe, self._folder)
        return configuration.from_dict(recipe)


def _stages(config: Config, stages: dict[str, Task], checked: dict[str, int | None]) -> tuple[str, ...]:
    """The id of the task that trains the stage a config starts from, added to stages with those before it; or nothing."""
    stage = stage_of(config)
    if stage is None:
        return ()
    stage.train.save_every, stage.logging = config.train.save_every, config.logging
    name = Path(str(config.train.init_from)).stem
    try:
        _checked(stage, checked)
    except ValueError as error:
        raise ValueError(f"its stage {name}: {error}") from None
    needs = _stages(stage, stages, checked)
    task = Task(_id(stage, needs), "stage", name, {}, stage.train.seed, needs, stage)
    stages.setdefault(task.id, task)
    return (task.id,)


def _trained_before(cell: Task, stages: Mapping[str, Task]) -> Task:
    """A cell that is also a stage of others is trained there, and only evaluated here."""
    stage = _id(cell.config, cell.needs)
    return replace(cell, needs=(stage,), trained=stage) if stage in stages else cell


def _checked(config: Config, checked: dict[str, int | None]) -> int | None:
    """px of the faces a config draws, None if it draws none; one check serves all seeds. Raises ValueError for what is wrong."""
    key = json.dumps(asdict(replace(config, train=replace(config.train, seed=0))), sort_keys=True)
    if key not in checked:
        generator = check(config).generator
        checked[key] = None if generator.decoder is None else max(generator.image_sizes)
    return checked[key]


def controls_of(cell: Task) -> Task:
    """The control rows that a cell's rows stand beside."""
    assert cell.corpus is not None
    evaluation = asdict(cell.config.evaluation)
    return replace(cell, id=digest("controls", content_of(cell.corpus), evaluation, cell.face_size), kind="controls",
                   label="controls", axes={}, seed=0, needs=())


def _id(config: Config, needs: Sequence[str], corpus: str | None = None) -> str:
    """corpus: it is scored on; None for what is only trained, however a recipe would score it."""
    plain = asdict(config)
    for key in (*NOT_IN_ID, *(() if corpus is not None else ("evaluation",)), *configuration.ADDED_LATER):
        *parents, last = key.split(".")
        section = plain
        for parent in parents:
            section = section.get(parent, {})
        if key not in configuration.ADDED_LATER or section.get(last) == configuration.ADDED_LATER[key]:
            section.pop(last, None)
    # A stage goes by its task, a run by the weights it has now.
    initial = None if needs or config.train.init_from is None else _weights_of(Path(config.train.init_from))
    scored = None if corpus is None else content_of(corpus)
    return digest(content_of(config.data.corpus), scored, plain, list(needs), initial)


def _weights_of(path: Path) -> str:
    """Checksum of what a run, or one checkpoint of it, has learned."""
    kept = checkpoint.steps(path / "checkpoints")
    try:
        return _weights_in(kept[-1] if kept else path)
    except ValueError as error:
        raise ValueError(f"train.init_from: {error}") from None


@cache    # the cells of a sweep mostly start from the same
def _weights_in(path: Path) -> str:
    return checkpoint.of_run(path).weights_checksum


@cache    # once a process: every cell of a sweep has the same, but for other bases
def _check_evaluation(section: str) -> None:
    """Raises ValueError for a metric or a split there is not. section: JSON, which a cache can hold."""
    settings = Evaluation(**json.loads(section))
    if not settings.splits or not set(settings.splits) <= set(SPLITS):
        raise ValueError(f"evaluation.splits: {settings.splits} came. Allowed: one or more of {', '.join(SPLITS)}.")
    if not settings.metrics:
        raise ValueError("evaluation.metrics: none came, one or more is needed.")
    build_metrics(settings)


def in_one_line(error: Exception) -> str:
    """What a person is told of it."""
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in said:
        return f"out of memory; a smaller train.batch_size or model needs less ({said})"
    return said if isinstance(error, ValueError) else f"{type(error).__name__}: {said}"


def digest(*content: Any) -> str:
    text = json.dumps([configuration.RESULTS_VERSION, *content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _text_keys(value: Any) -> Any:
    """The same with every key as text: a label may look like a number."""
    if isinstance(value, Mapping):
        return {_label(key): _text_keys(entry) for key, entry in value.items()}
    return [_text_keys(entry) for entry in value] if isinstance(value, list) else value

