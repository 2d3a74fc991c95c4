import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gan
import gan.scoring.evaluate
import gan.scoring.systems
from evaluation.tables.table import markdown, sections
from evaluation.trial import Score
from gan.data.corpus import Corpus
from gan.scoring.evaluate import evaluate_system
from gan.scoring.requests import Condition
from gan.scoring.rows import Evaluated, append, make_rows, read_rows
from gan.scoring.systems import (
    Drawn,
    OracleIdentity,
    Prior,
    Shuffled,
)
from tests.gan.scoring.cases import FIELDS, SETTINGS


def test_rows_say_everything_and_are_json(runs: dict[str, Path], tiny: Corpus) -> None:
    run = gan.load(runs["wav2pix-64"])
    for system, of_run in ((Drawn(run.generator, run.path.name), run), (Prior(), None)):
        found = evaluate_system(system, Condition(tiny, SETTINGS, "unseen_speech", 0.3), 64)
        (row,) = make_rows(found, system, of_run, Condition(tiny, SETTINGS, "unseen_speech", 0.3))
        assert set(row) == FIELDS
        assert json.loads(json.dumps(row, allow_nan=False)) == row
        assert row["protocol"] == dict(
            name="default", runs=3, seconds=0.3, seed=0, face_size=64, speakers=12, num_faces=36, gallery=24
        )
        assert (row["corpus"], row["corpus_checksum"], row["split"]) == ("toy-tiny", tiny.checksum, "unseen_speech")
        assert row["interval"][0] < row["value"] < row["interval"][1]
        assert row["higher_is_better"] is False
        assert (row["run"], row["step"]) == ((None, None) if of_run is None else (run.path.name, 30))
        assert row["weights"] == (None if of_run is None else run.weights_checksum)


@pytest.mark.slow
def test_few_faces_a_speaker_are_the_gallery_and_are_said(tiny: Corpus) -> None:
    found = {}
    for count in (None, 1):
        settings = replace(SETTINGS, faces_per_speaker=count)
        trials = [
            evaluate_system(system, Condition(tiny, settings, "unseen_speech", seconds), 64).trial
            for system, seconds in ((Prior(), 0.5), (OracleIdentity(), 0.3))
        ]
        assert trials[0] is not None
        assert trials[1] is not None
        assert np.array_equal(trials[0].gallery, trials[1].gallery)  # for all systems and lengths
        assert len(trials[0].training) == 72  # a judge learns from all
        found[count] = trials[0]
    assert np.array_equal(found[1].gallery_speaker, np.unique(found[None].gallery_speaker))
    assert np.array_equal(found[1].target, found[None].target)
    for face, speaker in zip(found[1].gallery, found[1].gallery_speaker, strict=True):
        assert (found[None].gallery[found[None].gallery_speaker == speaker] == face).all(axis=(1, 2, 3)).any()


def test_rows_older_than_faces_per_speaker_are_tabled_with_new_ones(tiny: Corpus) -> None:
    def made(count: int | None, system: str) -> dict:
        settings = replace(SETTINGS, faces_per_speaker=count)
        (row,) = make_rows(
            evaluate_system(Prior(), Condition(tiny, settings, "unseen_speech", 0.3), 64),
            Prior(),
            None,
            Condition(tiny, settings, "unseen_speech", 0.3),
        )
        return row | dict(system=system)

    before = made(None, "before")
    assert set(before["protocol"]) == {"name", "runs", "seconds", "seed", "face_size", "speakers", "num_faces", "gallery"}
    few = made(1, "few")
    assert few["protocol"] == before["protocol"] | dict(faces_per_speaker=1, gallery=12)
    assert len(sections([before, made(None, "now")])) == 1
    one, other = sections([before, few])
    assert "faces per speaker" not in one.intro[0]
    assert "faces per speaker 1" in other.intro[0]
    large = made(100, "all that there are")  # equal numbers, but another protocol
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


@pytest.mark.slow
def test_a_recipe_is_the_same_for_every_training_seed(runs: dict[str, Path], tiny: Corpus) -> None:
    found = evaluate_system(Prior(), Condition(tiny, SETTINGS, "unseen_speaker", 0.3))

    def recipe(system: str = "", **changes: object) -> str:
        """Of a run whose training differed so."""
        run = gan.load(runs["sf2f-64"])
        run.config = replace(run.config, train=replace(run.config.train, **changes))  # type: ignore[arg-type]
        drawn = Drawn(run.generator, run.path.name)
        (row,) = make_rows(found, Shuffled(drawn) if system else drawn, run, Condition(tiny, SETTINGS, "unseen_speaker", 0.3))
        return row["recipe"]

    assert re.fullmatch("sf2f-64-[0-9a-f]{8}", recipe())
    assert recipe() == recipe(seed=1) == recipe(seed=2, device="cuda")
    others = [
        recipe(batch_size=4),
        recipe(ema_decay=0.9),
        recipe(init_from="runs/a", init_modules=["encoder"]),
        recipe(init_from="runs/b", init_modules=["encoder"], seed=1),
    ]
    assert len({recipe(), *others}) == 5
    assert recipe("shuffled") == recipe("shuffled", seed=1) == f"shuffled {recipe()}"
    (row,) = make_rows(found, Prior(), None, Condition(tiny, SETTINGS, "unseen_speaker", 0.3))
    assert row["recipe"] == "prior"


@pytest.mark.slow
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


@pytest.mark.slow
def test_two_processes_append_at_once_and_lose_nothing(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", APPEND, who, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
            text=True,
        )
        for who in ("a", "b")
    ]
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
    for who in ("a", "b"):  # rows of one call stand together, in order
        assert [(row["number"], row["part"]) for row in found if row["system"] == who] == [
            (number, part) for number in range(25) for part in range(3)
        ]
    (scores_file,) = {row["scores"] for row in found if row["system"] == "both"}
    with np.load(scores_file) as scores:
        assert np.array_equal(scores["value"], np.arange(20_000))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1}\n{"a": ', "line 2 is not a results row"),
        (b'{"a": 1}\n\n{"a": 2}\n', "line 2 is not a results row"),
        (b"3\n", "line 1 is not a results row"),
        (b'"text"\n', "line 1 is not a results row"),
        (b"[1]\n", "line 1 is not a results row"),
        (b'{"scores": 3}\n', "line 1 is not a results row"),
        (b"\xff\xfe\x00\n", "line 1 is not a results row"),
    ],
)
def test_a_line_that_is_no_row_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=said) as error:
        read_rows(tmp_path / "results.jsonl")
    assert str(error.value).startswith(str(tmp_path / "results.jsonl"))
    assert "\n" not in str(error.value)


def test_no_results_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"results\.jsonl: .*voxface evaluate"):
        read_rows(tmp_path / "results.jsonl")
