"""The config key data.corpus -> Corpus: a prepared folder, or a toy world rendered once into the cache."""

from __future__ import annotations

from gan.config import nearest
from gan.data.corpus import Corpus
from gan.data.prepare import toy
from gan.data.toy.faces import BACKGROUNDS
from gan.files import cache_folder


def open_corpus(name: str) -> Corpus:
    """A folder's path; or toy:SIZE, and toy:SIZE-textured, the same world with something behind the heads.

    Raises ValueError, one line, if the folder is not a corpus or there is no such toy world.
    """
    if not name.startswith("toy:"):
        return Corpus(name)
    path = cache_folder() / "corpora" / content_of(name).replace(":", "-")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"Rendering the toy world {name.removeprefix('toy:')} once, into {path}")
        size, background = _toy_world(name)
        try:
            toy.prepare_toy(path, size, background=background)
        except ValueError:
            if not path.exists():  # another process was faster: the same world, which does as well
                raise
    return Corpus(path)


def content_of(name: str) -> str:
    """What stands for a corpus' content, at no cost: its checksum; of a toy world its name and version.

    Raises ValueError as open_corpus does.
    """
    if not name.startswith("toy:"):
        return Corpus(name).checksum
    _toy_world(name)
    return f"{name}-{toy.WORLD_VERSION}"


def _toy_world(name: str) -> tuple[str, str]:
    """Size and background of toy:SIZE[-BACKGROUND]."""
    world = name.removeprefix("toy:")
    known = [size + ending for ending in ("", *(f"-{other}" for other in BACKGROUNDS[1:])) for size in toy.SIZES]
    if world not in known:
        raise ValueError(f"data.corpus: no toy world {world}. Have: {', '.join(known)}." + nearest(world, known))
    size, _, background = world.partition("-")
    return size, background or BACKGROUNDS[0]
