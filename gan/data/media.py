"""Which files below a folder are read, and which hold sound or pictures that nothing here reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

UNREAD_SOUND = (
    ".3gp",
    ".aac",
    ".aif",
    ".aiff",
    ".amr",
    ".au",
    ".avi",
    ".caf",
    ".flv",
    ".m4a",
    ".m4b",
    ".m4v",
    ".mka",
    ".mkv",
    ".mov",
    ".mp2",
    ".mp4",
    ".mpeg",
    ".mpg",
    ".mts",
    ".oga",
    ".ra",
    ".w64",
    ".webm",
    ".wma",
    ".wmv",
    ".wv",
)
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
    """Why files of other kinds are left out; read: the endings of those that are not."""
    return f"{counted(paths)}: not read here. Convert them to one of {' '.join(read)}."
