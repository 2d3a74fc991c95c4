"""voxface generate."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gan.commands.base import add_device

ABOUT = "run + sound files -> faces"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a run's folder, or one checkpoint's")
    parser.add_argument("audio", nargs="+", type=Path, help="sound files, or folders of them (wav, flac, mp3, ogg, opus)")
    parser.add_argument("--out", type=Path, default=Path("faces"), metavar="DIR", help="where pictures go (default: faces)")
    parser.add_argument("--seed", type=int, default=0, help="for decoders that draw noise (default: 0)")
    add_device(parser)


def execute(args: argparse.Namespace) -> int:
    from gan.generate import generate_files
    from gan.run import load

    run = load(args.run, args.device, args.allow_code)
    written, failed = generate_files(run, args.audio, args.out, args.seed)
    print(f"{len(written)} face{'s' * (len(written) != 1)} in {args.out}")
    for reason in failed:
        print(f"not drawn: {reason}", file=sys.stderr)
    return 1 if failed else 0
