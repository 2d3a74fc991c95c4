import json
from pathlib import Path

import pytest
import torch

from benchmarks import frechet, table


@pytest.fixture(autouse=True)
def threads_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)


def test_a_row_for_each_size_and_what_is_given(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    frechet.main(["--size", "12", "40", "--size", "12", "8", "--repetitions", "2", "--results", str(results)])
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert [(row["faces"], row["given"]) for row in rows] == [(faces, given) for faces in (40, 8) for given in frechet.GIVEN]
    for row in rows:
        assert row["relative_difference"] < 1e-3
        assert row["times_faster"] == sorted(row["times_faster"])
    text = table.tables(rows)
    assert "### Frechet distance" in text
    assert "| 12 | 40 | statistics |" in text
