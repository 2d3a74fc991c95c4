"""Empty files in the places of media, for sources, which read names only."""

import argparse
from pathlib import Path

from gan.raw.item import Listing
from gan.raw.sources.base import Source


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def listed(source: Source, *words: object) -> Listing:
    parser = argparse.ArgumentParser()
    source.add_arguments(parser)
    listing = source.list(parser.parse_args([str(word) for word in words]))
    keys = [item.key for item in listing.items]
    assert keys == sorted(set(keys))
    assert not any("\n" in text for entry in listing.bad for text in entry)
    return listing
