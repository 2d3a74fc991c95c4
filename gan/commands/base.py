"""What verbs share: how their words are read, and options that several take."""

from __future__ import annotations

import argparse
from typing import Any


class Verb(argparse.ArgumentParser):
    """Reads words before, between and after the options: argparse alone refuses `train RECIPE --runs DIR key=value`."""

    _reading = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._subparsers or self._reading:  # a verb of verbs; or called by parse_known_intermixed_args itself
            return super().parse_known_args(args, namespace)
        self._reading = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._reading = False


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    parser.add_argument(
        "--allow-code",
        action="append",
        default=[],
        metavar="MODULE",
        help="let the run's saved config name classes of this module outside voxface",
    )
