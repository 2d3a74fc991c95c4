import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import loader
from gan.data.corpus import Corpus


@pytest.fixture(autouse=True)
def threads_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_speed_at_both_sizes(tiny: Corpus, tmp_path: Path) -> None:
    loader.main(["--corpus", "toy:tiny", "--repetitions", "2", "--results", str(tmp_path / "results.jsonl")])
    written = rows(tmp_path / "results.jsonl")
    assert [row["face_size"] for row in written] == [64, 128]
    for row in written:
        assert row["samples_per_second"] == sorted(row["samples_per_second"])
        assert row["samples_per_second"][0] > 0


def test_a_synthetic_corpus_is_a_corpus(tmp_path: Path) -> None:
    loader.write_synthetic(tmp_path / "corpus", num_clips=500, num_speakers=50)
    corpus = Corpus(tmp_path / "corpus")
    assert len(corpus.clips) == 500
    assert len(corpus.waveform(499)) == loader.CLIP_SAMPLES
    batch = loader.batches(corpus, 64)[0]
    assert batch.waveform.shape == (loader.BATCH_SIZE, 20_000)
    assert batch.face.shape == batch.mismatched_face.shape == (loader.BATCH_SIZE, 3, 64, 64)
    for index in (corpus.clips, corpus.faces):  # a test speaker has test items only
        of_tested = np.isin(index["speaker"], np.arange(9, 50, 10))
        assert (index["split"][of_tested] == 4).all()
        assert set(index["split"][~of_tested]) == {0, 3}
    assert sum(path.stat().st_blocks for path in tmp_path.rglob("*.npy")) * 512 < 5 << 20  # sparse


@pytest.mark.slow
def test_opening_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    loader.main(["--million", "--clips", "1000", "--speakers", "50", "--results", str(tmp_path / "results.jsonl")])
    (row,) = rows(tmp_path / "results.jsonl")
    assert row["clips"] == 1000
    assert row["seconds_to_first_batch"] >= row["seconds_to_open"] >= 0
    assert row["resident_growth_mb"] > 0
