import json
from pathlib import Path

import pytest

from benchmarks import suite

TESTS = """
import subprocess, sys

def spin(times):
    return sum(range(times))

def test_quick():
    spin(10)

def test_spins():
    spin(6_000_000)

def test_starts_one_that_spins():
    subprocess.run([sys.executable, "-c", "sum(range(20_000_000))"], check=True)

def test_fails():
    assert False
"""


@pytest.mark.slow
def test_processor_time_by_test_and_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder with the hooks of tests/conftest.py alone; what a test starts counts with it; the code is handed on."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_setup, pytest_runtest_teardown\n")
    (tmp_path / "test_some.py").write_text(TESTS)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    assert suite.main(["-p", "no:cacheprovider", str(tmp_path)], tmp_path / "results.jsonl") == 1
    row = json.loads((tmp_path / "results.jsonl").read_text())
    assert (row["tests"], row["exit_code"]) == (4, 1)
    names = [name.partition("::")[2] for name in row["slowest"]]
    assert names[:2] == ["test_starts_one_that_spins", "test_spins"]
    printed = capsys.readouterr().out
    assert "by file, processor seconds" in printed
    assert "test_some.py\n" in printed
