import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gan
import gan.scoring.evaluate
import gan.scoring.systems
from evaluation.tables.table import markdown
from evaluation.trial import Score
from gan.__main__ import main
from gan.audit.base import Finding, Item
from gan.audit.verdict import keep
from gan.config import Evaluation
from gan.data.corpus import Corpus
from gan.data.writer import CorpusWriter
from gan.scoring.evaluate import evaluate_runs, evaluate_system
from gan.scoring.requests import Condition, Requests, make_requests
from gan.scoring.rows import Evaluated, make_rows, read_rows, trained_against_all
from gan.scoring.systems import (
    Drawn,
    OracleIdentity,
    OracleVoice,
    Prior,
)
from tests.gan.scoring.cases import FIELDS, SETTINGS
from tests.recipes import ONLY_L1


def test_an_unknown_split_is_named(tiny: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no split named unseen"):
        make_requests(tiny, "unseen", 0.5, 1, 0)
    with pytest.raises(ValueError, match="no split named unseen"):
        evaluate_runs(
            [],
            controls=["prior"],
            overrides=ONLY_L1,
            corpus_name="toy:tiny",
            splits=["unseen_speech", "unseen"],
            add_controls=False,
            out=tmp_path,
        )
    assert not (tmp_path / "results.jsonl").exists()  # said before anything is scored


@pytest.mark.slow
def test_the_order_of_the_controls_is_as_it_must_be(tiny: Corpus) -> None:
    """By pixels alone, at coupling 1: the true person, then the audible person, then somebody else."""

    class Wrong(OracleIdentity):
        def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
            return super().draw(replace(requests, speaker=np.roll(requests.speaker, 1)), corpus, size, settings)

    values = [
        evaluate_system(system, Condition(tiny, SETTINGS, "unseen_speech", 0.5), 64).scores[0].value
        for system in (OracleIdentity(), OracleVoice(), Wrong())
    ]
    assert values == sorted(values)


def test_the_trial_a_metric_sees(asked: Requests, tiny: Corpus) -> None:
    found = evaluate_system(OracleIdentity(), Condition(tiny, SETTINGS, "unseen_speech", 0.5), 64)
    trial = found.trial
    assert trial is not None
    assert np.array_equal(trial.speaker, asked.speaker)
    assert np.array_equal(trial.target, tiny.pixels(asked.target, 64))
    assert (len(trial.gallery), len(trial.training)) == (24, 72)
    assert set(trial.gallery_speaker) == set(trial.training_speaker) == set(asked.speaker)
    (score,) = found.scores
    by_hand = np.abs(trial.generated.astype(float) - trial.target).mean()
    assert score.value == pytest.approx(by_hand)
    assert score.items is not None
    assert score.items.shape == (36,)


def test_a_system_is_scored_at_its_own_size_or_the_one_asked_for(runs: dict[str, Path], tiny: Corpus) -> None:
    run = gan.load(runs["sf2f-64"])
    drawn = Drawn(run.generator)
    for system, asked_for, settings, size in (
        (drawn, None, SETTINGS, 64),
        (Prior(), None, SETTINGS, 128),
        (drawn, 128, SETTINGS, 128),
        (Prior(), None, replace(SETTINGS, face_size=64), 64),
    ):
        trial = evaluate_system(system, Condition(tiny, settings, "unseen_speaker", 0.3), asked_for).trial
        assert trial is not None
        assert trial.generated.shape[1:] == trial.gallery.shape[1:] == (size, size, 3)
    with pytest.raises(ValueError, match="32 px are not stored"):
        evaluate_system(drawn, Condition(tiny, SETTINGS, "unseen_speaker", 0.3), 32)


def test_an_empty_split_is_skipped_with_the_reason(two_speakers: Corpus) -> None:
    settings = replace(
        SETTINGS, metrics={"l1": {"name": "pixels"}, "recall": {"name": "recall", "k": [1, 5], "extractor": {"name": "dlib"}}}
    )
    found = evaluate_system(Prior(), Condition(two_speakers, settings, "unseen_speaker", 0.3))
    made = make_rows(found, Prior(), None, Condition(two_speakers, settings, "unseen_speaker", 0.3))
    assert [row["metric"] for row in made] == ["l1", "recall"]
    for row in made:
        assert set(row) == FIELDS
        assert row["value"] is None
        assert row["note"] == "skipped: two has no speaker with clips and faces in unseen_speaker"
        json.dumps(row, allow_nan=False)
    assert "- skipped: l1: two has no speaker" in markdown(made)


@pytest.mark.slow
def test_two_runs_beside_every_control(
    runs: dict[str, Path], tiny: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = [gan.load(path) for path in runs.values()]
    a, b = (path.name for path in runs.values())
    evaluate_runs(loaded, overrides=ONLY_L1, splits=["unseen_speech", "unseen_speaker"], out=tmp_path)
    found = read_rows(tmp_path / "results.jsonl")
    names = [a, f"shuffled {a}", b, f"shuffled {b}", "noise", "prior", "attribute-oracle", "oracle-voice", "oracle-identity"]
    assert [row["system"] for row in found] == 2 * names
    assert [row["split"] for row in found] == 9 * ["unseen_speech"] + 9 * ["unseen_speaker"]
    assert all(row["value"] is not None and row["protocol"]["runs"] == 2 for row in found)
    assert {row["system"]: row["run"] for row in found} == dict(zip(names, [a, a, b, b, *[None] * 5], strict=True))
    assert {row["system"] for row in found if not row["control"]} == {a, b}
    said = capsys.readouterr()
    assert said.out.count("l1 ") == 18
    assert said.err == ""  # a toy world need not be audited
    pairs = trained_against_all(found)
    assert {(a, "prior"), (a, f"shuffled {a}"), (a, b), (b, a), (b, "oracle-identity")} <= set(pairs)
    assert not any(first in (f"shuffled {a}", "prior") for first, _ in pairs)
    table = markdown(found, Path(), pairs)
    assert "split `unseen_speaker`" in table
    assert f"| {a} − prior |" in table


def test_what_was_not_scored_says_why(two_speakers: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "prior", "--no-controls", "--corpus", str(two_speakers.path), *ONLY_L1, "--out", str(tmp_path)]
    why = "unseen_speaker, 0.3 s, prior: skipped: two has no speaker with clips and faces in unseen_speaker\n"
    assert main([*words, "--split", "unseen_speech", "--split", "unseen_speaker"]) == 0
    said = capsys.readouterr()
    assert said.out.endswith(why)
    assert "nothing was scored" not in said.err
    assert main([*words, "--split", "unseen_speaker"]) == 1
    said = capsys.readouterr()
    assert said.out == why
    assert said.err.endswith("evaluate: nothing was scored; the lines above say why.\n")


def test_the_training_split_is_labelled_seen_speech(runs: dict[str, Path], tiny: Corpus, tmp_path: Path) -> None:
    evaluate_runs(
        [gan.load(runs["sf2f-64"])], overrides=[*ONLY_L1, "evaluation.runs=1"], splits=["train"], add_controls=False, out=tmp_path
    )
    (row,) = read_rows(tmp_path / "results.jsonl")
    assert row["split"] == "seen_speech"


@pytest.mark.slow
def test_another_corpus_is_noted_and_has_no_oracles(
    runs: dict[str, Path], tiny: Corpus, two_speakers: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = gan.load(runs["sf2f-64"])
    evaluate_runs([run], overrides=ONLY_L1, corpus_name=str(two_speakers.path), out=tmp_path)
    said = capsys.readouterr().err
    assert "was trained on toy-tiny" in said
    assert "Note: 2 of 2 speakers of unseen_speech were not trained on." in said
    assert "LEAKS" not in said
    found = read_rows(tmp_path / "results.jsonl")
    elsewhere = {"corpus": "toy-tiny", "checksum": run.corpus["checksum"]}
    strangers = {"strangers": "2 of 2 speakers of unseen_speech were not trained on"}
    assert [row.get("trained_on") for row in found] == [
        *2 * [[elsewhere | strangers]],
        None,
        None,
        *2 * [[elsewhere]],
        None,
        None,
    ]
    names = [run.path.name, f"shuffled {run.path.name}", "noise", "prior"]
    assert [(row["system"], row["split"], row["value"] is None) for row in found] == [
        (n, "unseen_speech", False) for n in names
    ] + [(n, "unseen_speaker", True) for n in names]
    with pytest.raises(ValueError, match="oracle-voice: only the toy world") as error:
        evaluate_runs(
            [run],
            controls=["oracle-voice"],
            overrides=ONLY_L1,
            corpus_name=str(two_speakers.path),
            add_controls=False,
            out=tmp_path,
        )
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_corpus_whose_people_were_trained_on_leaks(
    runs: dict[str, Path], tiny: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another corpus that holds back whom this one trains on, under the same names."""
    heard = [row["speaker"] for row in tiny.speakers if row["split"] == "train"][:2]
    about = dict(name="other", source="noise", licence="none", consent="none")
    with CorpusWriter(tmp_path / "other", face_sizes=(64,), **about) as writer:
        for name, split in [("new", "train"), *((name, "unseen_speaker") for name in (*heard, "newer"))]:
            recording = writer.add_recording(writer.add_speaker(name, split), "of a week later", split)
            writer.add_clip(recording, np.full(8_000, 99, np.int16))
            writer.add_face(recording, np.full((64, 64, 3), 99, np.uint8))
    run = gan.load(runs["sf2f-64"])
    evaluate_runs([run], overrides=ONLY_L1, corpus_name=str(tmp_path / "other"), splits=["unseen_speaker"], out=tmp_path)
    assert "Warning: LEAKS, going by names: 2 of 3 speakers of unseen_speaker were trained on." in capsys.readouterr().err
    found = read_rows(tmp_path / "results.jsonl")
    table = markdown(found, Path(), [(run.path.name, "prior")])
    assert "trained on toy-tiny; LEAKS, going by names: 2 of 3 speakers of unseen_speaker were trained on" in table

    run.corpora = [{"name": "gone", "checksum": "0", "path": str(tmp_path / "nowhere")}]
    (gone,) = make_rows(Evaluated([Score("l1", 1.0)], None), Drawn(run.generator), run, Condition(tiny, SETTINGS, "train", 0.5))
    assert gone["trained_on"] == [
        {"corpus": "gone", "checksum": "0", "unchecked": "gone is not where it was, so what they share is not known"}
    ]  # no path of this machine


@pytest.mark.slow
def test_a_corpus_nobody_audited_or_that_leaks_is_warned_of(
    two_speakers: Corpus, tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gan.audit.verdict.cache_folder", lambda: tmp_path / "cache")

    def warned(corpus: str) -> str:
        capsys.readouterr()
        evaluate_runs(
            [],
            controls=["prior"],
            overrides=[*ONLY_L1, "evaluation.runs=1"],
            corpus_name=corpus,
            splits=["unseen_speech"],
            add_controls=False,
            out=tmp_path,
        )
        return capsys.readouterr().err

    def finding(leak: bool, faulty: int) -> Finding:
        return Finding(
            "a_check",
            "?",
            leak=leak,
            things="clips",
            unit="s",
            checked=9,
            items=[Item("train", f"s{number}", 1.0) for number in range(faulty)],
        )

    two = str(two_speakers.path)
    assert warned("toy:tiny") == ""
    assert warned(two) == f"Warning: two was not audited. See voxface audit {two}\n"
    keep(two_speakers, [finding(leak=True, faulty=2)])
    assert warned(two) == f"Warning: two is not sound: LEAKS: a_check 2 of 9 clips. See voxface audit {two}\n"
    for harmless in (finding(leak=True, faulty=0), finding(leak=False, faulty=2)):  # sound; flawed, but nothing is shared
        keep(two_speakers, [harmless])
        assert warned(two) == ""
    keep(tiny, [finding(leak=True, faulty=2)])
    assert warned("toy:tiny").startswith("Warning: toy-tiny is not sound: LEAKS")


def test_a_run_without_faces_is_named_before_others_are_scored(runs: dict[str, Path], tiny: Corpus, tmp_path: Path) -> None:
    good, other = gan.load(runs["sf2f-64"]), gan.load(runs["sf2f-64"])
    other.generator.decoder, other.path = None, Path("speaker-encoder")
    with pytest.raises(ValueError, match=r"speaker-encoder: .*no decoder"):
        evaluate_runs([good, other], overrides=[*ONLY_L1, "evaluation.face_size=64"], splits=["unseen_speech"], out=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["evaluation.run=3"], "evaluation.run: no such key"),
        (["evaluation.metrics.l1.name=pixel"], "no file evaluation/metrics/pixel.py"),
        (["evaluation.seconds=[]"], "evaluation.seconds"),
        (["evaluation.face_size=32"], "32 px are not stored"),
    ],
)
def test_mistakes_are_named(overrides: list[str], said: str, tiny: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as error:
        evaluate_runs(
            [],
            controls=["prior"],
            overrides=[*ONLY_L1, *overrides],
            corpus_name="toy:tiny",
            splits=["unseen_speech"],
            add_controls=False,
            out=tmp_path,
        )
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_judge_names_real_faces_it_never_saw(tiny: Corpus) -> None:
    """After the steps it is given by itself, which are fitted to the number of faces."""
    settings = replace(Evaluation(runs=1), metrics={"identity_accuracy": {"name": "identity_accuracy"}})
    (score,) = evaluate_system(Prior(), Condition(tiny, settings, "unseen_speech", 1.0)).scores
    assert score.upper == 1.0
    assert score.chance == 1 / 12
