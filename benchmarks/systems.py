"""Every system's -small form on one corpus, one budget and one protocol -> systems.md and systems.png.

    python -m benchmarks.systems                train what is not trained, score what is not scored, write the page
    python -m benchmarks.systems --steps        seconds a step of the small and of the full-size forms, to results.jsonl

Stopped at any moment, the same command goes on: a training from its last checkpoint, an evaluation from the system it was at.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import RESULTS, quartiles, record
from evaluation.tables.layout import layout_of
from evaluation.tables.rows import csv
from evaluation.tables.table import latex, markdown
from gan.config import Config
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.data.pictures import resize
from gan.data.prepare.toy import prepare_toy
from gan.recipes import load, load_protocol, recipe_names
from gan.run import load as load_run
from gan.scoring.requests import make_requests
from gan.scoring.rows import read_rows
from gan.sheets import draw_sheet
from gan.training.loop import Trainer
from gan.training.start import settled

PAGE = Path(__file__).with_name("systems.md")
PICTURE = Path(__file__).with_name("systems.png")
BEGIN, END = "<!-- written by python -m benchmarks.systems -->", "<!-- end of what is written -->"
CORPUS, PROTOCOL, FACE_SIZE = "toy:demo", "default", 64
SPLITS, SECONDS = load_protocol(PROTOCOL).splits, load_protocol(PROTOCOL).seconds
CONTROLS = ("noise", "prior", "attribute-oracle", "oracle-voice", "oracle-identity")
STEP_BATCH = 16
LAYOUT = {
    "title": "The small form of every system",
    "columns": [
        {"metric": metric}
        for metric in (
            "identity_accuracy",
            "recall@10",
            "recall@10/sex",
            "similarity",
            "matching",
            "verification/auc",
            "attributes/audible",
            "attributes/inaudible",
            "landmarks/dlib_hog",
            "frechet/dlib",
            "collapse/inter_person",
        )
    ],
    "controls": [*CONTROLS, *(f"shuffled {name}" for name in ("sf2f-64", "speech2face-paper"))],
}


def systems() -> list[str]:
    """The recipes compared, those that others start from first."""
    small = [recipe for recipe in recipe_names() if recipe.endswith("-small")]
    return sorted(small, key=lambda recipe: load(recipe).train.init_from is not None)


def train_and_score(recipe: str, folder: Path) -> None:
    """One system, from nothing or from where it stopped, to rows in folder/results.jsonl."""
    _voxface(
        folder,
        recipe,
        "train",
        recipe,
        f"data.corpus={CORPUS}",
        "train.device=cpu",
        "train.threads=1",
        "logging.embeddings=0",
        "--runs",
        str(folder),
    )
    run = run_of(recipe, folder)
    if load(recipe).decoder and not _scored(folder, f"shuffled {run.name}"):
        _evaluate(folder, recipe, str(run), "shuffled")


def _evaluate(folder: Path, label: str, *systems: str) -> None:
    _voxface(
        folder,
        label,
        "evaluate",
        *systems,
        "--no-controls",
        "--corpus",
        CORPUS,
        "--out",
        str(folder),
        "--device",
        "cpu",
        "--protocol",
        PROTOCOL,
        f"evaluation.face_size={FACE_SIZE}",
    )


def _voxface(folder: Path, label: str, verb: str, *words: str) -> None:
    """One command, its output in folder/<label>.log, the time it took in folder/times.jsonl."""
    start = time.perf_counter()
    with open(folder / f"{label}.log", "a", encoding="utf-8") as log:
        code = subprocess.run(
            [sys.executable, "-m", "gan", verb, *words],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        ).returncode
    seconds = time.perf_counter() - start
    with open(folder / "times.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(dict(recipe=label, verb=verb, seconds=round(seconds, 1))) + "\n")
    print(f"{verb} {label}: {seconds / 60:.1f} min", flush=True)
    if code:
        raise RuntimeError(f"{verb} {label}: exit code {code}; see {folder / label}.log")


def run_of(recipe: str, folder: Path) -> Path:
    """The newest run of a recipe. An older one is of another version of it."""
    found = [path for path in folder.glob(f"{recipe}-*") if re.fullmatch(re.escape(recipe) + "-[0-9a-f]{8}", path.name)]
    return max(found, key=lambda path: path.stat().st_mtime)


def _scored(folder: Path, system: str) -> bool:
    rows = read_rows(folder / "results.jsonl") if (folder / "results.jsonl").exists() else []
    found = {(row["split"], row["protocol"]["seconds"]) for row in rows if row["system"] == system and _standing(row)}
    return found >= {(split, seconds) for split in SPLITS for seconds in SECONDS}


def _standing(row: dict[str, Any]) -> bool:
    """Whether a row is of this benchmark's protocol; a folder may hold others'."""
    return row["protocol"].get("name") == PROTOCOL and row["protocol"]["face_size"] == FACE_SIZE


# -- the page ---------------------------------------------------------------------------------------------------------


def page(folder: Path) -> str:
    rows, layout = _rows(folder), layout_of(LAYOUT)
    pairs = [(recipe.removesuffix("-small"), "prior") for recipe in systems()]
    PAGE.with_suffix(".tex").write_text(latex(rows, Path(), pairs, layout), encoding="utf-8")
    shown = {column.metric for column in layout.columns}
    PAGE.with_suffix(".csv").write_text(csv(row | {"scores": None} for row in rows if row["metric"] in shown), encoding="utf-8")
    table = markdown(rows, Path(), pairs, layout)
    return "\n".join([BEGIN, "", _taken(folder), "", _sizes(folder), "", "![faces](systems.png)", "", table, END])


def _rows(folder: Path) -> list[dict[str, Any]]:
    """Of the newest run of every recipe, its shuffled twin and the controls, under this benchmark's protocol."""
    runs = {recipe: run_of(recipe, folder) for recipe in systems()}
    wanted = {name for run in runs.values() for name in (run.name, f"shuffled {run.name}")} | set(CONTROLS)
    return [_renamed(row, runs) for row in read_rows(folder / "results.jsonl") if row["system"] in wanted and _standing(row)]


