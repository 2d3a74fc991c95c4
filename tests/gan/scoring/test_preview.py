from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gan
import gan.scoring.evaluate
import gan.scoring.systems
from gan.__main__ import main
from gan.data.corpus import Corpus
from gan.scoring.evaluate import evaluate_runs, evaluate_system
from gan.scoring.requests import Condition
from gan.scoring.rows import Evaluated
from gan.scoring.systems import (
    System,
)
from tests.recipes import ONLY_L1


@pytest.mark.slow
def test_what_is_shown_is_what_was_scored(
    runs: dict[str, Path], tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, scored = gan.load(runs["sf2f-64"]), {}

    def keep(system: System, condition: Condition, *rest: Any) -> Evaluated:
        found = evaluate_system(system, condition, *rest)
        scored[(system.name, *condition[2:])] = found.trial
        return found

    monkeypatch.setattr(gan.scoring.evaluate, "evaluate_system", keep)
    two_lengths = [*ONLY_L1, "evaluation.seconds=[0.6,0.3]"]
    shown = evaluate_runs([run], overrides=two_lengths, splits=["train", "unseen_speaker"], out=tmp_path)
    name = run.path.name
    captions = (
        {"true face": name}
        | {f"{one}, step 30": one for one in (name, f"shuffled {name}")}
        | {one: one for one in ("prior", "attribute-oracle", "oracle-voice", "oracle-identity")}
    )
    assert [caption for caption, _ in shown.pictures] == list(captions)  # and no noise
    speakers = [caption.split("\n") for caption in shown.columns]
    assert [split for split, _ in speakers] == 6 * ["seen speech"] + 4 * ["unseen speaker"]  # no more than there are
    assert len({speaker for _, speaker in speakers}) == 10
    for caption, faces in shown.pictures:
        for (split, speaker), face in zip(speakers, faces, strict=True):
            trial = scored[captions[caption], "train" if split == "seen speech" else "unseen_speaker", 0.6]
            (at,) = (at for at in np.flatnonzero(trial.run == 0) if tiny.speakers[trial.speaker[at]]["speaker"] == speaker)
            assert np.array_equal(face, (trial.target if caption == "true face" else trial.generated)[at])
    assert "0.6 s" in shown.title
    assert any(note.startswith("prior: ") for note in shown.notes)
    assert not any("true face, not from speech" in note for note in shown.notes)


def test_an_empty_split_shows_nothing(two_speakers: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["prior", "--no-controls", "--corpus", str(two_speakers.path), *ONLY_L1, "--out", str(tmp_path), "--sheet"]
    both = evaluate_runs(
        [],
        controls=["prior"],
        overrides=ONLY_L1,
        corpus_name=str(two_speakers.path),
        splits=["unseen_speech", "unseen_speaker"],
        add_controls=False,
        out=tmp_path,
    )
    assert [caption.split("\n")[0] for caption in both.columns] == 2 * ["unseen speech"]
    capsys.readouterr()
    assert main(["evaluate", *words, str(tmp_path / "x.png"), "--split", "unseen_speaker"]) == 2
    assert "--sheet: no picture, as no split has a speaker" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def test_whom_faces_are_taken_for_is_drawn(tiny: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "evaluate",
        "oracle-identity",
        "--no-controls",
        "--corpus",
        str(tiny.path),
        *ONLY_L1,
        "--out",
        str(tmp_path),
        "--confusion",
        str(tmp_path / "taken"),
    ]
    assert main([*words, "--split", "train"]) == 2
    assert "--confusion: no picture" in capsys.readouterr().err
    named = "evaluation.metrics.identity_accuracy={name: identity_accuracy, steps: 1}"
    assert main([*words, named, "--split", "train", "--split", "unseen_speaker"]) == 0  # who was not trained on is not named
    (path,) = (tmp_path / "taken").iterdir()
    assert path.name == "oracle-identity, seen_speech, 0.3 s.png"
    assert capsys.readouterr().out.splitlines()[-1] == str(path)
    with Image.open(path) as picture:
        assert picture.width > 6 * 22  # a cell a training speaker
