"""Raw media -> corpus, one source a file. Each has `add_arguments(parser)` and `main(args) -> exit code`."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say where a corpus goes, and how its faces are stored."""
    parser.add_argument("--out", metavar="PATH", help="the corpus folder to write (default: corpora/<source name>)")
    parser.add_argument("--overwrite", action="store_true", help="replace the corpus that is there already")
    parser.add_argument(
        "--face-sizes",
        nargs="+",
        type=int,
        default=[64, 128],
        metavar="PX",
        help="sizes at which every face is stored, in pixels (default: 64 128)",
    )


@contextmanager
def new_corpus_path(path: str | Path, overwrite: bool, resume: bool = False) -> Iterator[Path]:
    """The path to write a corpus to, so that it ends up at `path`.

    With overwrite, the corpus that is there stays untouched until the new one is whole; then they change places.
    resume: the path is the same at every call, so that a CorpusWriter that was killed there can be gone on with.
    Raises ValueError if something is there and may not, or should not, be replaced.
    """
    path = Path(path)
    if not os.path.lexists(path):
        yield path
        return
    if not overwrite:
        raise ValueError(f"{path}: exists already. Name another folder with --out, or replace it with --overwrite.")
    if path.is_symlink() or not (path / "corpus.json").is_file():
        raise ValueError(f"{path}: is not a corpus folder, so --overwrite leaves it alone. Name another with --out.")
    new, old = (path.with_name(f".{path.name}.{os.getpid()}.{kind}") for kind in ("new", "old"))
    if resume:
        new = path.with_name(f".{path.name}.new")
        shutil.rmtree(new, ignore_errors=True)  # whole, but a kill came before they changed places
    try:
        yield new
        os.replace(path, old)
        os.replace(new, path)
        shutil.rmtree(old)
    finally:
        shutil.rmtree(new, ignore_errors=True)
