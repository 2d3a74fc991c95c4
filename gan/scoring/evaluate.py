"""Faces of a system -> evaluation -> scores. A system is a run, or one of the controls every table stands between."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.metrics.base import Metric
from evaluation.trial import Score, Trial
from gan import assets
from gan.audit.verdict import verdict_of
from gan.build import build
from gan.config import Evaluation
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.features.base import check_hears
from gan.recipes import load, load_protocol, with_overrides
from gan.run import Run
from gan.scoring.preview import Shown
from gan.scoring.requests import Condition, few_of_each, make_requests
from gan.scoring.rows import Evaluated, append, make_rows, trained_elsewhere
from gan.scoring.systems import Drawn, System, make_systems, possible

ASSET = "asset:"


def build_metrics(settings: Evaluation) -> dict[str, Metric | str]:
    """The metrics of a protocol. One that needs a weight file nobody added is not a metric but the reason why not.

    A value `asset:NAME` stands for the path of that weight file. Raises ValueError for a key, component or asset there is not.
    """
    built: dict[str, Metric | str] = {}
    for name, section in settings.metrics.items():
        for asset in _assets_of(section):
            assets.asset(asset)  # a misspelt one is a mistake, not a file that nobody added
        try:
            resolved = _with_assets(section)
        except ValueError:  # in few words, without the paths of this machine: it becomes a row's note
            built[name] = f"{' and '.join(_assets_of(section))} is not there, or not whole; see voxface assets list"
            continue
        built[name] = build(Metric, resolved, f"evaluation.metrics.{name}")
    return built


def _assets_of(value: Any) -> list[str]:
    """The NAMEs of the `asset:NAME` in a section."""
    if isinstance(value, dict):
        return [name for entry in value.values() for name in _assets_of(entry)]
    return [value.removeprefix(ASSET)] if isinstance(value, str) and value.startswith(ASSET) else []


def _with_assets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_assets(entry) for key, entry in value.items()}
    return str(assets.find(value.removeprefix(ASSET))) if isinstance(value, str) and value.startswith(ASSET) else value


def evaluate_system(
    system: System, condition: Condition, size: int | None = None, metrics: Mapping[str, Metric | str] | None = None
) -> Evaluated:
    """Draw the faces of a protocol and score them with every metric of its settings.

    size: px at which faces are compared; default the system's own. metrics: those, where they are built already.
    An empty split gives skipped scores, with the reason.
    """
    corpus, settings, split, seconds = condition
    metrics = build_metrics(settings) if metrics is None else metrics
    asked = make_requests(corpus, split, seconds, settings.runs, settings.seed)
    if not len(asked.speaker):
        reason = f"skipped: {corpus.name} has no speaker with clips and faces in {split}"
        return Evaluated([Score(name, math.nan, note=reason) for name in metrics], None)
    if size is None:
        size = settings.face_size
    if size is None:
        size = max(system.generator.image_sizes) if isinstance(system, Drawn) else max(corpus.face_sizes)
    gallery, training = corpus.in_split(corpus.faces, split), corpus.in_split(corpus.faces, "train")
    gallery = gallery[few_of_each(corpus.faces["speaker"][gallery], settings.faces_per_speaker, settings.seed)]
    again = any(isinstance(metric, Metric) and metric.needs_again for metric in metrics.values())
    trial = Trial(
        generated=system.draw(asked, corpus, size, settings),
        speaker=asked.speaker,
        clip=asked.clip,
        run=asked.run,
        target=corpus.pixels(asked.target, size),
        gallery=corpus.pixels(gallery, size),
        gallery_speaker=corpus.faces["speaker"][gallery].astype(np.int64),
        training=corpus.pixels(training, size),
        training_speaker=corpus.faces["speaker"][training].astype(np.int64),
        split=split,
        face_box=corpus.face_box,
        seed=settings.seed,
        attributes=dict(enumerate(corpus.speakers)),
        again=system.again(asked, corpus, size, settings) if again else None,
    )
    return Evaluated(score(metrics, trial), trial)


def score(metrics: Mapping[str, Metric | str], trial: Trial) -> list[Score]:
    """What every metric says of a trial, in their order."""
    scores: list[Score] = []
    for name, metric in metrics.items():
        scores += metric(trial) if isinstance(metric, Metric) else [Score(name, math.nan, note=f"skipped: {metric}")]
    return scores


def said(scores: Sequence[Score]) -> str:
    """The scores in a line; where all were skipped, why."""
    made = [f"{score.metric} {score.value:.4g}" for score in scores if not score.skipped]
    return ", ".join(made) or "; ".join(dict.fromkeys(score.note for score in scores)) or "no metric is asked for"


def _warnings(run: Run, corpus: Corpus, split: str) -> list[str]:
    """What a person is told of an evaluation on another corpus than the one that was trained on."""
    told = []
    for trained in trained_elsewhere(run, corpus, split):
        told.append(
            f"Note: {run.path} was trained on {trained['corpus']} ({trained['checksum'][:8]}), scored on {corpus.name} "
            f"({corpus.checksum[:8]})."
        )
        told += [f"Note: {trained[key]}." for key in ("strangers", "unchecked") if key in trained]
        told += [f"Warning: LEAKS, going by names: {trained['leak']}."] if "leak" in trained else []
    return told


def evaluate_all(
    systems: Sequence[tuple[System, Run | None]],
    corpus: Corpus,
    settings: Evaluation,
    splits: Sequence[str],
    out: Path,
    size: int | None = None,
    metrics: Mapping[str, Metric | str] | None = None,
) -> Iterator[tuple[System, Run | None, Condition, Evaluated]]:
    """Every system, beside the run it is of, on every split at every length of the protocol. The rows are appended to
    out/results.jsonl as they come.
    """
    metrics = build_metrics(settings) if metrics is None else metrics
    for split in splits:
        for seconds in settings.seconds:
            condition = Condition(corpus, settings, split, seconds)
            for system, run in systems:
                evaluated = evaluate_system(system, condition, size, metrics)
                append(out, make_rows(evaluated, system, run, condition), evaluated)
                yield system, run, condition, evaluated


def evaluate_runs(
    runs: Sequence[Run],
    *,
    controls: Sequence[str] = (),
    overrides: Sequence[str] = (),
    corpus_name: str | None = None,
    splits: Sequence[str] | None = None,
    add_controls: bool = True,
    out: Path = Path(),
    protocol: str | None = None,
) -> Shown:
    """Score runs and controls under one protocol, the first run's, and append the rows to out/results.jsonl as they come.

    Returns some of the faces.

    corpus_name: default the runs' own. splits: default evaluation.splits. add_controls: every control the corpus can have,
    beside those named. protocol: instead of the first run's own. Raises ValueError for a system, split or key that does not
    exist.
    """
    config = runs[0].config if runs else load("base.yaml")
    if protocol is not None:
        config = replace(config, evaluation=load_protocol(protocol))
    config = with_overrides(config, overrides)
    settings = config.evaluation
    corpus = open_corpus(corpus_name or config.data.corpus)
    verdict = verdict_of(corpus)
    if (verdict is None and "toy" not in corpus.info["extra"]) or (verdict or "").startswith("LEAKS"):
        print(
            f"Warning: {corpus.name} {'was not audited.' if verdict is None else 'is not sound: ' + verdict} "
            f"See voxface audit {corpus_name or config.data.corpus}",
            file=sys.stderr,
        )
    names = list(controls)
    if add_controls:
        names += [name for name in possible(corpus, bool(runs)) if name not in names]
    sizes = [run.face_size for run in runs]  # of all, so that one without faces is named before the others are scored
    size = settings.face_size or (sizes or [max(corpus.face_sizes)])[0]
    entries: list[tuple[System, Run | None]] = []
    for run in runs:
        entries += [(system, run) for system in make_systems(run, ["shuffled"] if "shuffled" in names else [], corpus)]
    shared = [name for name in names if name != "shuffled" or not runs]
    entries += [(system, None) for system in make_systems(None, shared, corpus)]
    chosen, metrics = splits or settings.splits, build_metrics(settings)
    for split in chosen:
        corpus.in_split(corpus.clips, split)  # a misspelt one is named now, not after the hours of the one before it
    for run in runs:
        check_hears(run.generator.features, corpus)
        for line in dict.fromkeys(line for split in chosen for line in _warnings(run, corpus, split)):
            print(line, file=sys.stderr)
    shown = Shown(corpus, settings, chosen)
    for system, of_run, condition, evaluated in evaluate_all(entries, corpus, settings, chosen, out, size, metrics):
        shown.add(system, of_run, condition, evaluated)
        print(f"{condition.split}, {condition.seconds:g} s, {system.name}: {said(evaluated.scores)}", flush=True)
    return shown
