"""voxface audit."""

from __future__ import annotations

import argparse
from pathlib import Path

ABOUT = (
    "is a corpus sound? leaks between splits, imbalance, bad clips and faces\n\n"
    "Exit code 0: sound; 1: it leaks, or has too many flaws; 2: a mistake in what was asked."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", help="a corpus folder or toy:SIZE")
    parser.add_argument("--quick", action="store_true", help="leave out the checks that put every face through a net")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where report.md, items.csv and the sheet of faces go (default: audit-<corpus>)"
    )


def execute(args: argparse.Namespace) -> int:
    from gan.audit.report import audit

    return audit(args.corpus, args.out, args.quick)
