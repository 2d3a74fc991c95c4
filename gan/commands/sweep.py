"""voxface sweep."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

ABOUT = "a YAML of many runs -> runs, rows, tables and plots; the same command goes on with an interrupted one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str, execute: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
        added.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        added.set_defaults(sweep=execute)
        return added

    start = action("run", "do every cell that is not done yet, then write rows, tables and plots", _run)
    status = action("status", "what is done, running, waiting, failed; live on a terminal", _status)
    log = action("log", "print a cell's log", _log)
    for added in (start, status, log):
        added.add_argument("file", type=Path, help="the sweep's YAML")
        added.add_argument(
            "overrides",
            nargs="*",
            default=[],
            metavar="key=value",
            help="an axis of the cell, such as seed=0 variant=full"
            if added is log
            else "dotted keys of it, e.g. launcher.parallel=2 seeds=[0,1]",
        )
        added.add_argument("--out", type=Path, metavar="DIR", help="where it is kept (default: sweeps/<name of the file>)")
    start.add_argument("--dry-run", action="store_true", help="print the cells, their estimated time and disk, and what is done")
    start.add_argument("--retry", action="store_true", help="start those anew that failed before")
    task = action("task", "one task of a sweep's folder; what the launchers call", _task)
    task.add_argument("folder", type=Path, help="the sweep's folder")
    task.add_argument("id", help="the task's eight hex digits")


def execute(args: argparse.Namespace) -> int:
    return args.sweep(args)


def _run(args: argparse.Namespace) -> int:
    from gan.sweep import estimate, plan, run, search

    planned, folder = plan.load(args.file, args.overrides), _folder(args)
    if args.dry_run:
        print(estimate.overview(planned, folder), end="")
        return 0
    failed = run.run(planned, folder, args.retry)
    count = len(search.grown(planned, folder).cells)
    print(f"{count - failed} of {count} cells done. Tables: {folder / 'table.md'}")
    return 1 if failed else 0


def _status(args: argparse.Namespace) -> int:
    from gan.sweep import plan, status

    status.show(plan.load(args.file, args.overrides), _folder(args))
    return 0


def _log(args: argparse.Namespace) -> int:
    from gan.sweep import plan, status

    print(status.log(plan.load(args.file), _folder(args), args.overrides), end="")
    return 0


def _task(args: argparse.Namespace) -> int:
    from gan.sweep.task import perform

    perform(args.folder, args.id)
    return 0


def _folder(args: argparse.Namespace) -> Path:
    return args.out or Path("sweeps") / args.file.stem
