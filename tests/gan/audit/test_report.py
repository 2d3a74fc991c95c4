import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.audit.report import audit, draw_sheet, examine, markdown
from gan.audit.verdict import verdict, verdict_of
from gan.data.corpus import Corpus
from gan.raw.youtubers import prepare_youtubers
from tests.gan.audit.planted import Planted

SAMPLE = os.environ.get("VOXFACE_REAL_SAMPLE")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, entered, with a cache of its own: other tests' verdicts are not found there."""
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.floor
@pytest.mark.parametrize("quick", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_toy_world_is_sound(
    quick: bool, tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert audit("toy:tiny", quick=quick) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("**SOUND: no leak between splits, no flaw.")
    assert printed.count("| sound | 0 |") == (8 if quick else 10)
    assert sorted(path.name for path in Path("audit-toy-tiny").iterdir()) == ["items.csv", "report.md"]
    assert Path("audit-toy-tiny/report.md").read_text(encoding="utf-8") in printed
    assert str(verdict_of(tiny)).startswith("SOUND: no leak between splits, no flaw.")


@pytest.mark.slow
def test_everything_at_once(planted: Planted, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fault of every kind, each found by its check and by no other."""
    random = np.random.default_rng(0)
    planted.names[2, 3] = "talk0"
    planted.clips[0, 3][:] = planted.clips[0, 0]
    planted.faces[3, 3] = planted.faces[3, 0]
    planted.faces[1, 1] = random.integers(0, 256, (128, 128, 3), np.uint8)
    planted.clips[3, 1] = np.zeros(9_000, np.int16)
    planted.clips[1, 3] = random.normal(0, 900, 32_000).astype(np.int16)
    planted.clips[4, 1] = np.clip(planted.clips[4, 1].astype(int) * 20, -32768, 32767).astype(np.int16)
    del planted.faces[5, 0], planted.faces[5, 1], planted.faces[5, 2]
    corpus = planted.write(here / "faulty")
    assert audit("faulty", Path("out")) == 1
    with open("out/items.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    clip, face = planted.clip_numbers, planted.face_numbers
    assert {(row["check"], row["split"], row["speaker"], row["recording"], row["clip"], row["face"]) for row in rows} == {
        ("shared_recording", "unseen_speech", "s2", "talk0", "", ""),
        ("shared_audio", "unseen_speech", "s0", "talk3", str(clip[0, 3]), ""),
        ("shared_face", "unseen_speech", "s3", "talk3", "", str(face[3, 3])),
        ("imbalance", "unseen_speaker", "s5", "", "", ""),
        ("silent", "train", "s3", "talk1", str(clip[3, 1]), ""),
        ("clipped", "val_speaker", "s4", "talk1", str(clip[4, 1]), ""),
        ("speechless", "unseen_speech", "s1", "talk3", str(clip[1, 3]), ""),
        ("no_face", "train", "s1", "talk1", "", str(face[1, 1])),
        ("label_noise", "train", "s1", "talk1", "", str(face[1, 1])),
    }
    said = verdict_of(corpus)
    assert said is not None
    assert said.startswith("LEAKS: shared_recording 1 of 22 recordings, shared_audio 1 of 22 clips, shared_face 1 of 19 faces, ")
    assert f"**{said}**" in capsys.readouterr().out
    with Image.open("out/suspicious_faces.png") as sheet:
        assert sheet.width > 3 * 2 * 96
        assert "Real faces" in sheet.text["Description"]  # type: ignore[attr-defined]


def test_a_sheet_of_an_earlier_audit_goes(planted: Planted, tiny: Corpus, here: Path) -> None:
    planted.write(here / "good")
    (here / "audit-good").mkdir()
    (here / "audit-good" / "suspicious_faces.png").write_bytes(b"old")
    assert audit("good", quick=True) == 0
    assert not (here / "audit-good" / "suspicious_faces.png").exists()


def test_a_few_flaws_are_tolerated_and_listed(planted: Planted, here: Path) -> None:
    planted.clips[3, 1] = np.zeros(9_000, np.int16)
    corpus = planted.write(here / "c")
    findings = examine(corpus, quick=True)
    few = [type(finding)(**vars(finding) | {"checked": 100}) for finding in findings]
    assert verdict(few) == "SOUND: no leak between splits, 1 flaws within what is tolerated. Not checked: no_face, label_noise."
    assert "| silent | tolerated | 1 | 100 clips |" in markdown(corpus, few)
    assert verdict(findings).startswith("FLAWED: silent 1 of 22 clips.")


@pytest.mark.slow
def test_a_corpus_without_faces(planted: Planted, here: Path) -> None:
    planted.faces.clear()
    findings = examine(planted.write(here / "c"))
    assert {finding.check for finding in findings if finding.failed} == {"imbalance"}
    assert draw_sheet(Corpus(here / "c"), findings) is None


def test_no_such_corpus(here: Path) -> None:
    with pytest.raises(ValueError, match="nowhere has no corpus"):
        audit("nowhere")
    assert not list(here.glob("audit*"))


@pytest.mark.slow
@pytest.mark.skipif(not SAMPLE, reason="VOXFACE_REAL_SAMPLE does not name the youtubers sample")
@pytest.mark.parametrize("keep_split", [True, False])
def test_the_published_split_leaks_and_ours_does_not(keep_split: bool, here: Path) -> None:
    prepare_youtubers(str(SAMPLE), "youtubers", keep_split=keep_split)
    corpus = Corpus("youtubers")
    audit("youtubers", quick=True)
    leaks = {finding.check: finding.num_offending for finding in examine(corpus, quick=True) if finding.leak}
    found = corpus.info["extra"]["report"]["test_in_train"]["clips"] if keep_split else 0
    assert leaks == {"shared_recording": 0, "shared_audio": found, "shared_face": 0}
    assert str(verdict_of(corpus)).startswith("LEAKS") is keep_split
