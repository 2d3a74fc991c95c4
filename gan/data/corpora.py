"""The config key data.corpus -> Corpus: a prepared folder, or a toy world rendered once into the cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gan.config import cache_folder, nearest
from gan.data.corpus import Corpus
from gan.data.prepare import toy


def open_corpus(name: str) -> Corpus:
    """Raises ValueError, one line, if the folder is not a corpus or the toy size is unknown."""
    if not name.startswith("toy:"):
        return Corpus(name)
    path = cache_folder() / "corpora" / content_of(name).replace(":", "-")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        size = name.removeprefix("toy:")
        print(f"Rendering the toy world {size} once, into {path}")
        try:
            toy.prepare_toy(path, size)
        except ValueError:
            if not path.exists():       # another process was faster: the same world, which does as well
                raise
    return Corpus(path)


def content_of(name: str) -> str:
    """What stands for a corpus' content, at no cost: its checksum; of a toy world its size and the version of the code that
    renders it. Raises ValueError as open_corpus does.
    """
    if not name.startswith("toy:"):
        return Corpus(name).checksum
    size = name.removeprefix("toy:")
    if size not in toy.SIZES:
        raise ValueError(f"data.corpus: no toy world {size}. Have: {', '.join(toy.SIZES)}." + nearest(size, toy.SIZES))
    here = Path(toy.__file__).parent
    sources = [Path(toy.__file__), *sorted((here.parent / "toy").glob("*.py"))]
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]
    return f"toy:{size}-{version}"
