"""voxface table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gan.config import nearest

ABOUT = "results rows -> Markdown, LaTeX, CSV, plots"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", nargs="*", type=Path, default=[Path("results.jsonl")], help="results files (default: results.jsonl)"
    )
    parser.add_argument("--format", choices=("markdown", "latex", "csv"), default="markdown", help="how it is written")
    parser.add_argument(
        "--layout",
        type=Path,
        metavar="FILE",
        help="a YAML file that says which rows and columns (docs/tables.md), or a sweep's with such a section",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        action="append",
        metavar=("A", "B"),
        help="which paired differences, A minus B by speaker, to show: systems or recipes; may be repeated "
        "(default: every trained system against every other row; with --layout, its first row against all)",
    )
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the table there too, as PNG and PDF")


def execute(args: argparse.Namespace) -> int:
    from evaluation.tables.layout import read_layout
    from evaluation.tables.rows import csv
    from evaluation.tables.table import latex, markdown, sections
    from gan.scoring.rows import read_rows, trained_against_all

    rows = [row for path in args.results for row in read_rows(path)]
    layout = read_layout(args.layout) if args.layout else None
    names = dict.fromkeys(str(row[key]) for key in ("system", "recipe") for row in rows if row.get(key) is not None)
    for name in (name for pair in args.compare or () for name in pair):
        if name not in names:
            raise ValueError(f"--compare: no row is of a system {name}. Have: {', '.join(names)}." + nearest(name, names))
    pairs = args.compare or (None if layout else trained_against_all(rows))
    if args.format == "csv":
        print(csv(rows), end="")
    else:
        print({"markdown": markdown, "latex": latex}[args.format](rows, Path(), pairs, layout), end="")
    if args.compare and not any(section.differences for section in sections(rows, Path(), pairs, layout)):
        print("--compare: none of these pairs has scores of the same faces, one by one, in one table.", file=sys.stderr)
    if args.plots:
        from evaluation.tables.plots import draw

        print(f"{len(draw(rows, args.plots, layout))} plots in {args.plots}", file=sys.stderr)
    return 0
