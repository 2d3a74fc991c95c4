"""voxface inspect."""

from __future__ import annotations

import argparse
import json

ABOUT = "recipe -> modules, parameters, shapes, FLOPs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="a shipped recipe or a YAML file")
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help="dotted config keys")
    parser.add_argument(
        "--identities", type=int, metavar="K", help="number of training speakers (default: as published for the recipe)"
    )
    parser.add_argument("--json", action="store_true", help="everything, ordered tensor shapes included, as JSON")


def execute(args: argparse.Namespace) -> int:
    from gan.inspect import inspect, table
    from gan.recipes import load

    if args.identities is not None and args.identities < 1:
        raise ValueError(f"--identities: {args.identities} came. Allowed: 1 or more.")
    config = load(args.recipe, args.overrides)
    entries = inspect(config, args.identities or config.data.published_identities)
    print(json.dumps(entries, indent=1) if args.json else table(entries))
    return 0
