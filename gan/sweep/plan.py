"""A sweep -> its tasks, every one checked before the first starts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from evaluation.tables.layout import layout_of
from gan import checkpoint, recipes
from gan import config as configuration
from gan.build import arguments_of
from gan.config import BESIDE_RESULTS, Config, Evaluation, digest, nearest, without
from gan.data.corpora import content_of
from gan.data.corpus import SPLITS
from gan.launchers.base import Launcher
from gan.model import NO_DECODER
from gan.scoring.evaluate import build_metrics
from gan.scoring.systems import CONTROLS
from gan.sweep.axes import BASE, dotted, points
from gan.sweep.file import File, SearchSettings, check_count, check_seeds, read
from gan.training.start import check, stage_of

OF_SWEEP = ("protocol", "corpus")  # keys of `evaluate` beside those of a recipe's evaluation section


@dataclass(frozen=True)
class Task:
    """What one process does: a cell (train, then evaluate), a stage that cells start from, a search's trial (train, scored on a
    validation split only), or the control rows beside them.

    id: eight hex digits of everything that decides what it learns. needs: the ids of tasks to be done before. corpus: whose
    voices and faces it is scored on. face_size: px at which those are compared. scoring: eight hex digits of everything that
    decides how a cell, or the controls, are scored. trained: the trial, if there is one, whose training is this cell's.
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
    scoring: str | None = None

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
    values = read(path, overrides)
    try:
        return plan(values, path.stem, path.parent)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def plan(values: Any, name: str, folder: Path) -> Plan:
    """The same from a plain mapping. folder: where `base` and a protocol's file are looked for first."""
    check_count(values)
    check_seeds(values.get("seeds", [0]))
    file = configuration.typed(File, values)
    _check_launcher(file.launcher)
    layout = layout_of(file.table)
    if not file.base:
        raise ValueError("base: none came. Allowed: a recipe's file or name, such as sf2f-64.")
    if file.search != SearchSettings():
        for key in ("grid", "zip", "variants", "exclude"):
            if getattr(file, key):
                raise ValueError(f"{key}: came beside search. Allowed: one of them; search.parameters takes {{choices: [...]}}.")
        return Plan(name, file, (), folder)
    maker = Cells(file, folder)
    cells: list[Task] = []
    controls: dict[str, Task] = {}
    for label, axes, changes in points(file):
        for seed in file.seeds:
            about = f"cell {label!r}, seed {seed}" if axes else f"seed {seed}"
            try:
                task = maker.cell(label or Path(file.base).stem, axes, changes, seed)
            except Exception as error:  # a component may fail to be built in any way
                raise ValueError(f"{about}: {in_one_line(error)}") from error
            if twin := next((other for other in cells if other.id == task.id), None):
                raise ValueError(
                    f"{about} is the same as cell {twin.label!r}, seed {twin.seed}, but for what changes nothing "
                    "that is learned. Exclude one of them."
                )
            cells.append(task)
            control = controls_of(task)
            controls[control.id] = control
    if not cells:
        raise ValueError("exclude: leaves no cell.")
    layout.check_systems([*(name for cell in cells for name in (cell.label, f"shuffled {cell.label}")), *CONTROLS])
    ids = {cell.id for cell in cells}  # one that others start from is trained as a cell
    stages = [stage for stage in maker.stages.values() if stage.id not in ids]
    return Plan(name, file, (*controls.values(), *stages, *cells), folder)


