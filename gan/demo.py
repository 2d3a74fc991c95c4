"""`make demo`: the whole path on the toy world, in minutes: corpus, training, evaluation, a table and a picture of faces."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from evaluation.tables.table import markdown
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.data.pictures import write_face
from gan.recipes import load
from gan.run import Run
from gan.run import load as load_run
from gan.scoring.evaluate import evaluate_runs
from gan.scoring.rows import read_rows, trained_against_all
from gan.sheets import draw_pairs
from gan.sweep.estimate import measured
from gan.training.start import train

NUM_SPEAKERS = 8
TRAINING_TO_ALL = 1.5  # training is two thirds of what the whole takes


def main(out: Path = Path("demo")) -> None:
    """Writes out/runs, out/results.jsonl, out/table.md and out/faces.png; run again, it goes on where it stopped."""
    started = time.monotonic()
    out.mkdir(exist_ok=True)
    config = load("demo")
    print("Ten minutes on two cores with AVX-512, half an hour with AVX2. What it takes here is measured first.", flush=True)
    seconds, _ = measured(config)
    minutes = config.train.steps * seconds * TRAINING_TO_ALL / 60
    print(
        f"About {minutes:.0f} minutes on this machine: {config.train.steps} training steps of {seconds:.2g} s, then an "
        "evaluation. Ctrl-C saves, and the same command goes on.",
        flush=True,
    )
    run = load_run(train(config, "demo", out / "runs"))
    corpus = open_corpus(run.config.data.corpus)
    picture = out / "faces.png"
    write_face(picture, faces(run, corpus))
    results = out / "results.jsonl"
    results.unlink(missing_ok=True)
    evaluate_runs([run], out=out)
    rows = read_rows(results)
    table = markdown(rows, Path(), trained_against_all(rows))
    (out / "table.md").write_text(table, encoding="utf-8")
    print(
        f"\n{table}\nFaces drawn from unseen speech: {picture}. This table: {out / 'table.md'}. "
        f"The run: {run.path} (tensorboard --logdir {run.path}). "
        f"It took {(time.monotonic() - started) / 60:.1f} minutes."
    )


def faces(run: Run, corpus: Corpus) -> np.ndarray:
    """True and drawn faces of eight speakers side by side: speech of recordings the model never heard. uint8 (H, W, 3)."""
    clips = corpus.in_split(corpus.clips, "unseen_speech")
    speakers, first = np.unique(corpus.clips["speaker"][clips], return_index=True)
    chosen = clips[first[np.linspace(0, len(speakers) - 1, NUM_SPEAKERS).astype(int)]]
    drawn = run.draw([corpus.speech(clip) for clip in chosen], NUM_SPEAKERS)
    return np.asarray(draw_pairs(corpus.pixels(corpus.clips["face"][chosen], drawn.shape[1]), drawn))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
