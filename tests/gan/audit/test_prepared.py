from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.audit.prepared import draw_kept, tables
from gan.audit.report import audit
from gan.data.corpus import Corpus
from tests.gan.audit.planted import Planted


@pytest.fixture
def filmed(planted: Planted) -> Planted:
    """As if cut from films: two people share one, everyone else has one; faces of growing quality, clips of growing ratios."""
    planted.films = {key: "shared" if key in ((0, 0), (1, 0)) else f"film {key[0]} {key[1]}" for key in planted.names}
    for number, key in enumerate(planted.names):
        planted.face_facts[key] = {"quality": number, "asymmetry": 0.1, "track": number % 2, "seconds": 3.0}
        planted.clip_facts[key] = {"speech_to_pause_db": number - 1.0, "start_s": 2.0} if number else {"start_s": 1.0}
    planted.extra = {"dropped": {"turned": 3, "blurred | odd": 12}}
    return planted


def test_tables_by_hand(filmed: Planted, tmp_path: Path) -> None:
    lines = tables(filmed.write(tmp_path / "c"))
    assert lines[:2] == ["## What the preparation knew", ""]
    assert [line for line in lines if line.startswith(("21 films", "| 1 |", "| 2 |"))] == ["21 films:", "| 1 | 20 |", "| 2 | 1 |"]
    at = lines.index("| speech over pauses, dB | clips |")
    counts = [int(line.split("|")[2]) for line in lines[at + 2 : at + 10]]
    assert counts == [0, 5, 5, 5, 5, 1, 0, 1]
    assert "| quality | 22 | 0 | 1.05 | 5.25 | 10.5 | 15.75 | 19.95 | 21 |" in lines
    assert not [line for line in lines if line.startswith(("| seconds", "| start_s", "| track", "| jaw"))]
    assert "- 22 of 22 faces are of 21 tracks." in lines  # two in the shared film have one number, so are one track
    assert lines[-2:] == ["| blurred \\| odd | 12 |", "| turned | 3 |"]


def test_of_a_corpus_without_films_nothing_is_said(planted: Planted, tmp_path: Path) -> None:
    corpus = planted.write(tmp_path / "c")
    assert tables(corpus) == []
    assert draw_kept(corpus) is None


def test_the_sheet_shows_best_and_worst(filmed: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[list[str]] = []
    monkeypatch.setattr(
        "gan.audit.prepared.draw_album",
        lambda sections: shown.extend([title, *(captions[0] for _, captions in items)] for title, items in sections),
    )
    draw_kept(filmed.write(tmp_path / "c"))
    assert [section[0] for section in shown] == [
        "kept: best by quality (20 of 22)",
        "kept: worst by quality (20 of 22)",
        "kept: largest asymmetry (20 of 22)",
    ]
    assert (shown[0][1], shown[1][1]) == ("face 21, 21", "face 0, 0")


def test_the_report_opens_with_the_sheets(
    filmed: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path / "cache"))
    corpus = filmed.write(tmp_path / "c")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "c" / "dropped_faces.png")
    out = tmp_path / "out"
    audit(str(tmp_path / "c"), out, quick=True)
    report = (out / "report.md").read_text(encoding="utf-8")
    assert report.index("Look first at kept_faces.png and dropped_faces.png") < report.index("| check |")
    assert "## What the preparation knew" in report
    assert sorted(path.name for path in out.glob("*.png")) == ["dropped_faces.png", "kept_faces.png"]
    with Image.open(out / "kept_faces.png") as sheet:
        assert sheet.height > 3 * 96
    assert "kept_faces.png" in capsys.readouterr().out
    (tmp_path / "c" / "dropped_faces.png").unlink()
    audit(str(tmp_path / "c"), out, quick=True)
    assert not (out / "dropped_faces.png").exists()  # an earlier audit's
    Corpus(corpus.path).verify()
