"""Every shipped recipe, small: synthetic speakers -> training -> checkpoint -> resume -> faces -> rows -> table."""

import json
from pathlib import Path

import numpy as np
import pytest

import gan
from evaluation.table import markdown
from gan import checkpoint
from gan.config import load, recipes
from gan.data.audio import write_wav
from gan.data.corpus import Corpus
from gan.data.faces import read_face
from gan.evaluate import evaluate_runs, read_rows, trained_against_all
from gan.generate import generate_files
from gan.train import train

# What makes a component small, by its name; one without an entry is trained as shipped.
ENCODERS = {"segan": ["encoder={num_samples: 4096, channels: [4, 8], hidden: [8]}", "data.clip_seconds=[0.256, 0.256]"],
            "inception1d": ["encoder={channels: [8], embedding_dim: 16}", "data.clip_seconds=[0.3, 0.4]"]}
DECODERS = {"deconv": ["decoder.width=4"], "upsample": ["decoder.width=32"]}


def small(recipe: str) -> list[str]:
    config = load(recipe)
    return [*ENCODERS.get(config.encoder["name"], []), *DECODERS.get(config.decoder["name"], []),
            *(f"discriminators.{name}.width=4" for name in config.discriminators),
            "data.corpus=toy:tiny", "train.batch_size=3", "train.device=cpu", "logging.num_images=2", "logging.embeddings=3",
            "evaluation.runs=2", "evaluation.seconds=[0.3]"]


def of_steps(recipe: str, steps: int, *overrides: str):
    # Learning rates that fall until the last step would make two steps another run than four.
    return load(recipe, [*small(recipe), f"train.steps={steps}", "optimizer.decay_from=null", *overrides])


def without(recipe: str, *kept: str) -> list[str]:
    return [f"evaluation.metrics.{name}=null" for name in load(recipe).evaluation.metrics if name not in kept]


@pytest.mark.parametrize("recipe", recipes())
def test_from_speech_to_a_table(recipe: str, tiny: Corpus, tmp_path: Path) -> None:
    perceptual = ["losses.perceptual=null"] if "perceptual" in load(recipe).losses else []     # its net has a slow test below
    run = train(of_steps(recipe, 2, *perceptual), recipe, tmp_path)
    (first,) = checkpoint.steps(run / "checkpoints")
    assert train(of_steps(recipe, 4, *perceptual), recipe, tmp_path) == run
    whole = train(of_steps(recipe, 4, *perceptual), recipe, tmp_path / "undisturbed")
    resumed, undisturbed = (checkpoint.load_latest(path / "checkpoints") for path in (run, whole))
    assert resumed is not None
    assert undisturbed is not None
    assert resumed.step == undisturbed.step == 4
    assert resumed.info["checksums"]["weights.safetensors"] == undisturbed.info["checksums"]["weights.safetensors"]
    assert resumed.info["checksums"]["weights.safetensors"] \
        != json.loads((first / "checkpoint.json").read_text())["checksums"]["weights.safetensors"]

    loaded = gan.load(run)
    size = loaded.face_size
    assert size == max(load(recipe).decoder.get("image_sizes", [load(recipe).decoder.get("image_size")]))
    assert loaded.generate(tiny.waveform(0) / 32768).shape == (size, size, 3)
    written, failed = generate_files(loaded, [_sound(tmp_path, tiny)], tmp_path / "faces")
    assert not failed
    assert read_face(written[0]).shape == (size, size, 3)

    evaluate_runs([loaded], [], without(recipe, "l1"), None, None, True, tmp_path)
    rows = read_rows(tmp_path / "results.jsonl")
    names = [run.name, f"shuffled {run.name}", "prior", "oracle-voice", "oracle-identity"]
    splits = load(recipe).evaluation.splits
    assert [(row["split"], row["system"]) for row in rows] == [(split, name) for split in splits for name in names]
    assert all(row["protocol"]["face_size"] == size and row["value"] > 0 for row in rows)
    table = markdown(rows, Path(), trained_against_all(rows))
    assert all(f"| {name} |" in table for name in names)
    assert f"| {run.name} − prior |" in table


def _sound(folder: Path, corpus: Corpus) -> Path:
    write_wav(folder / "voice.wav", np.array(corpus.waveform(0)))
    return folder / "voice.wav"


@pytest.mark.slow
def test_with_frozen_nets_and_every_metric(tiny: Corpus, tmp_path: Path) -> None:
    """The demo's recipe with its perceptual net, validated while it trains and scored by all metrics."""
    run = train(of_steps("demo", 2, "train.validate_every=2", "train.validate_metrics=[l1, recall]", "evaluation.runs=1",
                         "train.best.metric=recall@10", "train.best.mode=max"), "demo", tmp_path)
    assert json.loads((run / "best.json").read_text())["metric"] == "recall@10"
    evaluate_runs([gan.load(run)], ["prior"], ["evaluation.runs=1"], None, ["unseen_speech", "unseen_speaker"], False, tmp_path)
    rows = read_rows(tmp_path / "results.jsonl")
    metrics = {split: {row["metric"] for row in rows if row["split"] == split and row["value"] is not None}
               for split in ("unseen_speech", "unseen_speaker")}
    both = {"l1", "similarity", "recall@1", "landmarks/dlib_hog", "landmarks/mtcnn", "frechet/dlib"}
    assert metrics == {"unseen_speech": both | {"recall@5", "recall@10", "identity_accuracy"},
                       "unseen_speaker": both}          # four speakers, and none that a classifier was trained on
    for row in rows:
        json.dumps(row, allow_nan=False)
    table = markdown(rows)
    assert "- skipped: identity_accuracy: " in table
    assert "- skipped: recall@10: " in table
