"""voxface experiment."""

from __future__ import annotations

import argparse
from pathlib import Path

from gan.commands.base import add_device

ABOUT = "run + voices -> one of the papers' experiments: a sheet of faces and its numbers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from gan.experiments.base import experiments, overview

    parser.epilog = overview()
    parser.add_argument("name", metavar="NAME", help=", ".join(experiments()))
    parser.add_argument("run", type=Path, help="a run's folder, or one checkpoint's")
    parser.add_argument("--corpus", help="a corpus folder or toy:SIZE whose voices are drawn (default: the run's own)")
    parser.add_argument("--split", help="whose voices (default: unseen_speech; of unseen-voices: unseen_speaker)")
    parser.add_argument(
        "--audio",
        nargs="+",
        type=Path,
        default=[],
        metavar="SOUND",
        help="voices of your own instead: a file is a voice, a folder one voice of several clips",
    )
    parser.add_argument("--speakers", type=int, default=100, metavar="N", help="most voices (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="chooses voices, clips and the decoder's noise (default: 0)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where NAME.png and NAME.csv go (default: here)")
    add_device(parser)


def execute(args: argparse.Namespace) -> int:
    from gan.experiments.base import perform
    from gan.run import load

    run = load(args.run, args.device, args.allow_code)
    perform(
        args.name,
        run,
        corpus_name=args.corpus,
        split=args.split,
        audio=args.audio,
        limit=args.speakers,
        seed=args.seed,
        out=args.out,
    )
    return 0
