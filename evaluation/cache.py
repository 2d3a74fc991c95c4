"""Features of pictures, kept on disk by content: the same picture is never put through the same net twice."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from evaluation.progress import Progress

VARIABLE = "VOXFACE_CACHE"


def cache_folder(*parts: str) -> Path:
    """The folder named by VOXFACE_CACHE, else ~/.cache/voxface, with `parts` below it; made if missing.

    Raises ValueError if it cannot be made.
    """
    folder = Path(os.environ.get(VARIABLE) or Path.home() / ".cache" / "voxface").joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder}: cannot be made ({error.strerror}). Set {VARIABLE} to a folder of yours.") from None
    return folder


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call write(temporary path beside `path`), then rename; a reader sees all of the file or none of it.

    Raises ValueError if the folder cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise ValueError(f"{path.parent}: cannot be written ({error.strerror}). Set {VARIABLE} elsewhere.") from None
    try:
        write(Path(name))
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def file_checksum(path: Path) -> str:
    """sha256 of a file, hexadecimal; remembered until the file's size or time of change differ."""
    status = path.stat()
    key = (str(path), status.st_size, status.st_mtime_ns)
    if key not in _checksums:
        with path.open("rb") as file:
            _checksums[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _checksums[key]


_checksums: dict[tuple[str, int, int], str] = {}


def cached_features(
    images: np.ndarray,
    label: str,
    compute: Callable[[np.ndarray], np.ndarray],
    dim: int,
    batch_size: int = 64,
    progress: str = "features",
) -> np.ndarray:
    """compute(images), from the cache where it is there, once per distinct picture where it is not.

    images: uint8 (N, H, W, 3). compute: uint8 (B, H, W, 3) -> float32 (B, dim). Returns float32 (N, dim).
    label: all that decides the result besides the picture (net, weight checksum, face box, thresholds).
    Each batch is kept as soon as it is made, so interrupted work goes on where it stopped.
    """
    if not len(images):
        return np.zeros((0, dim), dtype=np.float32)
    images = np.ascontiguousarray(images)
    shape = str(images.shape[1:]).encode()
    digests = [hashlib.sha256(shape + image.tobytes()).hexdigest() for image in images]
    folder = cache_folder("features", hashlib.sha256(label.encode()).hexdigest()[:16])
    if not (about := folder / "label.txt").exists():
        write_atomically(about, lambda path: path.write_text(label + "\n", encoding="utf-8"))

    first = {digest: at for at, digest in reversed(list(enumerate(digests)))}
    known = {digest: _read(folder / f"{digest}.npy", dim) for digest in first}
    features = {digest: feature for digest, feature in known.items() if feature is not None}
    wanted = sorted(at for digest, at in first.items() if digest not in features)
    batches = [wanted[start : start + batch_size] for start in range(0, len(wanted), batch_size)]
    for batch in Progress(batches, desc=progress, unit="batch", leave=False):
        for at, feature in zip(batch, compute(images[batch]), strict=True):
            features[digests[at]] = np.asarray(feature, dtype=np.float32).reshape(dim)
            write_atomically(folder / f"{digests[at]}.npy", functools.partial(np.save, arr=features[digests[at]]))
    return np.stack([features[digest] for digest in digests])


def _read(path: Path, dim: int) -> np.ndarray | None:
    """A kept feature, or None if it is not there or is damaged (then it is made again)."""
    try:
        feature = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return feature if feature.shape == (dim,) and feature.dtype == np.float32 else None
