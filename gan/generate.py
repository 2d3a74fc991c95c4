"""A run and sound files -> pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from evaluation.progress import Progress
from gan.data.audio import SOUND, readable, unreadable
from gan.data.media import UNREAD_PICTURES, below, unread
from gan.data.pictures import PICTURES, write_face
from gan.model import NO_DECODER
from gan.run import Run


def generate_files(run: Run, sources: Sequence[Path], out: Path, seed: int = 0) -> tuple[list[Path], list[str]]:
    """Draw a face for every sound file (or picture, if the run draws from faces); folders stand for the files below them.

    Writes out/<name>.png, in a folder's own structure. Returns the pictures written and one line for each file that could not
    be drawn, and for each folder with kinds of files that nothing here reads: the others are not held up by it.
    """
    if run.generator.decoder is None:
        raise ValueError(f"{run.path.name}: {NO_DECODER}")
    kind, suffixes, others, plain = "sound files", readable(), unreadable(), SOUND
    if run.generator.reads == "face":
        kind, suffixes, others, plain = "pictures", PICTURES, UNREAD_PICTURES, PICTURES
    files, failed = [], []
    for source in sources:
        if source.is_dir():
            found = below(source, suffixes)
            files += [(path, path.relative_to(source)) for path in found]
            if left := below(source, others):
                failed.append(f"{source}: {unread(left, plain)}")
            if not found:
                failed.append(f"{source}: no {kind} in this folder. Looked for: {', '.join(suffixes)}.")
        else:
            files.append((source, Path(source.name)))
    files = list(dict.fromkeys(files))
    targets = [out / name for name in _picture_names([relative for _, relative in files])]
    written = []
    for (path, _), target in zip(Progress(files, desc="draw", unit="file"), targets, strict=True):
        try:
            face = run.generate(path, seed)
        except ValueError as error:
            failed.append(str(error) if str(error).startswith(str(path)) else f"{path}: {error}")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        write_face(target, face)
        written.append(target)
    return written, failed


def _picture_names(sounds: Sequence[Path]) -> list[Path]:
    """a/b.wav -> a/b.png, but no two alike: where only the ending tells two apart both keep it, else they are numbered."""
    stems = Counter(sound.with_suffix("") for sound in sounds)
    names: dict[Path, None] = {}
    for sound in sounds:
        stem = sound.with_suffix("") if stems[sound.with_suffix("")] == 1 else sound
        name, number = stem.with_name(f"{stem.name}.png"), 2
        while name in names:
            name, number = stem.with_name(f"{stem.name}-{number}.png"), number + 1
        names[name] = None
    return list(names)
