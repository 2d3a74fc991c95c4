"""What an older version made is read, gone on with and found done by this one. tests/fixtures/README.md tells how it was made."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gan
from gan.__main__ import main
from gan.data.corpus import Corpus

MADE = Path(__file__).parent / "fixtures" / "33ff0c6"
RUN = "trained/recipe-abcbf983"


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder is a copy, where the same commands can be given again."""
    shutil.copytree(MADE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def rows(path: str) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_a_corpus_opens_and_is_intact() -> None:
    corpus = Corpus("people")
    corpus.verify()
    assert len(corpus.speakers) == 3
    assert corpus.face_sizes == (16, 32)


def test_a_run_draws_the_very_face_it_drew() -> None:
    run = gan.load(RUN, device="cpu")
    assert (run.step, run.num_identities) == (2, 3)
    before = np.asarray(Image.open("trained/drawn.png")).astype(int)
    now = run.generate(Corpus("people").waveform(0) / 32768)
    assert np.abs(now - before).max() <= 1  # of 255: another CPU sums in another order


@pytest.mark.slow
@pytest.mark.floor
def test_a_run_is_found_by_its_command_and_prolonged(capsys: pytest.CaptureFixture) -> None:
    assert main(["train", "recipe.yaml", "--runs", "trained", "train.steps=4"]) == 0
    assert f"Going on with {RUN}: step 2 of 4" in capsys.readouterr().out
    assert gan.load(RUN, device="cpu").step == 4
    assert [row["step"] for row in rows(f"{RUN}/metrics.jsonl")] == [1, 2, 3, 4]


def test_a_run_is_scored_as_before_and_tabled_with_its_old_rows(capsys: pytest.CaptureFixture) -> None:
    assert main(["evaluate", RUN, "--out", "new", "--device", "cpu"]) == 0
    old, new = ({row["system"]: row for row in rows(f"{place}/results.jsonl")} for place in ("trained", "new"))
    assert list(new) == list(old)
    for system, row in new.items():
        assert row["protocol"] == old[system]["protocol"]
        assert row["corpus_checksum"] == old[system]["corpus_checksum"]
        assert row["value"] == pytest.approx(old[system]["value"], abs=0.01), system
    capsys.readouterr()
    assert main(["table", "trained/results.jsonl"]) == 0
    assert "recipe-abcbf983" in capsys.readouterr().out


def test_a_sweep_is_found_done_and_tabled_again(capsys: pytest.CaptureFixture) -> None:
    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in Path("swept/cells").rglob("*") if path.suffix in (".json", ".txt", ".pt")}

    before, table = contents(), Path("swept/table.csv").read_text()
    for written in ("results.jsonl", "table.csv", "table.md"):
        Path("swept", written).unlink()
    assert main(["sweep", "status", "sweep.yaml", "--out", "swept"]) == 0
    assert "waiting" not in capsys.readouterr().out
    assert main(["sweep", "run", "sweep.yaml", "--out", "swept"]) == 0
    assert "1 of 1 cells done" in capsys.readouterr().out
    assert contents() == before
    assert Path("swept/table.csv").read_text() == table
