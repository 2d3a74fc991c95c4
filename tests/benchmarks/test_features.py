import json
from pathlib import Path

import pytest
import torch

from benchmarks import features, table


@pytest.fixture(autouse=True)
def threads_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_row_a_front_end_that_reads_a_waveform(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    features.main(["--batch-size", "2", "--clip-seconds", "0.5", "--repetitions", "2", "--results", str(results)])
    written = rows(results)
    assert {"log_mel", "log_mel_hamming", "complex_spectrogram", "raw"} <= {row["front_end"] for row in written}
    assert all(front.reads == "waveform" for front in features.front_ends().values())
    for row in written:
        assert row["times_real_time"] == sorted(row["times_real_time"])
        assert row["times_real_time"][0] > 0
        assert row["times_real_time_processor"][0] > 0
    assert "| log_mel | 2 x 0.5 s |" in table.tables(written)


def test_those_named(tmp_path: Path) -> None:
    features.main(["raw", "--clip-seconds", "0.1", "--repetitions", "1", "--results", str(tmp_path / "results.jsonl")])
    (row,) = rows(tmp_path / "results.jsonl")
    assert row["front_end"] == "raw"
    with pytest.raises(ValueError, match="no file gan/features/loud"):
        features.front_ends(["loud"])
