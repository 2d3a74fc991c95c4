"""Faces of a system -> evaluation -> results rows. A system is a run, or one of the controls every table stands between."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from evaluation.base import Metric, Score, Trial
from gan.build import build
from gan.config import RESULTS_VERSION, Evaluation, load, with_overrides
from gan.data.corpora import open_corpus
from gan.data.corpus import SAMPLE_RATE_HZ, Corpus, resize
from gan.data.dataset import INT16_SCALE, BySpeaker, rng
from gan.data.toy.faces import draw_picture, render_face
from gan.data.toy.speakers import Speaker, given_audible
from gan.face_nets import networks
from gan.generate import Run
from gan.model import Generator

STREAM_CROPS, STREAM_SHUFFLE, STREAM_ORACLE = range(100, 103)


@dataclass(frozen=True)
class Requests:
    """What a system is asked to draw: one face for each, of speech by `speaker`.

    speaker, clip, run: (N,) int64. waveforms: N float32 (S,) crops in [-1, 1]. target: (N,) the corpus face that is right.
    """

    speaker: np.ndarray
    clip: np.ndarray
    run: np.ndarray
    waveforms: list[np.ndarray]
    target: np.ndarray


class System(ABC):
    """Something that draws faces. name: as it stands in tables."""

    name: str

    @abstractmethod
    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        """uint8 (N, size, size, 3), one face a request."""


class Drawn(System):
    """A trained generator, given the right speech."""

    name = "model"

    def __init__(self, generator: Generator, name: str = "model"):
        self.generator, self.name = generator, name

    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        face_to_face = self.generator.reads == "face"      # such a system gets the true face: the bound of its decoder
        items = list(corpus.pixels(requests.target, max(corpus.face_sizes))) if face_to_face else requests.waveforms
        batches = range(0, len(items), settings.batch_size)
        faces = np.concatenate([
            self.generator.draw(items[start:start + settings.batch_size], settings.seed + start)
            for start in tqdm(batches, desc=f"draw {self.name}", unit="batch", disable=None, leave=False)])
        return np.stack([resize(face, size) for face in faces])


class Shuffled(Drawn):
    """The same faces, each handed to another speaker: what the model scores when it cannot know who spoke."""

    def __init__(self, generator: Generator, name: str = "model"):
        super().__init__(generator, f"shuffled {name}")

    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        faces = super().draw(requests, corpus, size, settings)
        shuffled = faces.copy()
        for run in np.unique(requests.run):
            here = np.flatnonzero(requests.run == run)      # every speaker once
            if len(here) > 1:
                random = rng(settings.seed, STREAM_SHUFFLE, int(run))
                order = here[random.permutation(len(here))]
                shuffled[order] = faces[np.roll(order, 1)]
        return shuffled


class Prior(System):
    """The mean training face, whoever speaks."""

    name = "prior"

    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        faces = corpus.in_split(corpus.faces, "train")
        total = np.zeros((size, size, 3))
        for start in range(0, len(faces), 1024):
            total += corpus.pixels(faces[start:start + 1024], size).sum(axis=0, dtype=np.float64)
        mean = np.rint(total / max(len(faces), 1)).astype(np.uint8)
        return np.broadcast_to(mean, (len(requests.speaker), *mean.shape)).copy()


class OracleIdentity(System):
    """Toy world: a fresh picture from all true attributes. Nothing that knows the speaker can do better."""

    name = "oracle-identity"

    def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
        return np.stack([self._picture(Speaker.from_row(corpus.speakers[speaker]), number, size, corpus, settings)
                         for number, speaker in enumerate(tqdm(requests.speaker, desc=f"draw {self.name}", unit="face",
                                                               disable=None, leave=False))])

    def _picture(self, speaker: Speaker, number: int, size: int, corpus: Corpus, settings: Evaluation) -> np.ndarray:
        random = rng(settings.seed, STREAM_ORACLE, number)
        picture = draw_picture(random, corpus.info["extra"]["toy"]["background"])
        return resize(render_face(self._seen(speaker, random), picture, 128), size)

    def _seen(self, speaker: Speaker, random: np.random.Generator) -> Speaker:
        return speaker


class OracleVoice(OracleIdentity):
    """Toy world: true audible attributes, the inaudible ones drawn as they are distributed. Nobody can hear more."""

    name = "oracle-voice"

    def _seen(self, speaker: Speaker, random: np.random.Generator) -> Speaker:
        return given_audible(speaker, random)


CONTROLS = ("prior", "shuffled", "oracle-voice", "oracle-identity")


def systems(run: Run | None, names: Sequence[str], corpus: Corpus) -> list[System]:
    """The run itself and the named controls. Raises ValueError for one this corpus or call cannot have."""
    found: list[System] = [Drawn(run.generator, run.path.name)] if run is not None else []
    for name in names:
        if name.startswith("oracle") and "toy" not in corpus.info["extra"]:
            raise ValueError(f"{name}: only the toy world knows true attributes; {corpus.name} is none.")
        if name == "prior":
            found.append(Prior())
        elif name == "oracle-identity":
            found.append(OracleIdentity())
        elif name == "oracle-voice":
            found.append(OracleVoice())
        elif name == "shuffled":
            if run is None:
                raise ValueError("shuffled: name a run too; it is that run's faces handed to other speakers.")
            found.append(Shuffled(run.generator, run.path.name))
        else:
            raise ValueError(f"{name}: no such system. Have: a run's folder, {', '.join(CONTROLS)}.")
    return found



def requests(corpus: Corpus, split: str, seconds: float, runs: int, seed: int) -> Requests:
    """In each run one random crop of one random clip of every speaker who has clips and faces in the split.

    The right face is the one aligned with the clip where there is one, else one of the speaker's in the split.
    Protocol: SF2F, ten runs of random crops of chosen length.
    """
    clips, faces = corpus.in_split(corpus.clips, split), corpus.in_split(corpus.faces, split)
    by_clip = BySpeaker(corpus.clips["speaker"][clips], clips)
    by_face = BySpeaker(corpus.faces["speaker"][faces], faces)
    speakers = np.intersect1d(by_clip.speakers, by_face.speakers)
    count = round(seconds * SAMPLE_RATE_HZ)
    chosen, targets, waveforms = [], [], []
    for run in range(runs):
        random = rng(seed, STREAM_CROPS, run)
        drawn = by_clip.draw(np.searchsorted(by_clip.speakers, speakers), random.random(len(speakers)))
        spare = np.maximum(corpus.clips["length"][drawn].astype(np.int64) - count, 0)
        starts = (random.random(len(speakers)) * (spare + 1)).astype(np.int64)
        aligned = corpus.clips["face"][drawn]
        any_face = by_face.draw(np.searchsorted(by_face.speakers, speakers), random.random(len(speakers)))
        chosen.append(drawn)
        targets.append(np.where(aligned >= 0, aligned, any_face))
        waveforms += [corpus.waveform(clip)[start:start + count] * INT16_SCALE
                      for clip, start in zip(drawn, starts, strict=True)]
    return Requests(np.tile(speakers, runs), np.concatenate(chosen), np.repeat(np.arange(runs), len(speakers)),
                    waveforms, np.concatenate(targets))


@dataclass(frozen=True)
class Evaluated:
    """A system's scores on one split, and the faces they are of (None where the split is empty)."""

    scores: list[Score]
    trial: Trial | None


