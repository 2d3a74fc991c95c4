import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import preparation as benchmark
from benchmarks import table
from benchmarks.channel import Share, _films
from benchmarks.preparation import Figure, auc, drawn_again, share
from gan.data.toy.films import Film, dubbed

NEEDED = ("av", "silero_vad", "face_recognition_models")
TINY = {
    "channel": ("speaker", "stranger"),
    "two_faces": ("turns",),
    "lone_faces": ("listener",),
    "tracks": ("stranger", "speaker"),
    "under_music": ("music_alone", "music"),
    "poor": ("still", "dark"),
    "overlaid": ("speaker",),
}


@pytest.fixture(autouse=True)
def threads_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)


def test_a_bar_is_met_by_the_near_end_of_the_interval() -> None:
    assert share("found", Share(1000, 1000), "faces", least=0.98).met == "yes"
    assert share("found", Share(20, 20), "faces", least=0.98).met == "figure only"
    assert share("found", Share(90, 100), "faces", least=0.98).met == "**no**"
    assert share("false", Share(0, 1000), "faces", most=0.05).met == "yes"
    assert share("false", Share(30, 100), "faces", most=0.05).met == "**no**"
    assert share("false", Share(0, 0), "faces", most=0.05).met == "no data"
    assert share("as it is", Share(1, 2), "faces").met == ""
    assert share("late", Share(1, 2), "faces", most=1.0, unit=" ms").bar == "<= 1 ms"


def test_an_interval_by_drawing_again_holds_its_figure() -> None:
    rng = np.random.default_rng(0)
    there = rng.uniform(1, 3, 50)
    found = drawn_again("covered", (there * rng.uniform(0.8, 1, 50)).tolist(), there.tolist(), "scenes")
    assert 0.85 < found.low < found.value < found.high < 0.95
    assert np.isnan(drawn_again("covered", [], [], "scenes").value)


def test_auc_of_pairs() -> None:
    assert auc("all", [2, 3], [0, 1], "segments").value == 1
    assert auc("ties", [1, 1], [1, 1], "segments").value == 0.5
    assert np.isnan(auc("none", [], [1], "segments").value)


def tiny(name: str, seed: int, people: int, films: int, size: tuple[int, int]) -> Iterator[Film]:
    lengths = {"face_px": (90.0, 100.0), "seconds": (2.7, 2.9), "two_seconds": (2.6, 2.8)}
    made = list(_films(seed, people, films, size, TINY[name], **lengths))
    for number, film in enumerate(made):
        yield dubbed(film, made[number - 1]) if name == "overlaid" else film


@pytest.mark.slow
@pytest.mark.skipif(not all(map(importlib.util.find_spec, NEEDED)), reason="needs what reads films and finds faces")
def test_every_row_of_a_tiny_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(benchmark, "SIZE", (320, 180))
    monkeypatch.setattr(benchmark, "BOOTSTRAPS", 40)
    monkeypatch.setattr(benchmark, "PICTURES", 2)
    monkeypatch.setattr(benchmark, "FILM_SECONDS", 2.3)
    monkeypatch.setattr(benchmark, "PLAN", {name: ((1 + (name in ("channel", "overlaid")), 1), (1, 1)) for name in TINY})
    monkeypatch.setattr(benchmark, "SETS", {name: lambda *rest, name=name: tiny(name, *rest) for name in TINY})
    report, results = tmp_path / "preparation.md", tmp_path / "results.jsonl"
    command = [str(tmp_path / "films"), "--seed", "3", "--note", "A test.", "--report", str(report), "--results", str(results)]
    benchmark.main(command)
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    by_name = {row["what"]: row for row in rows if row["benchmark"] == "preparation"}
    assert by_name["cuts found, at their frame"]["met"] in ("yes", "figure only")
    assert by_name["tracks of two people"]["value"] == 0
    assert by_name["faces found, 90 px or more, yaw to 0.6 rad"]["value"] > 0.9
    assert by_name["sound against its plan, worst film"]["value"] < 1
    assert by_name["pictures against their plan, worst cut"]["value"] < 1
    assert by_name["speech found, music 5 or 10 dB below"]["value"] > 0.8
    assert {row["film"] for row in rows if row["benchmark"] == "preparation_speed"} == {"one face", "two faces"}
    text = report.read_text()
    assert "A test." in text
    assert "core hours" in text
    assert "| one face |" in table.tables(rows)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("films/**/*.*") if path.suffix in (".mp4", ".bin")}
    assert before
    assert Figure("a", 1.0, np.nan, np.nan, "of").met == ""
    capsys.readouterr()
