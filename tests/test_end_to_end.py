"""Every shipped recipe, small: synthetic speakers -> training -> checkpoint -> resume -> faces -> rows -> table."""

import json
from pathlib import Path

import numpy as np
import pytest

import gan
from evaluation.tables.table import markdown
from gan import checkpoint
from gan.__main__ import main
from gan.data.corpus import Corpus
from gan.data.pictures import read_face, write_face
from gan.recipes import load, recipe_names
from gan.scoring.evaluate import evaluate_runs
from gan.scoring.rows import read_rows, trained_against_all
from gan.training.start import train
from tests.sound import write_wav

# One of each: what the oldest versions of dependencies are tried on.
FAMILIES = ("wav2pix-64-tiny", "voice2face-tiny", "sf2f-128-fuser-tiny", "speech2face-tiny", "cole-tiny")
TINY = [recipe for recipe in recipe_names() if recipe.endswith("-tiny")]
DEMO = [
    "encoder={channels: [8], embedding_dim: 16}",
    "decoder.width=32",
    "discriminators.image.width=4",
    "data.clip_seconds=[0.3, 0.4]",
    "train.batch_size=3",
    "evaluation.seconds=[0.3]",
]
QUICK = ["data.corpus=toy:tiny", "train.device=cpu", "logging.num_images=2", "logging.embeddings=3", "evaluation.runs=2"]


def of_steps(recipe: str, steps: int, *overrides: str):
    # Learning rates that fall until the last step would make two steps another run than four.
    return load(recipe, [*QUICK, f"train.steps={steps}", "optimizer.decay_from=null", *overrides])


def without(recipe: str, *kept: str) -> list[str]:
    return [f"evaluation.metrics.{name}=null" for name in load(recipe).evaluation.metrics if name not in kept]


def trained(recipe: str, folder: Path, *overrides: str) -> Path:
    """A run of 2 steps, then prolonged to 4: bit for bit one of 4 undisturbed steps."""
    run = train(of_steps(recipe, 2, *overrides), recipe, folder)
    (first,) = checkpoint.steps(run / "checkpoints")
    assert train(of_steps(recipe, 4, *overrides), recipe, folder) == run
    whole = train(of_steps(recipe, 4, *overrides), recipe, folder / "undisturbed")
    resumed, undisturbed = checkpoint.of_run(run), checkpoint.of_run(whole)
    assert resumed.step == undisturbed.step == 4
    assert resumed.weights_checksum == undisturbed.weights_checksum
    assert resumed.weights_checksum != checkpoint.load(first).weights_checksum
    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe", [pytest.param(r, marks=[pytest.mark.floor] if r in FAMILIES else []) for r in TINY if load(r).decoder]
)
def test_from_speech_to_a_table(recipe: str, tiny: Corpus, tmp_path: Path) -> None:
    run = trained(recipe, tmp_path)
    loaded = gan.load(run)
    size = loaded.face_size
    assert size == max(load(recipe).decoder.get("image_sizes", [load(recipe).decoder.get("image_size")]))
    face_to_face = loaded.generator.reads == "face"
    source = _picture(tmp_path, tiny) if face_to_face else _sound(tmp_path, tiny)
    assert main(["generate", str(run), str(source), "--out", str(tmp_path / "faces")]) == 0
    assert read_face(tmp_path / "faces" / f"{source.stem}.png").shape == (size, size, 3)
    assert main(["generate", str(run), str(_sound(tmp_path, tiny) if face_to_face else _picture(tmp_path, tiny))]) == 1

    assert main(["evaluate", str(run), *without(recipe, "l1"), "--out", str(tmp_path)]) == 0
    rows = read_rows(tmp_path / "results.jsonl")
    names = [run.name, f"shuffled {run.name}", "noise", "prior", "attribute-oracle", "oracle-voice", "oracle-identity"]
    splits = load(recipe).evaluation.splits
    assert [(row["split"], row["system"]) for row in rows] == [(split, name) for split in splits for name in names]
    assert all(row["protocol"]["face_size"] == size and row["value"] > 0 for row in rows)
    table = markdown(rows, Path(), trained_against_all(rows))
    assert all(f"| {name} |" in table for name in names)
    assert f"| {run.name} − prior |" in table


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [r for r in TINY if not load(r).decoder])
def test_a_stage_that_draws_no_faces_trains_and_says_so(
    recipe: str, tiny: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(recipe, tmp_path)
    for verb in (["generate", str(run), str(_sound(tmp_path, tiny))], ["evaluate", str(run), "--out", str(tmp_path)]):
        assert main(verb) == 2
        assert "draws no faces" in capsys.readouterr().err


def test_every_system_has_its_reduced_forms() -> None:
    """All but those that differ from another in their length alone."""
    published = {r for r in recipe_names() if not r.endswith(("-small", "-tiny")) and r != "demo"}
    for form in ("-small", "-tiny"):
        missing = published - {r.removesuffix(form) for r in recipe_names() if r.endswith(form)}
        assert missing == {"sf2f-64-released", "sf2f-64-fuser-released", "sf2f-128-fuser-released"}


def _picture(folder: Path, corpus: Corpus) -> Path:
    write_face(folder / "photo.png", corpus.pixels([0], 64)[0])
    return folder / "photo.png"


def _sound(folder: Path, corpus: Corpus) -> Path:
    write_wav(folder / "voice.wav", np.array(corpus.waveform(0)))
    return folder / "voice.wav"


@pytest.mark.slow
def test_with_frozen_nets_and_every_metric(tiny: Corpus, tmp_path: Path) -> None:
    """The demo's recipe with its perceptual net, validated while it trains and scored by all metrics."""
    run = train(
        of_steps(
            "demo",
            2,
            *DEMO,
            "train.validate_every=2",
            "train.validate_metrics=[l1, recall]",
            "evaluation.runs=1",
            "train.best.metric=recall@10",
            "train.best.mode=max",
        ),
        "demo",
        tmp_path,
    )
    assert json.loads((run / "best.json").read_text())["metric"] == "recall@10"
    evaluate_runs(
        [gan.load(run)],
        controls=["prior"],
        overrides=["evaluation.runs=1"],
        splits=["unseen_speech", "unseen_speaker"],
        add_controls=False,
        out=tmp_path,
    )
    rows = read_rows(tmp_path / "results.jsonl")
    metrics = {
        split: {row["metric"] for row in rows if row["split"] == split and row["value"] is not None}
        for split in ("unseen_speech", "unseen_speaker")
    }
    both = {"l1", "similarity", "recall@1", "landmarks/dlib_hog", "landmarks/mtcnn", "frechet/dlib"}
    assert metrics == {
        "unseen_speech": both | {"recall@5", "recall@10", "identity_accuracy"},
        "unseen_speaker": both,
    }  # four speakers, and none that a classifier was trained on
    for row in rows:
        json.dumps(row, allow_nan=False)
    table = markdown(rows)
    assert "- skipped: identity_accuracy: " in table
    assert "- skipped: recall@10: " in table
