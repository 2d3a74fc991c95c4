"""voxface train."""

from __future__ import annotations

import argparse
from pathlib import Path

ABOUT = (
    "recipe + corpus -> a run; the same command goes on with an interrupted one\n\n"
    "The run's folder is runs/<recipe>-<hash>; the hash stands for everything that decides its numbers."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from gan.recipes import recipe_names

    parser.add_argument("recipe", help=f"a shipped recipe ({', '.join(recipe_names())}) or a YAML file")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="dotted config keys, e.g. train.steps=1000 data.corpus=corpora/mine losses.perceptual=null",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs go (default: runs)")


def execute(args: argparse.Namespace) -> int:
    from gan.distributed import joined
    from gan.recipes import load
    from gan.training.start import train

    with joined():
        print(f"Trained: {train(load(args.recipe, args.overrides), Path(args.recipe).stem, args.runs)}")
    return 0
