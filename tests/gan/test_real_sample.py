"""Real recordings, from their folder to a table: the sequence of docs/data.md on the youtubers sample, small."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gan.__main__ import main
from gan.data.corpus import SPLITS, Corpus
from gan.data.pictures import read_face
from gan.scoring.rows import read_rows
from tests.recipes import ONLY_L1, SMALL

SAMPLE = os.environ.get("VOXFACE_REAL_SAMPLE")

pytestmark = pytest.mark.skipif(not SAMPLE, reason="VOXFACE_REAL_SAMPLE does not name the youtubers sample")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the prepared corpus and a run trained on it, entered."""
    folder, before = tmp_path_factory.mktemp("real"), Path.cwd()
    os.chdir(folder)
    try:
        assert main(["prepare", "youtubers", str(SAMPLE), "--out", "corpora/youtubers"]) == 0
        assert (
            main(
                [
                    "train",
                    "wav2pix-64",
                    *SMALL["wav2pix-64"],
                    "data.corpus=corpora/youtubers",
                    "train.initialisation=default",
                    "train.steps=40",
                    "train.batch_size=8",
                    "train.device=cpu",
                    "optimizer.generator.learning_rate=0.002",
                    "logging.embeddings=4",
                ]
            )
            == 0
        )
        yield folder
    finally:
        os.chdir(before)


@pytest.fixture
def run(here: Path) -> str:
    (found,) = (here / "runs").iterdir()
    return f"runs/{found.name}"


def test_the_corpus_is_the_sample(here: Path) -> None:
    corpus = Corpus(here / "corpora" / "youtubers")
    corpus.verify()
    assert len(corpus.speakers) == 2
    assert len(corpus.clips) == len(list(Path(str(SAMPLE)).rglob("*.wav")))
    assert set(corpus.clips["length"]) == {16_000}
    assert (corpus.clips["face"] >= 0).all()
    for split in ("train", "unseen_speech"):
        assert len(np.unique(corpus.clips["speaker"][corpus.in_split(corpus.clips, split)])) == 2
    by_recording = {(clip["recording"], clip["split"]) for clip in corpus.clips}
    assert len({recording for recording, _ in by_recording}) == len(by_recording)  # no recording on two sides


def test_faces_of_held_out_speech(here: Path, run: str) -> None:
    """The very files of the held-out clips go in, and a picture of each comes out."""
    corpus = Corpus(here / "corpora" / "youtubers")
    held_out = [corpus.waveform(clip) for clip in corpus.in_split(corpus.clips, "unseen_speech")[:6]]
    (here / "held_out").mkdir()
    for number, waveform in enumerate(held_out):
        soundfile.write(here / "held_out" / f"{number}.wav", waveform, 16_000)
    assert main(["generate", run, "held_out", "--out", "faces"]) == 0
    faces = [read_face(here / "faces" / f"{number}.png") for number in range(6)]
    assert all(face.shape == (64, 64, 3) for face in faces)
    assert all(face.std() > 5 for face in faces)
    assert len({face.tobytes() for face in faces}) == 6


@pytest.mark.slow
def test_the_published_files_can_be_drawn_too(here: Path, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", run, f"{SAMPLE}/test", "--out", "published"]) == 0
    expected = {path.relative_to(f"{SAMPLE}/test").with_suffix(".png") for path in Path(f"{SAMPLE}/test").rglob("*.wav")}
    assert {path.relative_to(here / "published") for path in (here / "published").rglob("*.png")} == expected


def test_other_real_voices(here: Path, run: str) -> None:
    """Seconds long, of people no corpus here holds."""
    voices = Path(str(SAMPLE)).resolve().parent / "voxceleb_clips"
    if not voices.is_dir():
        pytest.skip("no voxceleb_clips beside the sample")
    assert main(["generate", run, str(voices), "--out", "others"]) == 0
    assert {path.stem for path in (here / "others").iterdir()} == {path.stem for path in voices.glob("*.wav")}


@pytest.mark.slow
def test_evaluation_with_what_two_people_allow(here: Path, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = Path(run).name
    assert main(["evaluate", run, "--out", "scored", *ONLY_L1]) == 0
    rows = read_rows(here / "scored" / "results.jsonl")
    systems = [name, f"shuffled {name}", "noise", "prior"]  # no oracles: nobody knows true attributes here
    assert [(row["split"], row["system"]) for row in rows] == [
        (split, system) for split in ("unseen_speech", "unseen_speaker") for system in systems
    ]
    for row in rows:
        assert row["split"] in SPLITS
        if row["split"] == "unseen_speech":
            assert 0 < row["value"] < 255
            assert row["protocol"]["speakers"] == 2
        else:
            assert row["value"] is None
            assert row["note"].startswith("skipped: ")
            assert row["note"].endswith("has no speaker with clips and faces in unseen_speaker")
    capsys.readouterr()
    assert main(["table", "scored/results.jsonl"]) == 0
    table = capsys.readouterr().out
    assert f"| {name} − prior |" in table
    assert re.search(r"- skipped: l1: \S+ has no speaker with clips and faces in unseen_speaker", table)


@pytest.mark.floor
@pytest.mark.slow
def test_every_metric_on_real_faces(here: Path, run: str) -> None:
    """Scored or skipped with a reason, never an error, with two speakers and a handful of held-out clips."""
    assert main(["evaluate", run, "prior", "--no-controls", "--out", "all", "evaluation.runs=2"]) == 0
    rows = read_rows(here / "all" / "results.jsonl")
    assert {"l1", "similarity", "recall@1", "landmarks/dlib_hog", "landmarks/mtcnn", "identity_accuracy", "frechet/dlib"} <= {
        row["metric"] for row in rows if row["split"] == "unseen_speech"
    }
    assert all(row["value"] is not None or row["note"].startswith("skipped: ") for row in rows)
    detected = [row for row in rows if row["metric"].startswith("landmarks/mtcnn") and row["split"] == "unseen_speech"]
    assert all(row["upper"] > 0.5 for row in detected)  # real faces are found
