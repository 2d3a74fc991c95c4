"""`search:` in a sweep's YAML: Optuna proposes cells, which are trained and compared on a validation split. Only the best one is
scored on the test splits.

    base: sf2f-64-small
    set: {train.validate_every: 100}
    search:
      metric: l1                            one of train.validate_metrics
      split: val_speech
      trials: 20
      parameters:
        optimizer.generator.learning_rate: {low: 1e-5, high: 1e-3, log: true}
        encoder.embedding_dim: {choices: [64, 128]}
        train.batch_size: {low: 4, high: 16, step: 4}
      prune: {warmup_steps: 500}

The study is one file in the sweep's folder. What a trial has come to is read from its task's folder and only then told to the
study, so that either may be ahead of the other when a process is killed.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan.config import MODES, VALIDATION_SPLITS, Config, at_least, digest, nearest, one_of
from gan.files import write_atomically
from gan.lease import locked
from gan.sweep.file import SearchSettings
from gan.sweep.folder import DONE, FAILED, PRUNED, RUNNING, WAITING, Place, place
from gan.sweep.plan import Cells, Plan, Task, controls_of, in_one_line
from gan.sweep.space import parameters

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

RETRIED = "retried"  # attribute of a trial: the number of the failed one it repeats
REASON = "reason"  # attribute of a trial: why it could not even be started


class Fruitless(ValueError):
    """No trial has come to a value."""

    exit_code = 1


def open_search(plan: Plan, folder: Path) -> Search | None:
    """The search of a sweep, if it is one. Raises ValueError, one line, for whatever is wrong with it."""
    if plan.file.search == SearchSettings():
        return None
    try:
        return Search(plan, folder)
    except ValueError as error:
        raise ValueError(f"{plan.name}: {error}") from error


def grown(plan: Plan, folder: Path) -> Plan:
    """A plan with the trials asked so far, if it is a search's."""
    search = open_search(plan, folder)
    return plan if search is None else search.known()


# -- the study ----------------------------------------------------------------------------------------------------------


