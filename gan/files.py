"""Files of ours: where they are cached, written whole or not at all, and known by what they hold."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write content under a temporary name, flush it to the disk, then rename: a reader sees all of it or none."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def cache_folder() -> Path:
    """Where rendered corpora, face nets and features are kept: $VOXFACE_CACHE, else ~/.cache/voxface."""
    return Path(os.environ.get("VOXFACE_CACHE") or Path.home() / ".cache" / "voxface")


def sha256(path: Path) -> str:
    """Of a file's content, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
