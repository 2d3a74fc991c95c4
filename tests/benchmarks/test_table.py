import json
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.record import interleaved, ratios, record

STEP = dict(
    benchmark="step",
    recipe="r",
    batch_size=8,
    threads=2,
    against="ours",
    command="python -m benchmarks.step r",
    date="2000-01-01",
    cores=2,
    machine="x86_64",
    device="cpu",
    torch="2.0+cpu",
)


def test_the_last_measurement_of_each_thing_is_shown() -> None:
    rows = [
        STEP | dict(contender="ours", seconds=[9, 9, 9], times_slower=[1, 1, 1]),
        STEP | dict(contender="ours", seconds=[0.25, 0.5, 1], times_slower=[1, 1, 1]),
        STEP | dict(contender="published", seconds=[1, 1, 1], times_slower=[1.5, 2, 2.5], cpu_capability="AVX2"),
    ]
    text = table.tables(rows)
    assert "| r | 8 | ours | 2.00 | 0.5 (0.25 - 1) | - |" in text
    assert "| r | 8 | published | 1.00 | 1 (1 - 1) | 2.00 (1.50 - 2.50) x ours |" in text
    assert "Taken by `python -m benchmarks.step r`, 2000-01-01, 2 cores (x86_64), 2 threads, CPU, torch 2.0." in text
    assert text.count("2 cores (x86_64, AVX2)") == 1  # which older measurements do not tell
    assert "Loader" not in text


def test_readme_keeps_what_stands_round_the_tables(tmp_path: Path) -> None:
    results, readme = tmp_path / "results.jsonl", tmp_path / "README.md"
    results.write_text(json.dumps(STEP | dict(contender="ours", seconds=[1, 1, 1], times_slower=[1, 1, 1])) + "\n")
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    for _ in range(2):  # the second time changes nothing
        table.main(["--results", str(results), "--readme", str(readme)])
        text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("| ours |") == 1
    readme.write_text("no marks")
    with pytest.raises(SystemExit, match="mark where the tables go"):
        table.main(["--results", str(results), "--readme", str(readme)])


def test_the_shipped_readme_shows_the_shipped_results() -> None:
    rows = [json.loads(line) for line in table.RESULTS.read_text(encoding="utf-8").splitlines()]
    assert table.tables(rows) in table.README.read_text(encoding="utf-8")


def test_contenders_take_turns_and_each_begins_as_often() -> None:
    order: list[str] = []
    seconds = interleaved({name: lambda name=name: order.append(name) for name in "ab"}, repetitions=4)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab" + "ba"
    assert {name: len(values) for name, values in seconds.items()} == {"a": 4, "b": 4}


def test_ratios_are_within_a_repetition() -> None:
    """A machine that slows down tenfold half-way changes no ratio."""
    assert ratios({"ours": [1, 1, 10, 10], "other": [2, 2, 20, 20]}, of="ours", to="other") == [2, 2, 2]


def test_a_row_says_how_to_take_it_again(tmp_path: Path) -> None:
    record("step", {"seconds": [1]}, tmp_path / "results.jsonl")
    row = json.loads((tmp_path / "results.jsonl").read_text())
    assert {"benchmark", "seconds", "date", "command", "cores", "threads", "device", "torch"} <= set(row)
