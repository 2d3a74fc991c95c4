"""Scores -> rows of results.jsonl, which say all that is needed to tell whether two may be compared; and back."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.trial import Score, Trial
from gan.config import RESULTS_VERSION, Evaluation, run_hash
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.data.overlap import overlap
from gan.frozen_nets import networks
from gan.run import Run
from gan.scoring.requests import Condition
from gan.scoring.systems import Drawn, System


@dataclass(frozen=True)
class Evaluated:
    """A system's scores on one split, and the faces they are of (None where the split is empty)."""

    scores: list[Score]
    trial: Trial | None


def label_of(split: str) -> str:
    """A split's name in results: that of the training split says what it measures."""
    return "seen_speech" if split == "train" else split


def make_rows(evaluated: Evaluated, system: System, run: Run | None, condition: Condition) -> list[dict[str, Any]]:
    """Results rows, one a score, all that is needed to tell whether two may be compared."""
    corpus, split = condition.corpus, condition.split
    return with_scores(
        evaluated,
        condition.settings,
        condition.seconds,
        dict(
            system=system.name,
            recipe=system.name if run is None else _recipe(system, run),
            # A system that draws from the true face competes with none that hears.
            control=not (isinstance(system, Drawn) and system.generator.reads == "waveform"),
            run=None if run is None else run.path.name,
            step=None if run is None else run.step,
            weights=None if run is None else run.weights_checksum,
            training_seed=None if run is None else run.config.train.seed,
            # The frozen nets it and its earlier stages learned from: a score by one of them would be no judgement.
            trained_against=[] if run is None else sorted(networks(run.config).union(run.inherited_networks)),
            corpus=corpus.name,
            corpus_checksum=corpus.checksum,
            split=label_of(split),
        )
        | ({"trained_on": elsewhere} if run is not None and (elsewhere := trained_elsewhere(run, corpus, split)) else {}),
    )


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


def with_scores(
    evaluated: Evaluated, settings: Evaluation, seconds: float | None, origin: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row a score: whose it is (origin), under what protocol, and what it says. seconds: None where no speech was given."""
    trial = evaluated.trial
    protocol: dict[str, Any] = dict(
        name=settings.protocol,
        runs=settings.runs,
        seconds=seconds,
        seed=settings.seed,
        face_size=None if trial is None else int(trial.generated.shape[1]),
        speakers=0 if trial is None else len(np.unique(trial.speaker)),
        num_faces=0 if trial is None else len(trial.generated),
        gallery=0 if trial is None else len(trial.gallery),
    )
    if settings.faces_per_speaker is not None:  # else absent, as in rows that are older than the key: they share a table
        protocol["faces_per_speaker"] = settings.faces_per_speaker

    def number(value: float | None) -> float | None:
        return None if value is None or math.isnan(value) else float(value)

    return [
        origin
        | dict(
            results_version=RESULTS_VERSION,
            protocol=protocol,
            metric=score.metric,
            value=number(score.value),
            interval=[number(score.interval[0]), number(score.interval[1])],
            chance=number(score.chance),
            upper=number(score.upper),
            extractor=score.extractor,
            note=score.note,
            higher_is_better=score.higher_is_better,
        )
        for score in evaluated.scores
    ]


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
