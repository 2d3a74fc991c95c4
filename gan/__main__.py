"""voxface VERB (= python -m gan VERB): the command line. Each verb's work is elsewhere; here is one table of them.

Exit codes: 0 all done; 1 done, but some input was bad (listed at the end), or training diverged; 2 a mistake in what was asked;
130 and 143 stopped by Ctrl-C and SIGTERM, after saving.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gan.build import check_not_shadowed
from gan.config import nearest

DESCRIPTION = """\
voxface trains, evaluates and compares GANs that draw a face from speech.

A first run, on the synthetic corpus it carries:
  voxface train demo                        a run in runs/demo-<hash>; Ctrl-C saves, and the same command goes on
  voxface evaluate runs/demo-<hash>         rows in results.jsonl, beside the control systems
  voxface table                             those rows as a table
  voxface generate runs/demo-<hash> my.wav  a face
"""


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
    except BrokenPipeError:             # voxface table | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())      # Python flushes once more on its way out
        return 0
    except Exception as error:
        return _report(error, "--debug" in arguments)


class _Verb(argparse.ArgumentParser):
    """Reads words before, between and after the options: argparse alone refuses `train RECIPE --runs DIR key=value`."""

    _reading = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._subparsers or self._reading:       # a verb of verbs; or called by parse_known_intermixed_args itself
            return super().parse_known_args(args, namespace)
        self._reading = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._reading = False


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="voxface", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Verb)
    for name, (about, add_arguments, run) in VERBS.items():
        verb = verbs.add_parser(name, help=about.splitlines()[0], description=about,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
        # Also after the verb; SUPPRESS, so that its absence there does not undo the one before the verb.
        verb.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        if name in arguments:           # the options of other verbs would only cost their imports
            add_arguments(verb)
        verb.set_defaults(execute=run)
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


# -- train ------------------------------------------------------------------------------------------------------------


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    from gan.config import recipes

    parser.add_argument("recipe", help=f"a shipped recipe ({', '.join(recipes())}) or a YAML file")
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value",
                        help="dotted config keys, e.g. train.steps=1000 data.corpus=corpora/mine losses.perceptual=null")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs go (default: runs)")


def _train(args: argparse.Namespace) -> int:
    from gan.config import load
    from gan.distributed import joined
    from gan.train import train

    with joined():
        print(f"Trained: {train(load(args.recipe, args.overrides), Path(args.recipe).stem, args.runs)}")
    return 0


# -- generate ---------------------------------------------------------------------------------------------------------


def _generate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a run's folder, or one checkpoint's")
    parser.add_argument("audio", nargs="+", type=Path, help="sound files, or folders of them (wav, flac, mp3, ogg, opus)")
    parser.add_argument("--out", type=Path, default=Path("faces"), metavar="DIR", help="where pictures go (default: faces)")
    parser.add_argument("--seed", type=int, default=0, help="for decoders that draw noise (default: 0)")
    _device_arguments(parser)


def _generate(args: argparse.Namespace) -> int:
    from gan.generate import generate_files, load

    run = load(args.run, args.device, args.allow_code)
    written, failed = generate_files(run, args.audio, args.out, args.seed)
    print(f"{len(written)} faces in {args.out}")
    for reason in failed:
        print(f"not drawn: {reason}", file=sys.stderr)
    return 1 if failed else 0


def _device_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    parser.add_argument("--allow-code", action="append", default=[], metavar="MODULE",
                        help="let the run's saved config name classes of this module outside voxface")


# -- evaluate ---------------------------------------------------------------------------------------------------------


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    from gan.config import protocols
    from gan.systems import CONTROLS

    parser.add_argument("systems", nargs="*", metavar="SYSTEM|key=value",
                        help=f"runs' folders; controls ({', '.join(CONTROLS)}); and evaluation keys such as "
                             "evaluation.runs=3 evaluation.seconds=[1.25,5]")
    parser.add_argument("--protocol", metavar="NAME|FILE", help="instead of the first run's own evaluation section: "
                        f"{', '.join(protocols())}, or a YAML file with such a section")
    parser.add_argument("--faces", type=Path, metavar="DIR",
                        help="anybody's drawn faces, DIR/<speaker>/*.png, instead of systems")
    parser.add_argument("--reference", type=Path, metavar="DIR", help="with --faces: real ones, DIR/<speaker>/*.png")
    parser.add_argument("--training", type=Path, metavar="DIR",
                        help="with --faces: further real ones, for metrics that train a judge (default: those are skipped)")
    parser.add_argument("--face-box", nargs=4, type=float, default=[0.0, 0.0, 1.0, 1.0],
                        metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"),
                        help="with --faces: where in a picture the face lies, as fractions (default: everywhere)")
    parser.add_argument("--corpus", help="a corpus folder or toy:SIZE (default: the runs' own)")
    parser.add_argument("--split", action="append", metavar="SPLIT",
                        help="train, val_speech, val_speaker, unseen_speech, unseen_speaker; may be repeated "
                             "(default: evaluation.splits)")
    parser.add_argument("--no-controls", action="store_true",
                        help="leave out the control rows that otherwise stand beside every run")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where results.jsonl goes (default: here)")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png",
                        help="also draw a picture: some voices of each split, their true faces and every system's below")
    _device_arguments(parser)


def _evaluate(args: argparse.Namespace) -> int:
    from gan.evaluate import evaluate_runs
    from gan.experiments.base import Finding, write_sheet
    from gan.external import evaluate_folders
    from gan.generate import load
    from gan.systems import CONTROLS

    overrides = [word for word in args.systems if "=" in word and not os.path.lexists(word.partition("=")[0])]
    words = [word for word in args.systems if word not in overrides]
    if args.faces is not None:
        if words or args.reference is None or args.corpus is not None or args.split or args.sheet is not None:
            raise ValueError("--faces: goes with --reference, and without runs, controls, --corpus, --split or --sheet.")
        bad = evaluate_folders(args.faces, args.reference, args.training, args.face_box, args.protocol, overrides, args.out)
        for reason in bad:
            print(f"left out: {reason}", file=sys.stderr)
        return 1 if bad else 0
    if args.reference is not None or args.training is not None:
        raise ValueError("--reference, --training: go with --faces.")
    if not words:
        raise ValueError(f"evaluate: name a run's folder, a control ({', '.join(CONTROLS)}), or --faces and --reference.")
    controls = [word for word in words if word in CONTROLS]
    for word in words:
        if word not in controls and not Path(word).exists():
            raise ValueError(f"{word}: no such run or control system. Have: runs' folders, {', '.join(CONTROLS)}."
                             + nearest(word, CONTROLS))
    if args.sheet is not None:
        if args.sheet.suffix.lower() != ".png":
            raise ValueError(f"--sheet: {args.sheet} came. Allowed: the name of a .png file.")
        args.sheet.parent.mkdir(parents=True, exist_ok=True)    # now, not after hours, where it cannot be made
    runs = [load(word, args.device, args.allow_code) for word in words if word not in controls]
    shown = evaluate_runs(runs, controls, overrides, args.corpus, args.split, not args.no_controls, args.out, args.protocol)
    if args.sheet is not None:
        if not shown.columns:
            raise ValueError("--sheet: no picture, as no split has a speaker with clips and faces. The rows are written.")
        write_sheet(args.sheet, Finding(shown.columns, shown.pictures, [], shown.notes, []), shown.title)
        print(args.sheet)
    if not shown.scored:
        print("evaluate: nothing was scored; the lines above say why.", file=sys.stderr)
    return 0 if shown.scored else 1


# -- table ------------------------------------------------------------------------------------------------------------


def _table_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="*", type=Path, default=[Path("results.jsonl")],
                        help="results files (default: results.jsonl)")
    parser.add_argument("--format", choices=("markdown", "latex", "csv"), default="markdown", help="how it is written")
    parser.add_argument("--layout", type=Path, metavar="FILE",
                        help="a YAML file that says which rows and columns (docs/tables.md), or a sweep's with such a section")
    parser.add_argument("--compare", nargs=2, action="append", metavar=("A", "B"),
                        help="which paired differences, A minus B by speaker, to show: systems or recipes; may be repeated "
                             "(default: every trained system against every other row; with --layout, its first row against all)")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the table there too, as PNG and PDF")


def _table(args: argparse.Namespace) -> int:
    from evaluation.layout import read_layout
    from evaluation.rows import csv
    from evaluation.table import latex, markdown, sections
    from gan.evaluate import read_rows, trained_against_all

    rows = [row for path in args.results for row in read_rows(path)]
    layout = read_layout(args.layout) if args.layout else None
    names = dict.fromkeys(str(row[key]) for key in ("system", "recipe") for row in rows if row.get(key) is not None)
    for name in (name for pair in args.compare or () for name in pair):
        if name not in names:
            raise ValueError(f"--compare: no row is of a system {name}. Have: {', '.join(names)}." + nearest(name, names))
    pairs = args.compare or (None if layout else trained_against_all(rows))
    if args.format == "csv":
        print(csv(rows), end="")
    else:
        print({"markdown": markdown, "latex": latex}[args.format](rows, Path(), pairs, layout), end="")
    if args.compare and not any(section.differences for section in sections(rows, Path(), pairs, layout)):
        print("--compare: none of these pairs has scores of the same faces, one by one, in one table.", file=sys.stderr)
    if args.plots:
        from evaluation.plots import draw

        print(f"{len(draw(rows, args.plots, layout))} plots in {args.plots}", file=sys.stderr)
    return 0


# -- experiment -------------------------------------------------------------------------------------------------------


def _experiment_arguments(parser: argparse.ArgumentParser) -> None:
    from gan.experiments.base import experiments, overview

    parser.epilog = overview()
    parser.add_argument("name", metavar="NAME", help=", ".join(experiments()))
    parser.add_argument("run", type=Path, help="a run's folder, or one checkpoint's")
    parser.add_argument("--corpus", help="a corpus folder or toy:SIZE whose voices are drawn (default: the run's own)")
    parser.add_argument("--split", help="whose voices (default: unseen_speech; of unseen-voices: unseen_speaker)")
    parser.add_argument("--audio", nargs="+", type=Path, default=[], metavar="SOUND",
                        help="voices of your own instead: a file is a voice, a folder one voice of several clips")
    parser.add_argument("--speakers", type=int, default=100, metavar="N", help="most voices (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="chooses voices, clips and the decoder's noise (default: 0)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where NAME.png and NAME.csv go (default: here)")
    _device_arguments(parser)


def _experiment(args: argparse.Namespace) -> int:
    from gan.experiments.base import perform
    from gan.generate import load

    run = load(args.run, args.device, args.allow_code)
    perform(args.name, run, args.corpus, args.split, args.audio, args.speakers, args.seed, args.out)
    return 0


# -- audit ------------------------------------------------------------------------------------------------------------


def _audit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", help="a corpus folder or toy:SIZE")
    parser.add_argument("--quick", action="store_true", help="leave out the checks that put every face through a net")
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="where report.md, items.csv and the sheet of faces go (default: audit-<corpus>)")


def _audit(args: argparse.Namespace) -> int:
    from gan.audit.report import audit

    return audit(args.corpus, args.out, args.quick)


# -- inspect ----------------------------------------------------------------------------------------------------------


def _inspect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="a shipped recipe or a YAML file")
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help="dotted config keys")
    parser.add_argument("--identities", type=int, metavar="K",
                        help="number of training speakers (default: as published for the recipe)")
    parser.add_argument("--json", action="store_true", help="everything, ordered tensor shapes included, as JSON")


def _inspect(args: argparse.Namespace) -> int:
    from gan.config import load
    from gan.inspect import inspect, table

    if args.identities is not None and args.identities < 1:
        raise ValueError(f"--identities: {args.identities} came. Allowed: 1 or more.")
    config = load(args.recipe, args.overrides)
    entries = inspect(config, args.identities or config.data.published_identities)
    print(json.dumps(entries, indent=1) if args.json else table(entries))
    return 0


# -- assets -----------------------------------------------------------------------------------------------------------


def _assets_arguments(parser: argparse.ArgumentParser) -> None:
    from gan import assets

    assets.add_arguments(parser)


def _assets(args: argparse.Namespace) -> int:
    from gan import assets

    return assets.main(args)


# -- prepare ----------------------------------------------------------------------------------------------------------


def _prepare_arguments(parser: argparse.ArgumentParser) -> None:
    from gan.data.prepare import folder, toy, youtubers

    sources = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)
    for name, module, about in (
            ("toy", toy, "the synthetic world: speakers whose faces and voices are drawn from a seed"),
            ("youtubers", youtubers, "Wav2Pix's layout: numbered pairs of a face and a clip, one folder a person"),
            ("folder", folder, "your own data: one folder a speaker, or a CSV naming speaker, recording, file")):
        source = sources.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".",
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
        source.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        module.add_arguments(source)
        source.set_defaults(prepare=module.main)


def _prepare(args: argparse.Namespace) -> int:
    return args.prepare(args)


# -- sweep ------------------------------------------------------------------------------------------------------------


def _sweep_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str, execute: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
        added.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        added.set_defaults(sweep=execute)
        return added

    start = action("run", "do every cell that is not done yet, then write rows, tables and plots", _sweep_run)
    status = action("status", "what is done, running, waiting, failed; live on a terminal", _sweep_status)
    log = action("log", "print a cell's log", _sweep_log)
    for added in (start, status, log):
        added.add_argument("file", type=Path, help="the sweep's YAML")
        added.add_argument("overrides", nargs="*", default=[], metavar="key=value",
                           help="an axis of the cell, such as seed=0 variant=full" if added is log else
                                "dotted keys of it, e.g. launcher.parallel=2 seeds=[0,1]")
        added.add_argument("--out", type=Path, metavar="DIR", help="where it is kept (default: sweeps/<name of the file>)")
    start.add_argument("--dry-run", action="store_true", help="print the cells, their estimated time and disk, and what is done")
    start.add_argument("--retry", action="store_true", help="start those anew that failed before")
    task = action("task", "one task of a sweep's folder; what the launchers call", _sweep_task)
    task.add_argument("folder", type=Path, help="the sweep's folder")
    task.add_argument("id", help="the task's eight hex digits")


def _sweep(args: argparse.Namespace) -> int:
    return args.sweep(args)


def _sweep_run(args: argparse.Namespace) -> int:
    from gan.sweep import estimate, plan, run, search

    planned, folder = plan.load(args.file, args.overrides), _sweep_folder(args)
    if args.dry_run:
        print(estimate.overview(planned, folder), end="")
        return 0
    failed = run.run(planned, folder, args.retry)
    count = len(search.grown(planned, folder).cells)
    print(f"{count - failed} of {count} cells done. Tables: {folder / 'table.md'}")
    return 1 if failed else 0


def _sweep_status(args: argparse.Namespace) -> int:
    from gan.sweep import plan, status

    status.show(plan.load(args.file, args.overrides), _sweep_folder(args))
    return 0


def _sweep_log(args: argparse.Namespace) -> int:
    from gan.sweep import plan, status

    print(status.log(plan.load(args.file), _sweep_folder(args), args.overrides), end="")
    return 0


def _sweep_task(args: argparse.Namespace) -> int:
    from gan.sweep.task import perform

    perform(args.folder, args.id)
    return 0


def _sweep_folder(args: argparse.Namespace) -> Path:
    return args.out or Path("sweeps") / args.file.stem


VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]] = {
    "prepare": ("raw media -> a corpus folder that training memory-maps", _prepare_arguments, _prepare),
    "audit": ("is a corpus sound? leaks between splits, imbalance, bad clips and faces\n\n"
              "Exit code 0: sound; 1: it leaks, or has too many flaws; 2: a mistake in what was asked.",
              _audit_arguments, _audit),
    "train": ("recipe + corpus -> a run; the same command goes on with an interrupted one\n\n"
              "The run's folder is runs/<recipe>-<hash>; the hash stands for everything that decides its numbers.",
              _train_arguments, _train),
    "generate": ("run + sound files -> faces", _generate_arguments, _generate),
    "evaluate": ("run(s) -> results rows, beside control systems under the same protocol",
                 _evaluate_arguments, _evaluate),
    "table": ("results rows -> Markdown, LaTeX, CSV, plots", _table_arguments, _table),
    "sweep": ("a YAML of many runs -> runs, rows, tables and plots; the same command goes on with an interrupted one",
              _sweep_arguments, _sweep),
    "experiment": ("run + voices -> one of the papers' experiments: a sheet of faces and its numbers",
                   _experiment_arguments, _experiment),
    "inspect": ("recipe -> modules, parameters, shapes, FLOPs", _inspect_arguments, _inspect),
    "assets": ("weight files of others: list, add, verify; nothing is ever downloaded", _assets_arguments, _assets),
}

if __name__ == "__main__":
    sys.exit(main())
