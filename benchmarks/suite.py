"""Where the tests' time goes: processor seconds by file, and the slowest tests. What a test starts counts with it.

    python -m benchmarks.suite -n 2                     the whole suite
    python -m benchmarks.suite -n 2 -m "not slow"       what make check runs

All words go to pytest. A session's runs and worlds count where they are made first.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.record import RESULTS, record

SHOWN = 10


def durations(report: Path) -> dict[str, float]:
    """pytest's JUnit report -> the processor seconds of each test, `file::test`, as tests/conftest.py notes them."""
    found: dict[str, float] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        seconds = [float(entry.get("value", 0)) for entry in case.iter("property") if entry.get("name") == "processor_seconds"]
        found[f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"] = sum(seconds)
    return found


def by_file(tests: dict[str, float]) -> dict[str, float]:
    """Their sum by file, the largest first."""
    total: dict[str, float] = defaultdict(float)
    for name, seconds in tests.items():
        total[name.partition("::")[0]] += seconds
    return dict(sorted(total.items(), key=lambda entry: -entry[1]))


def main(arguments: Sequence[str] | None = None, results: Path = RESULTS) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report, began = Path(folder) / "report.xml", time.perf_counter()
        code = subprocess.run([sys.executable, "-m", "pytest", *words, f"--junitxml={report}"], check=False).returncode
        seconds = time.perf_counter() - began
        if not report.is_file():
            return code
        tests = durations(report)
    slowest = sorted(tests.items(), key=lambda entry: -entry[1])[:SHOWN]
    for title, rows in (("by file", by_file(tests).items()), ("slowest", slowest)):
        print(f"\n{title}, processor seconds")
        for name, spent in rows:
            print(f"{spent:8.1f}  {name}")
    record(
        "suite",
        dict(
            tests=len(tests),
            seconds=round(seconds),
            processor_seconds=round(sum(tests.values())),
            exit_code=code,
            slowest={name: round(spent, 1) for name, spent in slowest},
        ),
        results,
    )
    return code


if __name__ == "__main__":
    sys.exit(main())
