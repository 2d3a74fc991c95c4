"""Features of pictures, kept on disk by content: the same picture is never put through the same net twice."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

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


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call write(a file beside `path`), then rename; a reader sees all of the file or none of it.

    It is opened here, so that all whom the umask allows may read it: tempfile and safetensors would keep it to its owner.
    Raises ValueError if the folder cannot be written.
    """
    temporary = path.with_name(f".writing-{uuid.uuid4().hex}{path.suffix}")
    try:
        file = temporary.open("xb")
    except OSError as error:
        raise ValueError(f"{path.parent}: cannot be written ({error.strerror}). Set {VARIABLE} elsewhere.") from None
    try:
        with file:
            write(file)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_kept(path: Path) -> BinaryIO:
    """A kept file's content. Raises OSError if it is not there, ValueError if it is, but not for this user."""
    try:
        return io.BytesIO(path.read_bytes())
    except PermissionError:
        raise ValueError(
            f"{path}: may not be read (permission denied). Let its owner run chmod a+r on it, or set {VARIABLE} "
            "to a folder of yours."
        ) from None


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
        write_atomically(about, lambda file: file.write(f"{label}\n".encode()))

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
        kept = read_kept(path)
    except OSError:
        return None
    try:
        feature = np.load(kept, allow_pickle=False)
    except (ValueError, EOFError):
        return None
    return feature if feature.shape == (dim,) and feature.dtype == np.float32 else None
