import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gan
import gan.scoring.evaluate
import gan.scoring.systems
from evaluation.tables.table import markdown, sections
from evaluation.trial import Score
from gan.__main__ import main
from gan.audit.base import Finding, Item
from gan.audit.verdict import keep
from gan.config import Evaluation
from gan.data.corpus import INT16_SCALE, SPLITS, Corpus
from gan.data.toy.speakers import AUDIBLE, INAUDIBLE, Speaker
from gan.data.writer import CorpusWriter
from gan.scoring.evaluate import evaluate_runs, evaluate_system
from gan.scoring.requests import Condition, Requests, make_requests
from gan.scoring.rows import Evaluated, append, make_rows, read_rows, trained_against_all
from gan.scoring.systems import (
    CONTROLS,
    Drawn,
    OracleIdentity,
    OracleVoice,
    Prior,
    Shuffled,
    System,
    make_systems,
)

SETTINGS = Evaluation(runs=3, seconds=[0.5], metrics={"l1": {"name": "pixels"}})
FIELDS = {"system", "recipe", "control", "run", "step", "weights", "training_seed", "trained_against", "corpus",
          "corpus_checksum", "split", "results_version", "protocol", "metric", "value", "interval", "chance", "upper",
          "extractor", "note", "higher_is_better"}
# Faces are compared pixel by pixel only: the frozen nets have their own tests.
ONLY_L1 = ["evaluation.runs=2", "evaluation.seconds=[0.3]",
           *(f"evaluation.metrics.{name}=null" for name in ("similarity", "recall", "landmarks_hog", "landmarks_mtcnn",
                                                            "identity_accuracy", "frechet"))]


