"""voxface prepare."""

from __future__ import annotations

import argparse
from pathlib import Path

ABOUT = "raw media -> a corpus folder that training memory-maps"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from gan.data.prepare import folder, toy, youtubers
    from gan.raw import mels, remove

    sources = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)
    for name, module, about in (
        ("toy", toy, "the synthetic world: speakers whose faces and voices are drawn from a seed"),
        ("youtubers", youtubers, "Wav2Pix's layout: numbered pairs of a face and a clip, one folder a person"),
        ("folder", folder, "your own data: one folder a speaker, or a CSV naming speaker, recording, file"),
        ("mels", mels, "mel spectrograms that SF2F or voice2face published without their sound"),
        ("remove", remove, "a corpus without the people, films or recordings of a removal list"),
    ):
        source = sources.add_parser(
            name, help=about, description=about[0].upper() + about[1:] + ".", formatter_class=argparse.RawDescriptionHelpFormatter
        )
        source.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        module.add_arguments(source)
        source.set_defaults(prepare=module.main)


def execute(args: argparse.Namespace) -> int:
    if args.source == "toy" and args.report:
        from gan.audit.toy_world import report

        print(report(args.out or Path("toy-report"), args.seed))
        return 0
    return args.prepare(args)
