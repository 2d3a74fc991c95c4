"""voxface evaluate."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from gan.commands.base import add_device
from gan.config import nearest

ABOUT = "run(s) -> results rows, beside control systems under the same protocol"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from gan.recipes import protocol_names
    from gan.scoring.systems import CONTROLS

    parser.add_argument(
        "systems",
        nargs="*",
        metavar="SYSTEM|key=value",
        help=f"runs' folders; controls ({', '.join(CONTROLS)}); and evaluation keys such as "
        "evaluation.runs=3 evaluation.seconds=[1.25,5]",
    )
    parser.add_argument(
        "--protocol",
        metavar="NAME|FILE",
        help="instead of the first run's own evaluation section: "
        f"{', '.join(protocol_names())}, or a YAML file with such a section",
    )
    parser.add_argument(
        "--faces", type=Path, metavar="DIR", help="anybody's drawn faces, DIR/<speaker>/*.png, instead of systems"
    )
    parser.add_argument("--reference", type=Path, metavar="DIR", help="with --faces: real ones, DIR/<speaker>/*.png")
    parser.add_argument(
        "--training",
        type=Path,
        metavar="DIR",
        help="with --faces: further real ones, for metrics that train a judge (default: those are skipped)",
    )
    parser.add_argument(
        "--face-box",
        nargs=4,
        type=float,
        default=[0.0, 0.0, 1.0, 1.0],
        metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"),
        help="with --faces: where in a picture the face lies, as fractions (default: everywhere)",
    )
    parser.add_argument("--corpus", help="a corpus folder or toy:SIZE (default: the runs' own)")
    parser.add_argument(
        "--split",
        action="append",
        metavar="SPLIT",
        help="train, val_speech, val_speaker, unseen_speech, unseen_speaker; may be repeated (default: evaluation.splits)",
    )
    parser.add_argument(
        "--no-controls", action="store_true", help="leave out the control rows that otherwise stand beside every run"
    )
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where results.jsonl goes (default: here)")
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="FILE.png",
        help="also draw a picture: some voices of each split, their true faces and every system's below",
    )
    parser.add_argument(
        "--confusion",
        type=Path,
        metavar="DIR",
        help="also draw, for each system, split and clip length that identity_accuracy scores, whom each "
        "speaker's faces are taken for, DIR/<system>, <split>, <seconds>.png",
    )
    add_device(parser)


def execute(args: argparse.Namespace) -> int:
    from gan.data.pictures import png
    from gan.files import write_atomically
    from gan.run import load
    from gan.scoring.evaluate import evaluate_runs
    from gan.scoring.external import evaluate_folders
    from gan.scoring.systems import CONTROLS
    from gan.sheets import MARK, write_sheet

    overrides = [word for word in args.systems if "=" in word and not os.path.lexists(word.partition("=")[0])]
    words = [word for word in args.systems if word not in overrides]
    if args.faces is not None:
        if words or args.reference is None or args.corpus is not None or args.split or args.sheet or args.confusion:
            raise ValueError(
                "--faces: goes with --reference, and without runs, controls, --corpus, --split, --sheet or --confusion."
            )
        bad = evaluate_folders(
            args.faces,
            args.reference,
            training=args.training,
            face_box=args.face_box,
            protocol=args.protocol,
            overrides=overrides,
            out=args.out,
        )
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
            raise ValueError(
                f"{word}: no such run or control system. Have: runs' folders, {', '.join(CONTROLS)}." + nearest(word, CONTROLS)
            )
    if args.sheet is not None:
        if args.sheet.suffix.lower() != ".png":
            raise ValueError(f"--sheet: {args.sheet} came. Allowed: the name of a .png file.")
        args.sheet.parent.mkdir(parents=True, exist_ok=True)  # now, not after hours, where it cannot be made
    if args.confusion is not None:
        args.confusion.mkdir(parents=True, exist_ok=True)
    runs = [load(word, args.device, args.allow_code) for word in words if word not in controls]
    shown = evaluate_runs(
        runs,
        controls=controls,
        overrides=overrides,
        corpus_name=args.corpus,
        splits=args.split,
        add_controls=not args.no_controls,
        out=args.out,
        protocol=args.protocol,
    )
    if args.sheet is not None:
        if not shown.columns:
            raise ValueError("--sheet: no picture, as no split has a speaker with clips and faces. The rows are written.")
        write_sheet(args.sheet, shown.title, shown.columns, shown.pictures, shown.notes)
        print(args.sheet)
    if args.confusion is not None:
        pictures = dict(shown.confusions())
        if not pictures:
            raise ValueError("--confusion: no picture, as identity_accuracy scored nothing. The rows are written.")
        for name, picture in pictures.items():
            write_atomically(args.confusion / f"{name}.png", png(picture, MARK))
            print(args.confusion / f"{name}.png")
    if not shown.scored:
        print("evaluate: nothing was scored; the lines above say why.", file=sys.stderr)
    return 0 if shown.scored else 1
