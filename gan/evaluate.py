"""Faces of a system -> evaluation -> results rows. A system is a run, or one of the controls every table stands between."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.base import Metric, Score, Trial
from gan import assets
from gan.audit.verdict import verdict_of
from gan.build import build
from gan.config import RESULTS_VERSION, Evaluation, load, load_protocol, run_hash, with_overrides
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.data.dataset import rng
from gan.data.overlap import overlap
from gan.face_nets import networks
from gan.generate import Run
from gan.systems import Drawn, Noise, System, few_of_each, possible, requests, systems

ASSET = "asset:"
STREAM_SHOWN = 106
SHOWN, FEWEST, MOST = 12, 4, 8      # voices that are shown: in all, and the least and the most of a split
HEARD = {"speech": "voices trained on, in recordings that were not", "speaker": "voices that were not trained on"}

@dataclass(frozen=True)
class Evaluated:
    """A system's scores on one split, and the faces they are of (None where the split is empty)."""

    scores: list[Score]
    trial: Trial | None


class Shown:
    """Faces of an evaluation for a person to look at: of some voices of each split, from the first run at the longest clips.

    title, notes: what they are. columns: a caption a voice. pictures: rows, a caption and a uint8 (H, W, 3) face a voice: the
    true ones, then every system's but the noise. scored: how many scores the evaluation gave.
    """

    def __init__(self, corpus: Corpus, settings: Evaluation, splits: Sequence[str]):
        self._corpus, self._seed, self._seconds = corpus, settings.seed, max(settings.seconds)
        self._of_each = min(MOST, max(FEWEST, SHOWN // len(splits)))
        self._faces: dict[str, dict[tuple[str, int], np.ndarray]] = {"true face": {}}
        self._about: dict[str, None] = {}
        self.scored = 0
        self.title = f"{corpus.name}: faces from {self._seconds:g} s of speech, protocol {settings.protocol}"

    def add(self, system: System, run: Run | None, trial: Trial, split: str, seconds: float) -> None:
        """What a system drew, if it is among what is shown."""
        if seconds != self._seconds:
            return
        asked = np.flatnonzero(trial.run == 0)
        asked = asked[np.sort(rng(self._seed, STREAM_SHOWN, 0).permutation(len(asked))[:self._of_each])]
        rows = {"true face": trial.target}
        if not isinstance(system, Noise):
            rows[system.name if run is None else f"{system.name}, step {run.step}"] = trial.generated
            self._about[system.about] = None
        for caption, faces in rows.items():
            self._faces.setdefault(caption, {}).update({(split, int(trial.speaker[at])): faces[at] for at in asked})

    @property
    def columns(self) -> list[str]:
        return [f"{_label(split).replace('_', ' ')}\n{self._corpus.speakers[speaker]['speaker']}"
                for split, speaker in self._faces["true face"]]

    @property
    def pictures(self) -> list[tuple[str, list[np.ndarray | None]]]:
        return [(caption, list(faces.values())) for caption, faces in self._faces.items()]

    @property
    def notes(self) -> list[str]:
        splits = dict.fromkeys(split for split, _ in self._faces["true face"])
        heard = [f"{_label(split).replace('_', ' ')}: {HEARD.get(split.rpartition('_')[2], 'what was trained on')}"
                 for split in splits]
        return [f"Voices drawn by seed {self._seed}, one face of each, from the first run. {'; '.join(heard)}.",
                *(f"{about}." for about in self._about if about)]


def _label(split: str) -> str:
    """A split's name in results: that of the training split says what it measures."""
    return "seen_speech" if split == "train" else split


def build_metrics(settings: Evaluation) -> dict[str, Metric | str]:
    """The metrics of a protocol. One that needs a weight file nobody added is not a metric but the reason why not.

    A value `asset:NAME` stands for the path of that weight file. Raises ValueError for a key, component or asset there is not.
    """
    built: dict[str, Metric | str] = {}
    for name, section in settings.metrics.items():
        for asset in _assets_of(section):
            assets.asset(asset)         # a misspelt one is a mistake, not a file that nobody added
        try:
            resolved = _with_assets(section)
        except ValueError:              # in few words, without the paths of this machine: it becomes a row's note
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


def evaluate_system(system: System, corpus: Corpus, settings: Evaluation, split: str, seconds: float,
                    size: int | None = None, metrics: Mapping[str, Metric | str] | None = None) -> Evaluated:
    """Draw the faces of a protocol and score them with every metric of settings.metrics.

    size: px at which faces are compared; default the system's own. metrics: those, where they are built already.
    An empty split gives skipped scores, with the reason.
    """
    metrics = build_metrics(settings) if metrics is None else metrics
    asked = requests(corpus, split, seconds, settings.runs, settings.seed)
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
        generated=system.draw(asked, corpus, size, settings), speaker=asked.speaker, clip=asked.clip, run=asked.run,
        target=corpus.pixels(asked.target, size),
        gallery=corpus.pixels(gallery, size), gallery_speaker=corpus.faces["speaker"][gallery].astype(np.int64),
        training=corpus.pixels(training, size), training_speaker=corpus.faces["speaker"][training].astype(np.int64),
        split=split, face_box=corpus.face_box, seed=settings.seed, attributes=dict(enumerate(corpus.speakers)),
        again=system.again(asked, corpus, size, settings) if again else None)
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


def rows(evaluated: Evaluated, system: System, run: Run | None, corpus: Corpus, settings: Evaluation, split: str,
         seconds: float) -> list[dict[str, Any]]:
    """Results rows, one a score, all that is needed to tell whether two may be compared."""
    return with_scores(evaluated, settings, seconds, dict(
        system=system.name, recipe=system.name if run is None else _recipe(system, run),
        # A system that draws from the true face competes with none that hears.
        control=not (isinstance(system, Drawn) and system.generator.reads == "waveform"),
        run=None if run is None else run.path.name, step=None if run is None else run.step,
        weights=None if run is None else run.weights_checksum, training_seed=None if run is None else run.config.train.seed,
        # The frozen nets it and its earlier stages learned from: a score by one of them would be no judgement.
        trained_against=[] if run is None else sorted(networks(run.config).union(run.inherited_networks)),
        corpus=corpus.name, corpus_checksum=corpus.checksum, split=_label(split))
        | ({"trained_on": elsewhere} if run is not None and (elsewhere := trained_elsewhere(run, corpus, split)) else {}))


def trained_elsewhere(run: Run, corpus: Corpus, split: str) -> list[dict[str, str]]:
    """The corpora, other than the one scored on, that a run and those it started from were trained on.

    Of each its name and checksum, and what it shares with the split: `leak` and `strangers`, see gan/data/overlap.py;
    `unchecked` where it is not at hand. What is "" is left out.
    """
    found = []
    for trained in run.corpora:
        if trained["checksum"] == corpus.checksum:
            continue
        about = {"corpus": trained["name"], "checksum": trained["checksum"]}
        home = _at_hand(trained)
        if home is None:
            about["unchecked"] = f"{trained['name']} is not where it was, so what they share is not known"
        else:
            shared = overlap(home, corpus, split)
            about |= {name: said for name in ("leak", "strangers") if (said := getattr(shared, name))}
        found.append(about)
    return found


def _warnings(run: Run, corpus: Corpus, split: str) -> list[str]:
    """What a person is told of an evaluation on another corpus than the one that was trained on."""
    told = []
    for trained in trained_elsewhere(run, corpus, split):
        told.append(f"Note: {run.path} was trained on {trained['corpus']} ({trained['checksum'][:8]}), scored on {corpus.name} "
                    f"({corpus.checksum[:8]}).")
        told += [f"Note: {trained[key]}." for key in ("strangers", "unchecked") if key in trained]
        told += [f"Warning: LEAKS, going by names: {trained['leak']}."] if "leak" in trained else []
    return told


@lru_cache(maxsize=8)
def _opened(path: str) -> Corpus | None:
    try:
        return open_corpus(path)
    except ValueError:
        return None


def _at_hand(trained: Mapping[str, str]) -> Corpus | None:
    """A corpus that was trained on, if its path still leads to it."""
    found = _opened(trained["path"])
    return found if found is not None and found.checksum == trained["checksum"] else None


def with_scores(evaluated: Evaluated, settings: Evaluation, seconds: float | None,
                origin: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a score: whose it is (origin), under what protocol, and what it says. seconds: None where no speech was given."""
    trial = evaluated.trial
    protocol: dict[str, Any] = dict(
        name=settings.protocol, runs=settings.runs, seconds=seconds, seed=settings.seed,
        face_size=None if trial is None else int(trial.generated.shape[1]),
        speakers=0 if trial is None else len(np.unique(trial.speaker)),
        num_faces=0 if trial is None else len(trial.generated), gallery=0 if trial is None else len(trial.gallery))
    if settings.faces_per_speaker is not None:      # else absent, as in rows that are older than the key: they share a table
        protocol["faces_per_speaker"] = settings.faces_per_speaker

    def number(value: float | None) -> float | None:
        return None if value is None or math.isnan(value) else float(value)

    return [origin | dict(results_version=RESULTS_VERSION, protocol=protocol, metric=score.metric, value=number(score.value),
                          interval=[number(score.interval[0]), number(score.interval[1])], chance=number(score.chance),
                          upper=number(score.upper), extractor=score.extractor, note=score.note,
                          higher_is_better=score.higher_is_better)
            for score in evaluated.scores]


def _recipe(system: System, run: Run) -> str:
    """The same for runs that differ in their training seed alone: tables take the mean over them."""
    plain = replace(run.config, train=replace(run.config.train, seed=0))
    digest = run_hash(plain, run.corpus["checksum"], run.config.train.init_from)
    name = f"{run.path.name.rpartition('-')[0] or run.path.name}-{digest}"
    return name if system.name == run.path.name else f"shuffled {name}"


def append(out: Path, new_rows: list[dict[str, Any]], evaluated: Evaluated) -> None:
    """Add rows to out/results.jsonl under a lock, and every score's items to out/scores/<row id>.npz beside it."""
    (out / "scores").mkdir(parents=True, exist_ok=True)
    lines = []
    for row, score in zip(new_rows, evaluated.scores, strict=True):
        if score.items is not None and evaluated.trial is not None:
            row_id = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]
            partial = out / "scores" / f".{row_id}.{os.getpid()}.npz"
            trial = evaluated.trial
            arrays: dict[str, Any] = dict(score.details)
            arrays |= dict(speaker=trial.speaker, clip=trial.clip, run=trial.run, value=score.items)
            np.savez_compressed(partial, **arrays)
            partial.replace(out / "scores" / f"{row_id}.npz")
            row = row | {"scores": f"scores/{row_id}.npz"}
        lines.append(json.dumps(row) + "\n")
    with open(out / "results.jsonl", "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("".join(lines))
        file.flush()


def evaluate_runs(runs: Sequence[Run], controls: Sequence[str], overrides: Sequence[str], corpus_name: str | None,
                  splits: Sequence[str] | None, add_controls: bool, out: Path, protocol: str | None = None) -> Shown:
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
        print(f"Warning: {corpus.name} {'was not audited.' if verdict is None else 'is not sound: ' + verdict} "
              f"See voxface audit {corpus_name or config.data.corpus}", file=sys.stderr)
    names = list(controls)
    if add_controls:
        names += [name for name in possible(corpus, bool(runs)) if name not in names]
    sizes = [run.face_size for run in runs]     # of all, so that one without faces is named before the others are scored
    size = settings.face_size or (sizes or [max(corpus.face_sizes)])[0]
    entries: list[tuple[System, Run | None]] = []
    for run in runs:
        entries += [(system, run) for system in systems(run, ["shuffled"] if "shuffled" in names else [], corpus)]
    shared = [name for name in names if name != "shuffled" or not runs]
    entries += [(system, None) for system in systems(None, shared, corpus)]
    chosen, metrics = splits or settings.splits, build_metrics(settings)
    for split in chosen:
        corpus.in_split(corpus.clips, split)    # a misspelt one is named now, not after the hours of the one before it
    for run in runs:
        for line in dict.fromkeys(line for split in chosen for line in _warnings(run, corpus, split)):
            print(line, file=sys.stderr)
    shown = Shown(corpus, settings, chosen)
    for split in chosen:
        for seconds in settings.seconds:
            for system, of_run in entries:
                evaluated = evaluate_system(system, corpus, settings, split, seconds, size, metrics)
                append(out, rows(evaluated, system, of_run, corpus, settings, split, seconds), evaluated)
                if evaluated.trial is not None:
                    shown.add(system, of_run, evaluated.trial, split, seconds)
                shown.scored += sum(not score.skipped for score in evaluated.scores)
                print(f"{split}, {seconds:g} s, {system.name}: {said(evaluated.scores)}", flush=True)
    return shown


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a results.jsonl, their scores' paths made complete. Raises ValueError naming a line that is not a row."""
    if not path.is_file():
        raise ValueError(f"{path}: no such results file. Make one with voxface evaluate.")
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            row = json.loads(line)
            found.append(row | ({"scores": str(path.parent / row["scores"])} if "scores" in row else {}))
        except (ValueError, TypeError):
            raise ValueError(f"{path}: line {number} is not a results row.") from None
    return found


def trained_against_all(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Pairs of system names: every trained system and every row that is not itself."""
    names = dict.fromkeys(str(row.get("system")) for row in rows)
    trained = dict.fromkeys(str(row["run"]) for row in rows if row.get("run") and row.get("system") == row["run"])
    return [(a, b) for a in trained for b in names if a != b]
