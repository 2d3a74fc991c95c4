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
    size = name.removeprefix("toy:")
    if size not in toy.SIZES:
        raise ValueError(f"data.corpus: no toy world {size}. Have: {', '.join(toy.SIZES)}." + nearest(size, toy.SIZES))
    path = cache_folder() / "corpora" / f"toy-{size}-{_code_version()}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"Rendering the toy world {size} once, into {path}")
        try:
            toy.prepare_toy(path, size)
        except ValueError:
            if not path.exists():       # another process was faster: the same world, which does as well
                raise
    return Corpus(path)


def _code_version() -> str:
    """A digest of the code that renders the world: another version of it renders into another folder."""
    here = Path(toy.__file__).parent
    sources = [Path(toy.__file__), *sorted((here.parent / "toy").glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]