class Search:
    """A sweep's study. Whoever changes it waits for other processes on the folder; reading is free."""

    def __init__(self, plan: Plan, folder: Path):
        self._plan, self._folder, self.settings = plan, folder, plan.file.search
        self._journal = folder / "search.jsonl"
        self._check_settings()
        self.parameters = parameters(self.settings.parameters)
        try:
            import optuna
        except ImportError:
            raise ValueError('search: needs Optuna, which is not installed. Run pip install "voxface[search]".') from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        smallest = self.settings.mode == "min"
        self._sign = 1 if smallest else -1
        self._direction = optuna.study.StudyDirection.MINIMIZE if smallest else optuna.study.StudyDirection.MAXIMIZE
        self._states = optuna.trial.TrialState
        self._cells, self._seed = Cells(plan.file, plan.beside), plan.file.seeds[0]
        self._common = {f"train.best.{key}": getattr(self.settings, key) for key in ("metric", "split", "mode")}
        self._base = self._checked_base()
        space = {key: value for key, value in asdict(self.settings).items() if key not in ("trials", "prune")}
        self._name = digest("search", space, self._base.id)  # another space or recipe is another study
        self._opened: optuna.Study | None = None
        self._tasks: dict[int, Task] = {}
        self._cell_of: dict[int, Task] = {}
        self._seen: dict[int, int] = {}

    # -- what is there ----------------------------------------------------------------------------------------------------

    def known(self) -> Plan:
        """The plan so far: the trials asked, and what they start from; once all have ended, the best one as the cell, with its
        controls.
        """
        found = self._found()
        tasks: dict[str, Task] = {}
        for trial in found:
            if REASON not in trial.user_attrs:
                task = self._task(trial)
                tasks.setdefault(task.id, task)  # of two with the same values, the first
        cells = [self._cell(best)] if self._is_over(found) and (best := self._best(found)) is not None else []
        controls = [controls_of(cell) for cell in cells]
        return replace(self._plan, tasks=(*controls, *self._stages(tasks.values()), *tasks.values(), *cells))

    def expected(self) -> Plan:
        """The same with what is still to come, for estimates: trials as if they were the recipe itself, and the cell."""
        known = self.known()
        if known.cells:
            return known
        later = [
            replace(self._base, id=f"later-{number}", label=f"trial {number}")
            for number in range(self._count(self._found()), self.settings.trials)
        ]
        cell = self._cells.cell("the best trial", {}, self._common, self._seed)
        tasks = (*known.tasks, *later, replace(cell, trained=self._base.id))
        stages = [stage for stage in self._stages([self._base]) if stage not in known.tasks]
        return replace(known, tasks=(controls_of(cell), *stages, *tasks))

    def overview(self) -> str:
        """What is tried, for a person."""
        own, width = self.settings, max(len(parameter.key) for parameter in self.parameters)
        steps = own.prune.warmup_steps
        how = (
            "none is stopped early"
            if steps is None
            else f"after step {steps:,} what is worse than the median is stopped, once {own.prune.startup_trials} are done"
        )
        goal = "smallest" if own.mode == "min" else "largest"
        lines = [
            f"Search: {own.trials} trials for the {goal} {own.metric} on {own.split}; {how}. Only the best is scored on "
            "the test splits."
        ]
        return "\n".join([*lines, *(f"  {parameter.key:{width}}  {parameter}" for parameter in self.parameters)]) + "\n"

    # -- going on ---------------------------------------------------------------------------------------------------------

    def step(self, free: int) -> Plan:
        """Tell the study what has come out, give up what falls behind, ask for as many trials as are free. Returns known()."""
        with self._turn() as study:
            for trial in study.get_trials(deepcopy=False, states=(self._states.RUNNING,)):
                self._follow(study, trial)
            while free > 0 and self._count(self._found()) < self.settings.trials:
                free -= self._ask(study)
        return self.known()

    def retry(self) -> None:
        """Ask once more for the values of those that failed."""
        with self._turn() as study:
            found = study.get_trials(deepcopy=False)
            again = {trial.user_attrs.get(RETRIED) for trial in found}
            for trial in found:
                if trial.state == self._states.FAIL and trial.number not in again:
                    self._add(study, trial, {RETRIED: trial.number})

    def close(self) -> None:
        """Write trials.csv and search.png. Raises Fruitless if all trials have ended, and none with a value."""
        found = self._found()
        if not found:
            return
        write_atomically(self._folder / "trials.csv", self._table(found).encode())
        self._draw(found)
        if self._is_over(found) and self._best(found) is None:
            raise Fruitless(f"search: none of {len(found)} trials has a value. See {self._folder / 'trials.csv'}.")

    def _ask(self, study: optuna.Study) -> bool:
        """Choose a new trial's values. Returns whether it is to be trained: it can be built, and was not tried before."""
        found = study.get_trials(deepcopy=False)
        # Of its number alone: a study that is taken up again does not repeat what it drew first.
        seed = int(np.random.SeedSequence([self.settings.seed, len(found)]).generate_state(1)[0])
        # In memory first: killed in the middle, there is no trial with half its values.
        draft = self._optuna.create_study(sampler=self._optuna.samplers.TPESampler(seed=seed), direction=self._direction)
        draft.add_trials(found)
        trial = draft.ask()
        for parameter in self.parameters:
            parameter.ask(trial)
        number = self._add(study, draft.trials[-1], {})
        if (asked := study.get_trials(deepcopy=False)[number]).state == self._states.RUNNING:
            self._follow(study, asked)
        return study.get_trials(deepcopy=False)[number].state == self._states.RUNNING

    def _add(self, study: optuna.Study, like: FrozenTrial, about: dict[str, Any]) -> int:
        """A new trial with the values of another, in one write. Returns its number."""
        state = self._states.RUNNING
        try:
            label, axes, changes = self._point(like)
            self._cells.cell(label, axes, changes, self._seed)
        except Exception as error:  # a component may fail to be built in any way
            state, about = self._states.FAIL, about | {REASON: in_one_line(error)}
        study.add_trial(
            self._optuna.trial.create_trial(state=state, params=like.params, distributions=like.distributions, user_attrs=about)
        )
        return len(study.get_trials(deepcopy=False)) - 1

    def _follow(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Report a trial's validations, and tell how it has ended, if it has."""
        task, handle = self._task(trial), self._handle(study, trial)
        here = place(self._folder, task)
        state = here.state()  # before its values: of what is done all are there
        validations = self._validations(trial.number, here)
        for step, value in validations:
            if step not in trial.intermediate_values:
                handle.report(value, step)
        if state in (RUNNING, WAITING) and validations and handle.should_prune():
            here.prune(validations[-1][0])
            state = PRUNED
        if state == DONE:
            value = here.best().get("value", math.nan)
            study.tell(trial.number, value)
        elif state == PRUNED:
            study.tell(trial.number, state=self._states.PRUNED)
        elif state == FAILED or any(place(self._folder, stage).state() == FAILED for stage in self._stages([task])):
            study.tell(trial.number, state=self._states.FAIL)

    def _validations(self, number: int, here: Place) -> list[tuple[int, float]]:
        """Steps and values of its training's log, if that has grown."""
        file, key = here.run / "metrics.jsonl", f"metric/{self.settings.metric}"
        if not file.exists() or self._seen.get(number) == (size := file.stat().st_size):
            return []
        self._seen[number] = size
        found = []
        for line in file.read_text(encoding="utf-8").splitlines():
            if f'"{key}"' in line:
                with suppress(ValueError):  # being written now
                    entry = json.loads(line)
                    found.append((int(entry["step"]), float(entry[key])))
        return found

    # -- the study --------------------------------------------------------------------------------------------------------

    @contextmanager
    def _turn(self) -> Iterator[optuna.Study]:
        """The study, while no other process changes it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._journal):
            _mend(self._journal)
            study = self._study()
            if study is None:
                study = self._opened = self._optuna.create_study(
                    study_name=self._name, storage=self._storage(), pruner=self._pruner(), direction=self._direction
                )
            yield study

    def _study(self) -> optuna.Study | None:
        if self._opened is None and self._journal.exists():
            with suppress(KeyError):  # the file may hold another study, of a space that was changed
                self._opened = self._optuna.load_study(study_name=self._name, storage=self._storage(), pruner=self._pruner())
        return self._opened

    def _storage(self) -> optuna.storages.JournalStorage:
        from optuna.storages.journal import JournalFileBackend

        return self._optuna.storages.JournalStorage(JournalFileBackend(str(self._journal), lock_obj=_NoLock()))  # type: ignore[arg-type]

    def _pruner(self) -> optuna.pruners.BasePruner:
        own = self.settings.prune
        if own.warmup_steps is None:
            return self._optuna.pruners.NopPruner()
        return self._optuna.pruners.MedianPruner(own.startup_trials, own.warmup_steps)

    def _handle(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Trial:
        """What a trial of the storage is written through, whichever process has asked for it."""
        return self._optuna.Trial(study, trial._trial_id)

    def _found(self) -> list[FrozenTrial]:
        study = self._study()
        return [] if study is None else study.get_trials(deepcopy=False)

    def _count(self, found: list[FrozenTrial]) -> int:
        """Trials asked for, those asked for again counted once."""
        return sum(RETRIED not in trial.user_attrs for trial in found)

    def _is_over(self, found: list[FrozenTrial]) -> bool:
        return self._count(found) >= self.settings.trials and all(trial.state.is_finished() for trial in found)

    def _best(self, found: list[FrozenTrial]) -> FrozenTrial | None:
        complete = [trial for trial in found if trial.state == self._states.COMPLETE]
        return min(complete, key=lambda trial: self._sign * float(trial.values[0]), default=None)

    # -- its tasks --------------------------------------------------------------------------------------------------------

    def _point(self, trial: FrozenTrial) -> tuple[str, dict[str, str], dict[str, Any]]:
        """Label, axes and changes of a trial."""
        values = [parameter.value(trial.params[parameter.key]) for parameter in self.parameters]
        changes = {key: entry for value in values for key, entry in value.changes.items()}
        axes = {parameter.axis: value.label for parameter, value in zip(self.parameters, values, strict=True)}
        return ", ".join(value.said for value in values), axes, changes | self._common

    def _task(self, trial: FrozenTrial) -> Task:
        if trial.number not in self._tasks:
            label, axes, changes = self._point(trial)
            axes = {"trial": str(trial.number)} | axes
            self._tasks[trial.number] = self._cells.trial(f"trial {trial.number}: {label}", axes, changes, self._seed)
        return self._tasks[trial.number]

    def _cell(self, trial: FrozenTrial) -> Task:
        """A trial as the sweep's cell, which is only scored."""
        if trial.number not in self._cell_of:
            cell, trained = self._cells.cell(*self._point(trial), self._seed), self._task(trial).id
            self._cell_of[trial.number] = replace(cell, needs=(trained,), trained=trained)
        return self._cell_of[trial.number]

    def _stages(self, tasks: Iterable[Task]) -> list[Task]:
        """What tasks start from, the first first."""
        found: dict[str, Task] = {}
        for task in tasks:
            stages = [self._cells.stages[need] for need in task.needs]
            found |= {stage.id: stage for stage in (*self._stages(stages), *stages)}
        return list(found.values())

    # -- checks -----------------------------------------------------------------------------------------------------------

    def _check_settings(self) -> None:
        own, file = self.settings, self._plan.file
        if not own.metric:
            raise ValueError("search.metric: none came. Allowed: a score that train.validate_metrics give, such as l1.")
        one_of("search.split", own.split, VALIDATION_SPLITS)
        one_of("search.mode", own.mode, MODES)
        at_least(1, "search", trials=own.trials)
        at_least(0, "search", seed=own.seed)
        at_least(0, "search.prune", warmup_steps=own.prune.warmup_steps)
        at_least(1, "search.prune", startup_trials=own.prune.startup_trials)
        if own.trials > file.budget.cells:
            raise ValueError(
                f"budget.cells: {own.trials:,} trials came, {file.budget.cells:,} are allowed. Raise budget.cells "
                "if so many are meant."
            )
        if len(file.seeds) != 1:
            raise ValueError(f"seeds: {file.seeds} came beside search. Allowed: one, that of every trial's training.")

    def _checked_base(self) -> Task:
        """The recipe itself as a trial, after a check of it and of each parameter's ends."""
        base = self._cells.trial("the recipe", {}, self._common, self._seed)
        train, own = base.config.train, self.settings
        if train.validate_every is None:
            raise ValueError("train.validate_every: none came. A search compares trials by it; give it in `set`.")
        if train.validate_every > train.steps:
            raise ValueError(
                f"train.validate_every: {train.validate_every} came with train.steps {train.steps}: a trial would "
                "have no value. Allowed: at most train.steps."
            )
        if re.split("[@/]", own.metric)[0] not in train.validate_metrics:
            raise ValueError(
                f"search.metric: {own.metric} is no score of train.validate_metrics. Have: "
                f"{', '.join(train.validate_metrics)}." + nearest(own.metric, train.validate_metrics)
            )
        self._cells.cell(base.label, {}, self._common, self._seed)
        for parameter in self.parameters:
            for value in parameter.ends():
                changes = value.changes | self._common
                try:
                    self._cells.cell(value.said, {}, changes, self._seed)
                    self._check_comparable(base.config, self._cells.trial(value.said, {}, changes, self._seed).config)
                except Exception as error:  # a component may fail to be built in any way
                    raise ValueError(f"search.parameters.{parameter.key}: {value.label}: {in_one_line(error)}") from error
        return base

    def _check_comparable(self, base: Config, trial: Config) -> None:
        for key in ("data.corpus", "train.validate_every", "train.validate_metrics", "evaluation"):
            if attrgetter(key)(base) != attrgetter(key)(trial):
                raise ValueError(f"changes {key}, which trials must have in common to be compared. Give it in `set`, `evaluate`.")

    # -- for a person -----------------------------------------------------------------------------------------------------

    def _table(self, found: list[FrozenTrial]) -> str:
        """A line a trial, as CSV. value: of one that was stopped, the best until then."""
        again = {trial.user_attrs.get(RETRIED) for trial in found}
        text = io.StringIO()
        write = csv.writer(text, lineterminator="\n").writerow
        keys = [parameter.key for parameter in self.parameters]
        write(["trial", "state", self.settings.metric, "step", *keys, "folder", "why"])
        for trial in found:
            if trial.number in again:
                continue
            step, value = self._reached(trial)
            here = place(self._folder, self._task(trial)) if REASON not in trial.user_attrs else None
            states = {self._states.COMPLETE: DONE, self._states.PRUNED: PRUNED, self._states.FAIL: FAILED}
            state = states.get(trial.state) or (here.state() if here is not None else "")
            write(
                [
                    trial.number,
                    state,
                    value,
                    step,
                    *(trial.params[key] for key in keys),
                    here.path.relative_to(self._folder) if here is not None else "",
                    trial.user_attrs.get(REASON) or (here.reason() if here is not None else ""),
                ]
            )
        return text.getvalue()

    def _reached(self, trial: FrozenTrial) -> tuple[int | str, float | str]:
        """Step and value of its best validation, empty before one."""
        return min(trial.intermediate_values.items(), key=lambda entry: self._sign * entry[1], default=("", ""))

    def _draw(self, found: list[FrozenTrial]) -> None:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.add_subplot(xlabel="trial", ylabel=f"{self.settings.metric} on {self.settings.split}")
        for state, marker, name in ((self._states.COMPLETE, "o", "done"), (self._states.PRUNED, "x", "stopped")):
            those = [trial for trial in found if trial.state == state and trial.intermediate_values]
            if those:
                axes.plot([trial.number for trial in those], [self._reached(trial)[1] for trial in those], marker, label=name)
        done = [trial for trial in found if trial.state == self._states.COMPLETE]
        if done:
            values = [self._sign * float(trial.values[0]) for trial in done]
            axes.step(
                [trial.number for trial in done], self._sign * np.minimum.accumulate(values), where="post", label="best so far"
            )
            axes.legend()
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        partial = self._folder / f".search.{os.getpid()}.png"
        figure.savefig(partial, dpi=150)
        partial.replace(self._folder / "search.png")


class _NoLock:
    """In place of the journal's own: it would outlive a killed process by half a minute, and a turn is locked as a whole."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _mend(journal: Path) -> None:
    """Take off a last line that was cut short, by a full disk say: the next one would be written behind it."""
    if not journal.exists():
        return
    with open(journal, "rb+") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
