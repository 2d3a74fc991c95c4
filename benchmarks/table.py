"""results.jsonl -> the tables in README.md: the latest measurement of each kind, with the command that took it.

python -m benchmarks.table
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- tables: written by python -m benchmarks.table -->", "<!-- end of tables -->"

Row = dict[str, Any]
# Of reading a film, in the order of benchmarks/preparation.py.
PARTS = ("decoding", "RGB", "cuts", "detection", "points", "measures", "pictures", "embedding", "mouths", "speech")


def _spread(quartiles: Sequence[float], digits: str = ".3g") -> str:
    low, median, high = (f"{value:{digits}}" for value in quartiles)
    return f"{median} ({low} - {high})"


def _times(row: Row) -> str:
    return "-" if row["contender"] == row["against"] else f"{_spread(row['times_slower'], '.2f')} x {row['against']}"


# benchmark -> title, what tells two measurements of it apart, columns.
TABLES: dict[str, tuple[str, tuple[str, ...], dict[str, Callable[[Row], str]]]] = {
    "loader": (
        "Loader, one core",
        ("corpus", "face_size"),
        {
            "corpus": lambda row: row["corpus"],
            "faces": lambda row: f"{row['face_size']} px",
            "samples a second": lambda row: _spread(row["samples_per_second"], ",.0f"),
            "samples a second of processor time": lambda row: _spread(row["samples_per_processor_second"], ",.0f"),
        },
    ),
    "opening": (
        "Opening a corpus",
        ("clips",),
        {
            "clips": lambda row: f"{row['clips']:,}",
            "seconds to open": lambda row: f"{row['seconds_to_open']:.2f}",
            "seconds to the first batch": lambda row: f"{row['seconds_to_first_batch']:.2f}",
            "resident memory grows by": lambda row: f"{row['resident_growth_mb']:.0f} MB",
        },
    ),
    "features": (
        "Feature front ends, one core",
        ("front_end", "batch_size", "clip_seconds"),
        {
            "front end": lambda row: row["front_end"],
            "batch": lambda row: f"{row['batch_size']} x {row['clip_seconds']:g} s",
            "times real time": lambda row: _spread(row["times_real_time"], ",.0f"),
            "by processor time": lambda row: _spread(row["times_real_time_processor"], ",.0f"),
        },
    ),
    "step": (
        "Training step, CPU",
        ("recipe", "batch_size", "threads", "contender"),
        {
            "recipe": lambda row: row["recipe"],
            "batch": lambda row: str(row["batch_size"]),
            "step": lambda row: row["contender"],
            "steps a second": lambda row: f"{1 / row['seconds'][1]:.2f}",
            "seconds a step": lambda row: _spread(row["seconds"]),
            "time, as a multiple": _times,
        },
    ),
    "suite": (
        "The tests",
        ("command",),
        {
            "tests": lambda row: f"{row['tests']:,}",
            "minutes by the clock": lambda row: f"{row['seconds'] / 60:.1f}",
            "processor minutes": lambda row: f"{row['processor_seconds'] / 60:.1f}",
            "slowest, processor seconds": lambda row: "; ".join(f"{name} {spent:g}" for name, spent in row["slowest"].items()),
        },
    ),
    "detectors": (
        "Face detector, worker processes against one",
        ("detector", "face_size", "processes"),
        {
            "detector": lambda row: row["detector"],
            "faces": lambda row: f"{row['faces']} of {row['face_size']} px",
            "processes": lambda row: str(row["processes"]),
            "seconds": lambda row: _spread(row["seconds"][f"{row['processes']} processes"]),
            "seconds, one process": lambda row: _spread(row["seconds"]["one process"]),
            "times faster": lambda row: _spread(row["times_faster"], ".2f"),
        },
    ),
    "evaluation": (
        "Whole evaluation of one model",
        ("model", "corpus", "runs", "rung"),
        {
            "model": lambda row: row["model"],
            "faces drawn": lambda row: f"{row['drawn']}, {row['drawn_unlike']} unlike ({row['corpus']})",
            "evaluation": lambda row: row["rung"],
            "processor seconds": lambda row: f"{row['processor_seconds']:.1f}",
            "pictures through nets": lambda row: f"{row['pictures']:,}",
            "times faster than one at a time": lambda row: f"{row['times_faster']:.2f}",
            "than the row before": lambda row: (
                f"{row['times_faster_than_before']:.2f}" if row["times_faster_than_before"] else "-"
            ),
        },
    ),
    "sweep": (
        "A sweep killed with all its workers and started again, against one left alone",
        ("sweep", "overrides"),
        {
            "sweep": lambda row: row["sweep"],
            "changed": lambda row: f"`{row['overrides']}`" if row["overrides"] else "-",
            "minutes, left alone": lambda row: f"{row['minutes']:.1f}",
            "killed after, seconds": lambda row: ", ".join(f"{seconds:.0f}" for seconds in row["killed_after"]),
            "results rows": lambda row: f"{row['rows']:,}",
            "that differ": lambda row: str(row["different_rows"]),
        },
    ),
    "preparation": (
        "From films to a corpus, against the truth (intervals and notes: preparation.md)",
        ("what",),
        {
            "stage": lambda row: row["stage"],
            "what": lambda row: row["what"],
            "figure": lambda row: "-" if row["value"] is None else f"{row['value']:.3g}",
            "bar": lambda row: row["bar"] or "-",
            "met": lambda row: row["met"] or "-",
        },
    ),
    "preparation_speed": (
        "Reading films, one core: milliseconds a second of film",
        ("film",),
        {
            "film": lambda row: row["film"],
            "times real time": lambda row: f"{row['times']:.2f}",
            **{part: lambda row, part=part: f"{row[part]:.0f}" for part in (*PARTS, "rest")},
        },
    ),
    "frechet": (
        "Frechet distance, beside pytorch-fid's",
        ("dimensions", "faces", "given"),
        {
            "dimensions": lambda row: str(row["dimensions"]),
            "faces a set": lambda row: str(row["faces"]),
            "given": lambda row: row["given"],
            "seconds": lambda row: _spread(row["seconds"]),
            "seconds, pytorch-fid": lambda row: _spread(row["seconds_pytorch_fid"]),
            "times faster": lambda row: _spread(row["times_faster"], ".1f"),
            "relative difference": lambda row: f"{row['relative_difference']:.0e}",
        },
    ),
}


def tables(rows: Iterable[Row]) -> str:
    """Markdown: one table a benchmark; of several measurements of one thing, the last."""
    rows = list(rows)
    text = []
    for benchmark, (title, key, columns) in TABLES.items():
        latest = {tuple(row[name] for name in key): row for row in rows if row["benchmark"] == benchmark}
        if not latest:
            continue
        text += [f"### {title}", "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
        text += ["| " + " | ".join(show(row) for show in columns.values()) + " |" for row in latest.values()]
        taken = dict.fromkeys(
            f"`{row['command']}`, {row['date']}, {row['cores']} cores "
            f"({', '.join(row[key] for key in ('machine', 'cpu_capability') if key in row)}), {row['threads']} "
            f"thread{'s' if row['threads'] > 1 else ''}, {row['device'].upper()}, torch {row['torch'].partition('+')[0]}"
            for row in latest.values()
        )
        text += ["", *(f"Taken by {line}." for line in taken), ""]
    return "\n".join(text)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: benchmarks/results.jsonl")
    parser.add_argument("--readme", type=Path, default=README, help="file to write them into (default: benchmarks/README.md)")
    options = parser.parse_args(arguments)
    written = tables(json.loads(line) for line in options.results.read_text(encoding="utf-8").splitlines())
    before, begin, rest = options.readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{options.readme}: the lines {BEGIN} and {END} mark where the tables go; they are missing.")
    options.readme.write_text(f"{before}{BEGIN}\n\n{written}\n{END}{after}", encoding="utf-8")
    print(written)


if __name__ == "__main__":
    main()