def evaluate_system(system: System, corpus: Corpus, settings: Evaluation, split: str, seconds: float,
                    size: int | None = None) -> Evaluated:
    """Draw the faces of a protocol and score them with every metric of settings.metrics.

    size: px at which faces are compared; default the system's own. An empty split gives skipped scores, with the reason.
    """
    metrics = {name: build(Metric, section, f"evaluation.metrics.{name}") for name, section in settings.metrics.items()}
    asked = requests(corpus, split, seconds, settings.runs, settings.seed)
    if not len(asked.speaker):
        reason = f"skipped: {corpus.name} has no speaker with clips and faces in {split}"
        return Evaluated([Score(name, math.nan, note=reason) for name in metrics], None)
    if size is None:
        size = settings.face_size
    if size is None:
        size = max(system.generator.image_sizes) if isinstance(system, Drawn) else max(corpus.face_sizes)
    gallery, training = corpus.in_split(corpus.faces, split), corpus.in_split(corpus.faces, "train")
    trial = Trial(
        generated=system.draw(asked, corpus, size, settings), speaker=asked.speaker, clip=asked.clip, run=asked.run,
        target=corpus.pixels(asked.target, size),
        gallery=corpus.pixels(gallery, size), gallery_speaker=corpus.faces["speaker"][gallery].astype(np.int64),
        training=corpus.pixels(training, size), training_speaker=corpus.faces["speaker"][training].astype(np.int64),
        split=split, face_box=corpus.face_box, seed=settings.seed)
    return Evaluated([score for metric in metrics.values() for score in metric(trial)], trial)


