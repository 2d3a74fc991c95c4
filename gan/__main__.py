"""voxface VERB (= python -m gan VERB): the command line. The verbs are in gan/commands/, a file each.

Exit codes: 0 all done; 1 done, but some input was bad (listed at the end), or training diverged; 2 a mistake in what was asked;
130 and 143 stopped by Ctrl-C and SIGTERM, after saving.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
import warnings

from gan.build import check_not_shadowed
from gan.commands import assets, audit, evaluate, experiment, generate, inspect, prepare, sweep, table, train
from gan.commands.base import Verb

DESCRIPTION = """\
voxface trains, evaluates and compares GANs that draw a face from speech.

A first run, on the synthetic corpus it carries:
  voxface train demo                        a run in runs/demo-<hash>; Ctrl-C saves, and the same command goes on
  voxface evaluate runs/demo-<hash>         rows in results.jsonl, beside the control systems
  voxface table                             those rows as a table
  voxface generate runs/demo-<hash> my.wav  a face
"""


VERBS = {
    command.__name__.rpartition(".")[2]: command
    for command in (prepare, audit, train, generate, evaluate, table, sweep, experiment, inspect, assets)
}


def main(arguments: list[str] | None = None) -> int:
    """Parse, run one verb, and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    warnings.formatwarning = lambda message, *_: f"voxface: {message}\n"
    try:
        check_not_shadowed()
        args = _parse(arguments)
        code = args.execute(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # voxface table | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more on its way out
        return 0
    except Exception as error:
        return _report(error, "--debug" in arguments)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="voxface", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Verb)
    for name, command in VERBS.items():
        verb = verbs.add_parser(
            name,
            help=command.ABOUT.splitlines()[0],
            description=command.ABOUT,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        # Also after the verb; SUPPRESS, so that its absence there does not undo the one before the verb.
        verb.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        if name in arguments:  # the options of other verbs would only cost their imports
            command.add_arguments(verb)
        verb.set_defaults(execute=command.execute)
    return parser.parse_args(arguments)


def _report(error: Exception, debug: bool) -> int:
    """One line on stderr for what a user can cause, and its exit code; anything else is ours, and raised on."""
    code = getattr(error, "exit_code", 2 if isinstance(error, ValueError | OSError) else None)
    if code is None:
        raise error
    if debug:
        traceback.print_exception(error)
    said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    print(f"voxface: {said}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