def _renamed(row: dict[str, Any], runs: dict[str, Path]) -> dict[str, Any]:
    """Runs go by their recipe's name: the page says elsewhere that all are the small forms."""
    for recipe, run in runs.items():
        row = row | {"system": row["system"].replace(run.name, recipe.removesuffix("-small"))}
    return row


def _taken(folder: Path) -> str:
    seconds = sum(json.loads(line)["seconds"] for line in (folder / "times.jsonl").read_text().splitlines())
    return (
        f"Taken by `python -m benchmarks.systems`, {date.today().isoformat()}: {seconds / 60:.0f} minutes of single-threaded "
        f"processes, two at a time, on {os.cpu_count()} cores, torch {torch.__version__}. Corpus {CORPUS}, training seed 0. "
        "All is as in the published recipe but for width and length. Faces are compared at "
        f"{FACE_SIZE} px; every encoder is offered that much speech and hears what it can of it."
    )


def _sizes(folder: Path) -> str:
    steps = {
        (row["recipe"], row["form"]): row
        for line in RESULTS.read_text(encoding="utf-8").splitlines()
        if (row := json.loads(line))["benchmark"] == "system_step"
    }
    minutes: dict[str, float] = {}
    for line in (folder / "times.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["verb"] == "train":
            minutes[entry["recipe"]] = minutes.get(entry["recipe"], 0.0) + entry["seconds"] / 60
    lines = [
        "| system | stage before | samples seen | minutes of training | small: generator | processor s a step "
        "| full size: generator "
        "| processor s a step | batch of that step | published batch |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for recipe in systems():
        config, full = load(recipe), recipe.removesuffix("-small")
        small_step, full_step = steps.get((full, "small"), {}), steps.get((full, "full"), {})
        before = (config.train.init_from or "–").removesuffix("-small")
        lines.append(
            f"| {full} | {before} | {config.train.steps * config.train.batch_size:,} | {minutes.get(recipe, 0):.1f} "
            f"| {small_step.get('generator', 0):,} | {_median(small_step)} | {full_step.get('generator', 0):,} "
            f"| {_median(full_step)} | {full_step.get('batch_size', '–')} | {load(full).train.batch_size} |"
        )
    return "\n".join(lines)


def _median(row: dict[str, Any]) -> str:
    return f"{row['seconds'][1]:.3g}" if row else "–"


def write_page(folder: Path) -> None:
    """Renew what is between the markers; what a person wrote around them stays."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + page(folder) + after, encoding="utf-8")


def write_picture(folder: Path, num_speakers: int = 8) -> None:
    """True faces and every system's, of the same speech: one row a system, half of the columns speakers not seen in training."""
    corpus = open_corpus(CORPUS)
    columns = [(split, item) for split in SPLITS for item in range(num_speakers // 2)]
    asked = {split: make_requests(corpus, split, max(SECONDS), 1, seed=0) for split in SPLITS}
    true = list(corpus.pixels([asked[split].target[item] for split, item in columns], FACE_SIZE))
    pictures: list[tuple[str, list[Any]]] = [("true face", true)]
    for recipe in systems():
        if not load(recipe).decoder:
            continue
        generator = load_run(run_of(recipe, folder), "cpu").generator
        items = true if generator.reads == "face" else [asked[split].waveforms[item] for split, item in columns]
        pictures.append((recipe.removesuffix("-small"), [resize(face, FACE_SIZE) for face in generator.draw(items)]))
    captions = [f"new {split.removeprefix('unseen_')} {item + 1}" for split, item in columns]
    note = (
        f"{max(SECONDS):g} s of speech each; the left half are voices heard in training, in new recordings, the right half "
        "new voices. cole draws from the true face."
    )
    draw_sheet(f"The small form of every system, {CORPUS}", captions, pictures, [note]).save(PICTURE)


# -- seconds a step ---------------------------------------------------------------------------------------------------


def measure_steps(folder: Path, chosen: list[str], repetitions: int) -> None:
    """Processor seconds a step, one thread, of each system's small form and of its full size at batch 16, or its own if smaller.

    Not by the clock: one thread's processor time is the same while other work runs.
    """
    corpora = folder / "toy-tiny-224"
    if not corpora.exists():
        prepare_toy(corpora, "tiny", face_sizes=(64, 128, 224))
    corpus = Corpus(corpora)
    torch.set_num_threads(1)
    for recipe in chosen or systems():
        full = recipe.removesuffix("-small")
        for form, name in (("small", recipe), ("full", full)):
            batch_size = min(load(name).train.batch_size, STEP_BATCH)
            config = load(name, [f"train.batch_size={batch_size}", "train.init_from=null", "train.init_modules=[]"])
            measured = dict(recipe=full, form=form, batch_size=batch_size) | _step(settled(config), corpus, repetitions)
            record("system_step", measured)


def _step(config: Config, corpus: Corpus, repetitions: int) -> dict[str, Any]:
    trainer = Trainer(config, corpus, Path(), torch.device("cpu"))
    trainer.training_mode()
    batches = [trainer.batches[step] for step in range(min(repetitions, 4))]
    trainer.one_step(batches[0], measure=False)
    seconds = []
    for repetition in range(repetitions):
        start = time.process_time()
        trainer.one_step(batches[repetition % len(batches)], measure=False)
        seconds.append(time.process_time() - start)
    return dict(seconds=quartiles(seconds), generator=sum(p.numel() for p in trainer.model.generator.parameters()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help="with --steps: which (default: all)")
    parser.add_argument("--steps", action="store_true", help="only measure seconds a step")
    parser.add_argument("--folder", type=Path, default=Path("runs/systems"), help="where runs and rows are kept")
    parser.add_argument("--processes", type=int, default=2, help="trainings at once, one thread each")
    parser.add_argument("--repetitions", type=int, default=5)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.steps:
        measure_steps(args.folder, args.recipes, args.repetitions)
        return
    open_corpus(CORPUS)
    waves: dict[bool, list[str]] = {}
    for recipe in systems():
        waves.setdefault(load(recipe).train.init_from is not None, []).append(recipe)
    with ThreadPoolExecutor(args.processes) as pool:
        if not all(_scored(args.folder, control) for control in CONTROLS):
            _evaluate(args.folder, "controls", *CONTROLS)
        failed = []
        for wave in waves.values():  # a stage is trained once, before those that start from it
            for recipe, done in [(recipe, pool.submit(train_and_score, recipe, args.folder)) for recipe in wave]:
                if (error := done.exception()) is not None:
                    failed.append(f"{recipe} ({error})")
    if failed:
        raise SystemExit(f"Not finished: {'; '.join(failed)}. The same command tries again.")
    write_page(args.folder)
    write_picture(args.folder)
    print(f"Wrote {PAGE} and {PICTURE}")


if __name__ == "__main__":
    main()