def rows(evaluated: Evaluated, system: System, run: Run | None, corpus: Corpus, settings: Evaluation, split: str,
         seconds: float) -> list[dict[str, Any]]:
    """Results rows, one a score, all that is needed to tell whether two may be compared."""
    trial = evaluated.trial
    origin = dict(system=system.name, run=None if run is None else run.path.name, step=None if run is None else run.step,
                  weights=None if run is None else run.weights_checksum,
                  training_seed=None if run is None else run.config.train.seed,
                  # The frozen nets it and its earlier stages learned from: a score by one of them would be no judgement.
                  trained_against=[] if run is None else sorted(networks(run.config).union(run.inherited_networks)),
                  corpus=corpus.name, corpus_checksum=corpus.checksum, split="seen_speech" if split == "train" else split,
                  results_version=RESULTS_VERSION,
                  protocol=dict(runs=settings.runs, seconds=seconds, seed=settings.seed,
                                face_size=None if trial is None else int(trial.generated.shape[1]),
                                speakers=0 if trial is None else len(np.unique(trial.speaker)),
                                num_faces=0 if trial is None else len(trial.generated),
                                gallery=0 if trial is None else len(trial.gallery)))

    def number(value: float | None) -> float | None:
        return None if value is None or math.isnan(value) else float(value)

    return [origin | dict(metric=score.metric, value=number(score.value),
                          interval=[number(score.interval[0]), number(score.interval[1])], chance=number(score.chance),
                          upper=number(score.upper), extractor=score.extractor, note=score.note,
                          higher_is_better=score.higher_is_better)
            for score in evaluated.scores]


def append(out: Path, new_rows: list[dict[str, Any]], evaluated: Evaluated) -> None:
    """Add rows to out/results.jsonl under a lock, and every score's items to out/scores/<row id>.npz beside it."""
    (out / "scores").mkdir(parents=True, exist_ok=True)
    lines = []
    for row, score in zip(new_rows, evaluated.scores, strict=True):
        if score.items is not None and evaluated.trial is not None:
            row_id = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]
            partial = out / "scores" / f".{row_id}.{os.getpid()}.npz"
            np.savez_compressed(partial, speaker=evaluated.trial.speaker, clip=evaluated.trial.clip,
                                run=evaluated.trial.run, value=score.items)
            partial.replace(out / "scores" / f"{row_id}.npz")
            row = row | {"scores": f"scores/{row_id}.npz"}
        lines.append(json.dumps(row) + "\n")
    with open(out / "results.jsonl", "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("".join(lines))
        file.flush()


def evaluate_runs(runs: Sequence[Run], controls: Sequence[str], overrides: Sequence[str], corpus_name: str | None,
                  splits: Sequence[str] | None, add_controls: bool, out: Path) -> None:
    """Score runs and controls under one protocol, the first run's, and append the rows to out/results.jsonl as they come.

    corpus_name: default the runs' own. splits: default evaluation.splits. add_controls: every control the corpus can have,
    beside those named. Raises ValueError for a system, split or key that does not exist.
    """
    config = with_overrides(runs[0].config if runs else load("base.yaml"), overrides)
    settings = config.evaluation
    corpus = open_corpus(corpus_name or config.data.corpus)
    for run in runs:
        if run.corpus["checksum"] != corpus.checksum:
            print(f"Note: {run.path} was trained on {run.corpus['name']} ({run.corpus['checksum'][:8]}), "
                  f"scored on {corpus.name} ({corpus.checksum[:8]}).", file=sys.stderr)
    names = list(controls)
    if add_controls:
        names += [name for name in CONTROLS if name not in names and (name != "shuffled" or runs)
                  and (not name.startswith("oracle") or "toy" in corpus.info["extra"])]
    sizes = [run.face_size for run in runs]     # of all, so that one without faces is named before the others are scored
    size = settings.face_size or (sizes or [max(corpus.face_sizes)])[0]
    entries: list[tuple[System, Run | None]] = []
    for run in runs:
        entries += [(system, run) for system in systems(run, ["shuffled"] if "shuffled" in names else [], corpus)]
    shared = [name for name in names if name != "shuffled" or not runs]
    entries += [(system, None) for system in systems(None, shared, corpus)]
    chosen = splits or settings.splits
    for split in chosen:
        corpus.in_split(corpus.clips, split)    # a misspelt one is named now, not after the hours of the one before it
    for split in chosen:
        for seconds in settings.seconds:
            for system, of_run in entries:
                evaluated = evaluate_system(system, corpus, settings, split, seconds, size)
                append(out, rows(evaluated, system, of_run, corpus, settings, split, seconds), evaluated)
                print(f"{split}, {seconds:g} s, {system.name}: " + ", ".join(
                    f"{score.metric} {score.value:.4g}" for score in evaluated.scores if not score.skipped), flush=True)


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