@pytest.fixture(scope="module")
def two_speakers(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Not of the toy world, two training speakers, clips without aligned faces, no unseen_speaker."""
    path = tmp_path_factory.mktemp("corpora") / "two"
    random = np.random.default_rng(0)
    with CorpusWriter(path, name="two", source="noise", licence="none", consent="none", face_sizes=(64,)) as writer:
        for name in ("ana", "bruno"):
            speaker = writer.add_speaker(name, "train")
            for split in ("train", "unseen_speech"):
                recording = writer.add_recording(speaker, f"{name} {split}", split)
                for _ in range(3):
                    writer.add_clip(recording, random.integers(-9_000, 9_000, 8_000).astype(np.int16))
                    writer.add_face(recording, random.integers(0, 255, (64, 64, 3)).astype(np.uint8))
    return Corpus(path)


class Numbered:
    """Stands in for a generator: the face of the n-th request is all n, so that it is seen where a face went."""

    image_sizes, reads = (8,), "waveform"

    def draw(self, waveforms: list[np.ndarray], seed: int = 0) -> np.ndarray:
        numbers = np.arange(seed, seed + len(waveforms), dtype=np.uint8)
        return np.broadcast_to(numbers[:, None, None, None], (len(waveforms), 8, 8, 3)).copy()


# -- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", SPLITS)
def test_every_speaker_of_the_split_is_asked_once_a_run(split: str, tiny: Corpus) -> None:
    asked = make_requests(tiny, split, 0.5, 3, 0)
    here = np.unique(tiny.clips["speaker"][tiny.in_split(tiny.clips, split)])
    assert len(here) == (4 if split.endswith("speaker") else 12)
    assert np.array_equal(asked.speaker, np.tile(here, 3))
    assert np.array_equal(asked.run, np.repeat([0, 1, 2], len(here)))
    assert (tiny.clips["split"][asked.clip] == SPLITS.index(split)).all()
    assert (tiny.clips["speaker"][asked.clip] == asked.speaker).all()
    assert np.array_equal(asked.target, tiny.clips["face"][asked.clip])         # the aligned face


def test_crops_are_of_their_clip_and_of_the_asked_length(tiny: Corpus) -> None:
    asked = make_requests(tiny, "unseen_speech", 0.5, 3, 0)
    starts = []
    for clip, waveform in zip(asked.clip, asked.waveforms, strict=True):
        assert waveform.dtype == np.float32
        assert waveform.shape == (8_000,)
        at = tiny.waveform(clip).tobytes().find((waveform / INT16_SCALE).astype(np.int16).tobytes())
        assert at >= 0
        starts.append(at)
    assert len(set(starts)) > len(starts) / 2                                   # anywhere in the clip
    assert len({(c, s) for c, s in zip(asked.clip, starts, strict=True)}) == len(starts)
    assert len(np.unique(asked.clip)) > 12                                      # another clip in another run


def test_a_clip_that_is_too_short_is_taken_whole(tiny: Corpus) -> None:
    asked = make_requests(tiny, "train", 100.0, 1, 0)
    assert all(len(w) == tiny.clips["length"][clip] for w, clip in zip(asked.waveforms, asked.clip, strict=True))


def test_requests_come_from_the_seed(tiny: Corpus) -> None:
    first, again, other = (make_requests(tiny, "unseen_speech", 0.5, 3, seed) for seed in (0, 0, 1))
    for name in ("speaker", "clip", "run", "target"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert all(np.array_equal(a, b) for a, b in zip(first.waveforms, again.waveforms, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first.waveforms, other.waveforms, strict=True))
    fewer = make_requests(tiny, "unseen_speech", 0.5, 2, 0)
    assert np.array_equal(fewer.clip, first.clip[:24])                          # more runs only add to them


def test_without_aligned_faces_any_of_the_speaker_and_split_is_right(two_speakers: Corpus) -> None:
    asked = make_requests(two_speakers, "unseen_speech", 0.25, 8, 0)
    assert (two_speakers.faces["speaker"][asked.target] == asked.speaker).all()
    assert (two_speakers.faces["split"][asked.target] == SPLITS.index("unseen_speech")).all()
    assert len(np.unique(asked.target)) > 2


def test_an_unknown_split_is_named(tiny: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no split named unseen"):
        make_requests(tiny, "unseen", 0.5, 1, 0)
    with pytest.raises(ValueError, match="no split named unseen"):
        evaluate_runs([], controls=["prior"], overrides=ONLY_L1, corpus_name="toy:tiny", splits=["unseen_speech", "unseen"],
                      add_controls=False, out=tmp_path)
    assert not (tmp_path / "results.jsonl").exists()                            # said before anything is scored


# -- the systems ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(tiny: Corpus) -> Requests:
    return make_requests(tiny, "unseen_speech", 0.5, 3, 0)


def test_a_generator_is_given_the_waveforms_in_order(asked: Requests, tiny: Corpus) -> None:
    heard: list[np.ndarray] = []

    class Listening(Numbered):
        def draw(self, waveforms: list[np.ndarray], seed: int = 0) -> np.ndarray:
            heard.extend(waveforms)
            return super().draw(waveforms, seed)

    faces = Drawn(Listening()).draw(asked, tiny, 8, replace(SETTINGS, batch_size=5))    # type: ignore[arg-type]
    assert np.array_equal(faces[:, 0, 0, 0], np.arange(36))
    assert all(a is b for a, b in zip(heard, asked.waveforms, strict=True))
    assert Drawn(Numbered()).draw(asked, tiny, 4, SETTINGS).shape == (36, 4, 4, 3)      # type: ignore[arg-type]


def test_shuffled_hands_every_face_to_another_speaker_of_the_same_run(asked: Requests, tiny: Corpus) -> None:
    system = Shuffled(Drawn(Numbered(), "m"))                                                  # type: ignore[arg-type]
    whose = system.draw(asked, tiny, 8, SETTINGS)[:, 0, 0, 0].astype(int)
    assert system.name == "shuffled m"
    assert sorted(whose) == list(range(36))
    assert (asked.speaker[whose] != asked.speaker).all()
    assert (asked.run[whose] == asked.run).all()
    orders = {tuple(asked.speaker[whose][asked.run == run]) for run in range(3)}
    assert len(orders) == 3                                                             # another order in every run
    assert np.array_equal(whose, system.draw(asked, tiny, 8, SETTINGS)[:, 0, 0, 0])


def test_prior_is_the_mean_training_face(asked: Requests, tiny: Corpus) -> None:
    faces = Prior().draw(asked, tiny, 64, SETTINGS)
    training = np.flatnonzero(tiny.faces["split"] == SPLITS.index("train"))
    mean = np.stack([tiny.pixels([face], 64)[0] for face in training]).astype(float).mean(axis=0)
    assert faces.shape == (36, 64, 64, 3)
    assert (faces == faces[0]).all()
    assert np.abs(faces[0] - mean).max() <= 0.5


@pytest.mark.parametrize("system", [OracleIdentity(), OracleVoice()])
def test_oracles_know_what_they_should(system: OracleIdentity, asked: Requests, tiny: Corpus,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[Speaker] = []

    def render(speaker: Speaker, picture: object, size: int) -> np.ndarray:
        rendered.append(speaker)
        return np.zeros((size, size, 3), np.uint8)

    monkeypatch.setattr(gan.scoring.systems, "render_face", render)
    assert system.draw(asked, tiny, 64, SETTINGS).shape == (36, 64, 64, 3)
    true = [Speaker.from_row(tiny.speakers[speaker]) for speaker in asked.speaker]
    if isinstance(system, OracleVoice):
        for speaker, drawn in zip(true, rendered, strict=True):
            assert all(getattr(drawn, name) == getattr(speaker, name) for name in AUDIBLE)      # coupling 1
        assert all(a.skin_tone != b.skin_tone for a, b in zip(true, rendered, strict=True))
        assert len({tuple(getattr(s, name) for name in INAUDIBLE) for s in rendered}) == 36     # drawn anew each time
    else:
        assert rendered == true


def test_oracle_identity_draws_fresh_pictures_of_the_right_person(asked: Requests, tiny: Corpus) -> None:
    first = replace(asked, speaker=asked.speaker[[0, 12]], run=asked.run[[0, 12]])              # one speaker, two runs
    a, b = OracleIdentity().draw(first, tiny, 64, SETTINGS)
    assert not np.array_equal(a, b)
    again = OracleIdentity().draw(first, tiny, 64, SETTINGS)
    assert np.array_equal(again, [a, b])
    stored = tiny.pixels(tiny.in_split(tiny.faces, "train"), 64)
    assert (np.abs(stored.astype(int) - a).mean(axis=(1, 2, 3)) > 0).all()                      # no copy of a stored one


def test_the_order_of_the_controls_is_as_it_must_be(tiny: Corpus) -> None:
    """By pixels alone, at coupling 1: the true person, then the audible person, then somebody else."""
    class Wrong(OracleIdentity):
        def draw(self, requests: Requests, corpus: Corpus, size: int, settings: Evaluation) -> np.ndarray:
            return super().draw(replace(requests, speaker=np.roll(requests.speaker, 1)), corpus, size, settings)

    values = [evaluate_system(system, Condition(tiny, SETTINGS, "unseen_speech", 0.5), 64).scores[0].value
              for system in (OracleIdentity(), OracleVoice(), Wrong())]
    assert values == sorted(values)


def test_controls_by_name(tiny: Corpus, two_speakers: Corpus, runs: dict[str, Path]) -> None:
    run = gan.load(runs["sf2f-64"])
    assert [system.name for system in make_systems(run, CONTROLS, tiny)] \
        == [run.path.name, "noise", "prior", f"shuffled {run.path.name}", "attribute-oracle", "oracle-voice", "oracle-identity"]
    for name in ("oracle-voice", "oracle-identity"):
        with pytest.raises(ValueError, match=f"{name}: only the toy world knows true attributes; two is none"):
            make_systems(None, [name], two_speakers)
    with pytest.raises(ValueError, match="shuffled: name a run too"):
        make_systems(None, ["shuffled"], tiny)
    with pytest.raises(ValueError, match="oracle: no such system"):
        make_systems(None, ["oracle"], tiny)


# -- scores and rows --------------------------------------------------------------------------------------------------


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
            (drawn, None, SETTINGS, 64), (Prior(), None, SETTINGS, 128), (drawn, 128, SETTINGS, 128),
            (Prior(), None, replace(SETTINGS, face_size=64), 64)):
        trial = evaluate_system(system, Condition(tiny, settings, "unseen_speaker", 0.3), asked_for).trial
        assert trial is not None
        assert trial.generated.shape[1:] == trial.gallery.shape[1:] == (size, size, 3)
    with pytest.raises(ValueError, match="32 px are not stored"):
        evaluate_system(drawn, Condition(tiny, SETTINGS, "unseen_speaker", 0.3), 32)


def test_an_empty_split_is_skipped_with_the_reason(two_speakers: Corpus) -> None:
    settings = replace(SETTINGS, metrics={"l1": {"name": "pixels"}, "recall": {"name": "recall", "k": [1, 5],
                                                                                     "extractor": {"name": "dlib"}}})
    found = evaluate_system(Prior(), Condition(two_speakers, settings, "unseen_speaker", 0.3))
    made = make_rows(found, Prior(), None, Condition(two_speakers, settings, "unseen_speaker", 0.3))
    assert [row["metric"] for row in made] == ["l1", "recall"]
    for row in made:
        assert set(row) == FIELDS
        assert row["value"] is None
        assert row["note"] == "skipped: two has no speaker with clips and faces in unseen_speaker"
        json.dumps(row, allow_nan=False)
    assert "- skipped: l1: two has no speaker" in markdown(made)


def test_rows_say_everything_and_are_json(runs: dict[str, Path], tiny: Corpus) -> None:
    run = gan.load(runs["wav2pix-64"])
    for system, of_run in ((Drawn(run.generator, run.path.name), run), (Prior(), None)):
        found = evaluate_system(system, Condition(tiny, SETTINGS, "unseen_speech", 0.3), 64)
        (row,) = make_rows(found, system, of_run, Condition(tiny, SETTINGS, "unseen_speech", 0.3))
        assert set(row) == FIELDS
        assert json.loads(json.dumps(row, allow_nan=False)) == row
        assert row["protocol"] \
            == dict(name="default", runs=3, seconds=0.3, seed=0, face_size=64, speakers=12, num_faces=36, gallery=24)
        assert (row["corpus"], row["corpus_checksum"], row["split"]) == ("toy-tiny", tiny.checksum, "unseen_speech")
        assert row["interval"][0] < row["value"] < row["interval"][1]
        assert row["higher_is_better"] is False
        assert (row["run"], row["step"]) == ((None, None) if of_run is None else (run.path.name, 30))
        assert row["weights"] == (None if of_run is None else run.weights_checksum)


def test_few_faces_a_speaker_are_the_gallery_and_are_said(tiny: Corpus) -> None:
    found = {}
    for count in (None, 1):
        settings = replace(SETTINGS, faces_per_speaker=count)
        trials = [evaluate_system(system, Condition(tiny, settings, "unseen_speech", seconds), 64).trial
                  for system, seconds in ((Prior(), 0.5), (OracleIdentity(), 0.3))]
        assert trials[0] is not None
        assert trials[1] is not None
        assert np.array_equal(trials[0].gallery, trials[1].gallery)     # for all systems and lengths
        assert len(trials[0].training) == 72                            # a judge learns from all
        found[count] = trials[0]
    assert np.array_equal(found[1].gallery_speaker, np.unique(found[None].gallery_speaker))
    assert np.array_equal(found[1].target, found[None].target)
    for face, speaker in zip(found[1].gallery, found[1].gallery_speaker, strict=True):
        assert (found[None].gallery[found[None].gallery_speaker == speaker] == face).all(axis=(1, 2, 3)).any()


def test_rows_older_than_faces_per_speaker_are_tabled_with_new_ones(tiny: Corpus) -> None:
    def made(count: int | None, system: str) -> dict:
        settings = replace(SETTINGS, faces_per_speaker=count)
        (row,) = make_rows(evaluate_system(Prior(), Condition(tiny, settings, "unseen_speech", 0.3), 64), Prior(), None,
                           Condition(tiny, settings, "unseen_speech", 0.3))
        return row | dict(system=system)

    before = made(None, "before")
    assert set(before["protocol"]) == {"name", "runs", "seconds", "seed", "face_size", "speakers", "num_faces", "gallery"}
    few = made(1, "few")
    assert few["protocol"] == before["protocol"] | dict(faces_per_speaker=1, gallery=12)
    assert len(sections([before, made(None, "now")])) == 1
    one, other = sections([before, few])
    assert "faces per speaker" not in one.intro[0]
    assert "faces per speaker 1" in other.intro[0]
    large = made(100, "all that there are")                             # equal numbers, but another protocol
    assert large["value"] == before["value"]
    assert len(sections([before, large])) == 2


def test_rows_name_the_net_that_was_trained_against(runs: dict[str, Path], tiny: Corpus) -> None:
    run = gan.load(runs["sf2f-64"])
    system = Drawn(run.generator, run.path.name)
    found = evaluate_system(system, Condition(tiny, SETTINGS, "unseen_speaker", 0.3))
    for losses, named in (({}, []), ({"perceptual": {"name": "perceptual", "network": "corpus", "weight": 1.0}}, ["corpus"])):
        run.config.losses = losses
        assert make_rows(found, system, run, Condition(tiny, SETTINGS, "unseen_speaker", 0.3))[0]["trained_against"] == named
    assert make_rows(found, Prior(), None, Condition(tiny, SETTINGS, "unseen_speaker", 0.3))[0]["trained_against"] == []


def test_a_recipe_is_the_same_for_every_training_seed(runs: dict[str, Path], tiny: Corpus) -> None:
    found = evaluate_system(Prior(), Condition(tiny, SETTINGS, "unseen_speaker", 0.3))

    def recipe(system: str = "", **changes: object) -> str:
        """Of a run whose training differed so."""
        run = gan.load(runs["sf2f-64"])
        run.config = replace(run.config, train=replace(run.config.train, **changes))    # type: ignore[arg-type]
        drawn = Drawn(run.generator, run.path.name)
        (row,) = make_rows(found, Shuffled(drawn) if system else drawn, run, Condition(tiny, SETTINGS, "unseen_speaker", 0.3))
        return row["recipe"]

    assert re.fullmatch("sf2f-64-[0-9a-f]{8}", recipe())
    assert recipe() == recipe(seed=1) == recipe(seed=2, device="cuda")
    others = [recipe(batch_size=4), recipe(ema_decay=0.9), recipe(init_from="runs/a", init_modules=["encoder"]),
              recipe(init_from="runs/b", init_modules=["encoder"], seed=1)]
    assert len({recipe(), *others}) == 5
    assert recipe("shuffled") == recipe("shuffled", seed=1) == f"shuffled {recipe()}"
    (row,) = make_rows(found, Prior(), None, Condition(tiny, SETTINGS, "unseen_speaker", 0.3))
    assert row["recipe"] == "prior"


def test_seeds_of_a_recipe_share_a_line_of_the_table(runs: dict[str, Path], tiny: Corpus) -> None:
    made, values = [], []
    for seed in (0, 1, 2):
        run = gan.load(runs["sf2f-64"])
        run.path = run.path.with_name(f"sf2f-64-{seed:08x}")
        run.config = replace(run.config, train=replace(run.config.train, seed=seed))
        system = Drawn(run.generator, run.path.name)
        found = evaluate_system(system, Condition(tiny, replace(SETTINGS, seed=seed), "unseen_speaker", 0.3))
        made += make_rows(found, system, run, Condition(tiny, SETTINGS, "unseen_speaker", 0.3))
        values.append(found.scores[0].value)
    table = markdown(made)
    assert f"| {made[0]['recipe']}, 3 seeds |" in table
    assert f"{np.mean(values):.1f} ± " in table


def test_what_is_not_a_number_becomes_null(tiny: Corpus) -> None:
    found = evaluate_system(Prior(), Condition(tiny, SETTINGS, "unseen_speaker", 0.3), 64)
    odd = Evaluated([Score("odd", 1.0, (math.nan, math.nan), chance=math.nan, upper=None)], found.trial)
    (row,) = make_rows(odd, Prior(), None, Condition(tiny, SETTINGS, "unseen_speaker", 0.3))
    assert (row["value"], row["interval"], row["chance"], row["upper"]) == (1.0, [None, None], None, None)


# -- the results file -------------------------------------------------------------------------------------------------


def test_scores_lie_beside_the_rows(tiny: Corpus, tmp_path: Path) -> None:
    found = evaluate_system(Prior(), Condition(tiny, SETTINGS, "unseen_speech", 0.3), 64)
    made = make_rows(found, Prior(), None, Condition(tiny, SETTINGS, "unseen_speech", 0.3))
    append(tmp_path / "out", made, found)
    append(tmp_path / "out", made, found)
    first, again = read_rows(tmp_path / "out" / "results.jsonl")
    assert first == again
    assert {k: v for k, v in first.items() if k != "scores"} == made[0]
    trial, (score,) = found.trial, found.scores
    with np.load(first["scores"]) as scores:
        assert set(scores) == {"speaker", "clip", "run", "value"}
        assert trial is not None
        assert np.array_equal(scores["speaker"], trial.speaker)
        assert np.array_equal(scores["clip"], trial.clip)
        assert np.array_equal(scores["run"], trial.run)
        assert np.array_equal(scores["value"], score.items)
    assert [path.name for path in (tmp_path / "out" / "scores").iterdir()] == [Path(first["scores"]).name]


def test_what_else_a_metric_tells_is_stored_too(tiny: Corpus, tmp_path: Path) -> None:
    found = evaluate_system(Prior(), Condition(tiny, SETTINGS, "unseen_speech", 0.3), 64)
    taken_for = np.arange(36) % 5
    detailed = Evaluated([replace(found.scores[0], details={"taken_for": taken_for})], found.trial)
    made = make_rows(detailed, Prior(), None, Condition(tiny, SETTINGS, "unseen_speech", 0.3))
    append(tmp_path, made, detailed)
    (row,) = read_rows(tmp_path / "results.jsonl")
    with np.load(row["scores"]) as scores:
        assert set(scores) == {"speaker", "clip", "run", "value", "taken_for"}
        assert np.array_equal(scores["taken_for"], taken_for)
        assert np.array_equal(scores["value"], found.scores[0].items)


APPEND = """
import sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from evaluation.trial import Score
from gan.scoring.rows import Evaluated, append
who, out = sys.argv[1], Path(sys.argv[2])
count = 20_000
trial = SimpleNamespace(speaker=np.arange(count), clip=np.arange(count), run=np.zeros(count, int))
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    shared = [dict(system="both", padding="x" * 5000)]          # the same row, thus the same scores file
    append(out, shared, Evaluated([Score("m", 1.0, items=np.arange(1.0 * count))], trial))
    append(out, [dict(system=who, number=number, part=part, padding="y" * 3000) for part in range(3)],
           Evaluated([Score("m", 1.0)] * 3, trial))
"""


def test_two_processes_append_at_once_and_lose_nothing(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", APPEND, who, str(tmp_path)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[3], text=True)
               for who in ("a", "b")]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        _, said = writer.communicate()
        assert writer.returncode == 0, said
    found = read_rows(tmp_path / "results.jsonl")
    for who, parts in (("a", 3), ("b", 3), ("both", 2)):
        assert sum(row["system"] == who for row in found) == 25 * parts
    for who in ("a", "b"):          # rows of one call stand together, in order
        assert [(row["number"], row["part"]) for row in found if row["system"] == who] \
            == [(number, part) for number in range(25) for part in range(3)]
    (scores_file,) = {row["scores"] for row in found if row["system"] == "both"}
    with np.load(scores_file) as scores:
        assert np.array_equal(scores["value"], np.arange(20_000))


@pytest.mark.parametrize(("content", "said"), [
    (b'{"a": 1}\n{"a": ', "line 2 is not a results row"),
    (b'{"a": 1}\n\n{"a": 2}\n', "line 2 is not a results row"),
    (b"3\n", "line 1 is not a results row"),
    (b'"text"\n', "line 1 is not a results row"),
    (b"[1]\n", "line 1 is not a results row"),
    (b'{"scores": 3}\n', "line 1 is not a results row"),
    (b"\xff\xfe\x00\n", "line 1 is not a results row"),
])
def test_a_line_that_is_no_row_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=said) as error:
        read_rows(tmp_path / "results.jsonl")
    assert str(error.value).startswith(str(tmp_path / "results.jsonl"))
    assert "\n" not in str(error.value)


def test_no_results_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no such results file\. Make one with voxface evaluate"):
        read_rows(tmp_path / "results.jsonl")


# -- evaluate_runs ----------------------------------------------------------------------------------------------------


def test_two_runs_beside_every_control(runs: dict[str, Path], tiny: Corpus, tmp_path: Path,
                                       capsys: pytest.CaptureFixture[str]) -> None:
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
    assert said.err == ""                   # a toy world need not be audited
    pairs = trained_against_all(found)
    assert {(a, "prior"), (a, f"shuffled {a}"), (a, b), (b, a), (b, "oracle-identity")} <= set(pairs)
    assert not any(first in (f"shuffled {a}", "prior") for first, _ in pairs)
    table = markdown(found, Path(), pairs)
    assert "split `unseen_speaker`" in table
    assert f"| {a} − prior |" in table


def test_what_is_shown_is_what_was_scored(runs: dict[str, Path], tiny: Corpus, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    run, scored = gan.load(runs["sf2f-64"]), {}

    def keep(system: System, condition: Condition, *rest: Any) -> Evaluated:
        found = evaluate_system(system, condition, *rest)
        scored[(system.name, *condition[2:])] = found.trial
        return found

    monkeypatch.setattr(gan.scoring.evaluate, "evaluate_system", keep)
    two_lengths = [*ONLY_L1, "evaluation.seconds=[0.6,0.3]"]
    shown = evaluate_runs([run], overrides=two_lengths, splits=["train", "unseen_speaker"], out=tmp_path)
    name = run.path.name
    captions = {"true face": name} | {f"{one}, step 30": one for one in (name, f"shuffled {name}")} \
        | {one: one for one in ("prior", "attribute-oracle", "oracle-voice", "oracle-identity")}
    assert [caption for caption, _ in shown.pictures] == list(captions)         # and no noise
    speakers = [caption.split("\n") for caption in shown.columns]
    assert [split for split, _ in speakers] == 6 * ["seen speech"] + 4 * ["unseen speaker"]     # no more than there are
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
    both = evaluate_runs([], controls=["prior"], overrides=ONLY_L1, corpus_name=str(two_speakers.path),
                         splits=["unseen_speech", "unseen_speaker"], add_controls=False, out=tmp_path)
    assert [caption.split("\n")[0] for caption in both.columns] == 2 * ["unseen speech"]
    capsys.readouterr()
    assert main(["evaluate", *words, str(tmp_path / "x.png"), "--split", "unseen_speaker"]) == 2
    assert "--sheet: no picture, as no split has a speaker" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


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
    evaluate_runs([gan.load(runs["sf2f-64"])], overrides=[*ONLY_L1, "evaluation.runs=1"], splits=["train"], add_controls=False,
                  out=tmp_path)
    (row,) = read_rows(tmp_path / "results.jsonl")
    assert row["split"] == "seen_speech"


def test_another_corpus_is_noted_and_has_no_oracles(runs: dict[str, Path], tiny: Corpus, two_speakers: Corpus,
                                                    tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = gan.load(runs["sf2f-64"])
    evaluate_runs([run], overrides=ONLY_L1, corpus_name=str(two_speakers.path), out=tmp_path)
    said = capsys.readouterr().err
    assert "was trained on toy-tiny" in said
    assert "Note: 2 of 2 speakers of unseen_speech were not trained on." in said
    assert "LEAKS" not in said
    found = read_rows(tmp_path / "results.jsonl")
    elsewhere = {"corpus": "toy-tiny", "checksum": run.corpus["checksum"]}
    strangers = {"strangers": "2 of 2 speakers of unseen_speech were not trained on"}
    assert [row.get("trained_on") for row in found] == \
        [*2 * [[elsewhere | strangers]], None, None, *2 * [[elsewhere]], None, None]
    names = [run.path.name, f"shuffled {run.path.name}", "noise", "prior"]
    assert [(row["system"], row["split"], row["value"] is None) for row in found] \
        == [(n, "unseen_speech", False) for n in names] + [(n, "unseen_speaker", True) for n in names]
    with pytest.raises(ValueError, match="oracle-voice: only the toy world") as error:
        evaluate_runs([run], controls=["oracle-voice"], overrides=ONLY_L1, corpus_name=str(two_speakers.path), add_controls=False,
                      out=tmp_path)
    assert "\n" not in str(error.value)


def test_a_corpus_whose_people_were_trained_on_leaks(runs: dict[str, Path], tiny: Corpus, tmp_path: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
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
    assert gone["trained_on"] == [{"corpus": "gone", "checksum": "0", "unchecked":
                                   "gone is not where it was, so what they share is not known"}]     # no path of this machine


def test_a_corpus_nobody_audited_or_that_leaks_is_warned_of(two_speakers: Corpus, tiny: Corpus, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("gan.audit.verdict.cache_folder", lambda: tmp_path / "cache")

    def warned(corpus: str) -> str:
        capsys.readouterr()
        evaluate_runs([], controls=["prior"], overrides=[*ONLY_L1, "evaluation.runs=1"], corpus_name=corpus,
                      splits=["unseen_speech"], add_controls=False, out=tmp_path)
        return capsys.readouterr().err

    def finding(leak: bool, faulty: int) -> Finding:
        return Finding("a_check", "?", leak=leak, things="clips", unit="s", checked=9,
                       items=[Item("train", f"s{number}", 1.0) for number in range(faulty)])

    two = str(two_speakers.path)
    assert warned("toy:tiny") == ""
    assert warned(two) == f"Warning: two was not audited. See voxface audit {two}\n"
    keep(two_speakers, [finding(leak=True, faulty=2)])
    assert warned(two) == f"Warning: two is not sound: LEAKS: a_check 2 of 9 clips. See voxface audit {two}\n"
    for harmless in (finding(leak=True, faulty=0), finding(leak=False, faulty=2)):      # sound; flawed, but nothing is shared
        keep(two_speakers, [harmless])
        assert warned(two) == ""
    keep(tiny, [finding(leak=True, faulty=2)])
    assert warned("toy:tiny").startswith("Warning: toy-tiny is not sound: LEAKS")


def test_a_run_without_faces_is_named_before_others_are_scored(runs: dict[str, Path], tiny: Corpus, tmp_path: Path) -> None:
    good, other = gan.load(runs["sf2f-64"]), gan.load(runs["sf2f-64"])
    other.generator.decoder, other.path = None, Path("speaker-encoder")
    with pytest.raises(ValueError, match="speaker-encoder: it has no decoder and draws no faces"):
        evaluate_runs([good, other], overrides=[*ONLY_L1, "evaluation.face_size=64"], splits=["unseen_speech"], out=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("overrides", "said"), [
    (["evaluation.run=3"], "evaluation.run: no such key"),
    (["evaluation.metrics.l1.name=pixel"], "no file evaluation/metrics/pixel.py"),
    (["evaluation.seconds=[]"], "evaluation.seconds"),
    (["evaluation.face_size=32"], "32 px are not stored"),
])
def test_mistakes_are_named(overrides: list[str], said: str, tiny: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as error:
        evaluate_runs([], controls=["prior"], overrides=[*ONLY_L1, *overrides], corpus_name="toy:tiny", splits=["unseen_speech"],
                      add_controls=False, out=tmp_path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_judge_names_real_faces_it_never_saw(tiny: Corpus) -> None:
    """After the steps it is given by itself, which are fitted to the number of faces."""
    settings = replace(Evaluation(runs=1), metrics={"identity_accuracy": {"name": "identity_accuracy"}})
    (score,) = evaluate_system(Prior(), Condition(tiny, settings, "unseen_speech", 1.0)).scores
    assert score.upper == 1.0
    assert score.chance == 1 / 12