def _check_launcher(section: dict[str, Any]) -> None:
    """Its keys; whether this machine has what it takes is seen when it starts."""
    arguments_of(Launcher, {"name": "local"} | section, "launcher", folder=Path())


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
            section = asdict(recipes.load_protocol(str(file) if file.is_file() else str(name)))
        except ValueError as error:
            raise ValueError(f"evaluate.protocol: {str(error).removeprefix('--protocol: ')}") from None
    return recipes.changed(section, own)


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
        without = _without_weights(json.dumps(asdict(config.evaluation)))
        needs = _stages(config, self.stages, self._checked)
        corpus, face_size = str(self._file.evaluate.get("corpus") or config.data.corpus), config.evaluation.face_size or size
        scoring = digest(content_of(corpus), asdict(config.evaluation), face_size, without)
        return Task(_id(config, needs), "cell", label, axes, seed, needs, config, corpus, face_size, scoring=scoring)

    def trial(self, label: str, axes: dict[str, str], changes: Mapping[str, Any], seed: int) -> Task:
        """To be trained only; nothing is built to check it. Of the evaluation it keeps what validation reads."""
        config = self._config(changes, seed)
        read = {name: entry for name, entry in config.evaluation.metrics.items() if name in config.train.validate_metrics}
        config.evaluation = replace(
            config.evaluation,
            protocol="validation",
            splits=[config.train.best.split],
            seconds=config.evaluation.seconds[:1],
            metrics=read,
        )
        needs = _stages(config, self.stages, self._checked)
        return Task(_id(config, needs, validated=True), "trial", label, axes, seed, needs, config)

    def _config(self, changes: Mapping[str, Any], seed: int) -> Config:
        recipe = recipes.read_recipe(str(changes.get(BASE, self._file.base)), self._folder)
        # A section before what is in it, whichever axis has it: a variant's encoder.channels is not lost to a grid's encoder.
        sets = {key: changes[key] for key in sorted(changes, key=lambda key: key.count(".")) if key != BASE}
        recipe = recipes.changed(recipes.changed(recipe, self._common), sets | {"train.seed": seed})
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
        raise ValueError(f"its stage {name}: {error}") from error
    needs = _stages(stage, stages, checked)
    task = Task(_id(stage, needs), "stage", name, {}, stage.train.seed, needs, stage)
    stages.setdefault(task.id, task)
    return (task.id,)


def _checked(config: Config, checked: dict[str, int | None]) -> int | None:
    """px of the faces a config draws, None if it draws none; one check serves all seeds. Raises ValueError for what is wrong."""
    key = json.dumps(asdict(replace(config, train=replace(config.train, seed=0))), sort_keys=True)
    if key not in checked:
        generator = check(config).generator
        checked[key] = None if generator.decoder is None else max(generator.image_sizes)
    return checked[key]


def controls_of(cell: Task) -> Task:
    """The control rows that a cell's rows stand beside."""
    return replace(
        cell, id=digest("controls", cell.scoring), kind="controls", label="controls", axes={}, seed=0, needs=(), trained=None
    )


def _id(config: Config, needs: Sequence[str], validated: bool = False) -> str:
    """validated: its validations decide, too, and so how they are scored."""
    plain = without(asdict(config), *BESIDE_RESULTS, *(() if validated else ("evaluation",)))
    # A stage goes by its task, a run by the weights it has now.
    initial = None if needs or config.train.init_from is None else _weights_of(Path(config.train.init_from))
    return digest(content_of(config.data.corpus), plain, list(needs), initial)


def _weights_of(path: Path) -> str:
    """Checksum of what a run, or one checkpoint of it, has learned."""
    kept = checkpoint.steps(path / "checkpoints")
    try:
        return _weights_in(kept[-1] if kept else path)
    except ValueError as error:
        raise ValueError(f"train.init_from: {error}") from None


@cache  # the cells of a sweep mostly start from the same
def _weights_in(path: Path) -> str:
    return checkpoint.of_run(path).weights_checksum


@cache  # once a process: every cell of a sweep has the same, but for other bases
def _without_weights(section: str) -> list[str]:
    """The metrics whose weight files nobody has added: once they are, there is more to score. section: JSON, which a cache can
    hold. Raises ValueError for a metric or a split there is not.
    """
    settings = Evaluation(**json.loads(section))
    if not settings.splits or not set(settings.splits) <= set(SPLITS):
        raise ValueError(f"evaluation.splits: {settings.splits} came. Allowed: one or more of {', '.join(SPLITS)}.")
    if not settings.metrics:
        raise ValueError("evaluation.metrics: none came, one or more is needed.")
    return [name for name, metric in build_metrics(settings).items() if isinstance(metric, str)]


def in_one_line(error: Exception) -> str:
    """What a person is told of it."""
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in said:
        return f"out of memory; a smaller train.batch_size or model needs less ({said})"
    return said if isinstance(error, ValueError) else f"{type(error).__name__}: {said}"
