"""Which files below a folder are read, and which hold sound or pictures that nothing here reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from gan.data.films import FILMS, PACKED_SOUND

# What PyAV reads; libsndfile and Pillow do not.
PACKED = (*PACKED_SOUND, *FILMS)
UNREAD_SOUND = (*PACKED, ".ra")  # without PyAV
UNREAD_PICTURES = (
    ".arw",
    ".avif",
    ".cr2",
    ".cr3",
    ".dng",
    ".gif",
    ".heic",
    ".heif",
    ".jfif",
    ".jp2",
    ".jpe",
    ".jxl",
    ".nef",
    ".ppm",
    ".psd",
    ".tga",
    ".tif",
    ".tiff",
)


def ends(path: Path, endings: Sequence[str]) -> bool:
    """Whether a file is of a kind, in capitals or not. A Mac's ._name.wav beside name.wav is of none."""
    return path.suffix.lower() in endings and not path.name.startswith("._")


def below(folder: Path, endings: Sequence[str]) -> list[Path]:
    """The files of a kind below a folder, in order of name; links that lead nowhere among them."""
    return sorted(path for path in folder.rglob("*") if ends(path, endings) and not path.is_dir())


def counted(paths: Iterable[Path]) -> str:
    """In words, how many files have which ending: "2 .heic, 1 .m4a"."""
    endings = Counter(path.suffix.lower() or "without ending" for path in paths)
    return ", ".join(f"{count} {ending}" for ending, count in sorted(endings.items()))


def unread(paths: Iterable[Path], read: Sequence[str]) -> str:
    """Why files of other kinds are left out, and what to do. read: the endings of what is always read."""
    packed, others = list[Path](), list[Path]()
    for path in paths:
        (packed if ends(path, PACKED) else others).append(path)
    said = []
    if packed:
        said.append(f'{counted(packed)}: not read here without PyAV. Run: pip install "voxface[media]"')
    if others:
        said.append(f"{counted(others)}: not read here. Convert them to one of {' '.join(read)}.")
    return "; ".join(said)
