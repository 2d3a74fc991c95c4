"""voxface prepare."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

ABOUT = "raw media -> a corpus folder that training memory-maps"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from gan.data.prepare import toy
    from gan.raw import folder, mels, prepare, remove, youtubers

    sources = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)

    def action(name: str, about: str, execute: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = sources.add_parser(
            name, help=about, description=about[0].upper() + about[1:] + ".", formatter_class=argparse.RawDescriptionHelpFormatter
        )
        added.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        added.set_defaults(prepare=execute)
        return added

    for name, module, about in (
        ("toy", toy, "the synthetic world: speakers whose faces and voices are drawn from a seed"),
        ("youtubers", youtubers, "Wav2Pix's layout: numbered pairs of a face and a clip, one folder a person"),
        ("folder", folder, "your own data: one folder a speaker, or a CSV naming speaker, recording, file"),
        ("mels", mels, "mel spectrograms that SF2F or voice2face published without their sound"),
    ):
        module.add_arguments(action(name, about, module.main))
    for name in prepare.source_names():
        source = prepare.source_of(name)
        added = action(name, source.about, prepare.main)
        source.add_arguments(added)
        prepare.add_arguments(added)
    remove.add_arguments(action("remove", "a corpus without the people, films or recordings of a removal list", remove.main))
    status = action("status", "how far a preparation is; live on a terminal", _status)
    review = action("review", "look through the people of a preparation in a browser, and say who stays", _review)
    for added in (status, review):
        added.add_argument("work", type=Path, metavar="WORK", help="the folder of work, <out>.work")
    review.add_argument("--reviewer", default="me", metavar="NAME", help="whose answers they are; each has a file (default: me)")
    review.add_argument("--port", type=int, default=0, help="of the page on this machine (default: any that is free)")
    task = action("task", "one job's share of a preparation; what the launchers call", _task)
    task.add_argument("work", type=Path, metavar="WORK", help="the folder of work")
    task.add_argument("number", type=int, help="of the job, from 0 on")
    task.add_argument("jobs", type=int, help="how many jobs there are")


def execute(args: argparse.Namespace) -> int:
    if args.source == "toy" and args.report:
        from gan.audit.toy_world import report

        print(report(args.out or Path("toy-report"), args.seed))
        return 0
    return args.prepare(args)


def _status(args: argparse.Namespace) -> int:
    from gan.raw.status import show

    show(args.work)
    return 0


def _review(args: argparse.Namespace) -> int:
    from gan.raw.review import review_work

    review_work(args.work, args.reviewer, args.port)
    return 0


def _task(args: argparse.Namespace) -> int:
    from gan.raw.worker import perform

    perform(args.work, args.number, args.jobs)
    return 0
