"""The corpus store: a folder of flat arrays that training memory-maps.

    corpus.json          schema version, name, source, licence, consent, sample rate, face sizes, face box, counts, checksums
    speakers.csv         speaker, split and every attribute known, one row a speaker
    recordings.csv       recording, speaker, split and the source's own name for it; read only to trace an item back
    clips.npy            one structured row a clip: speaker, recording, split, shard, offset, length, aligned face
    faces.npy            one structured row a face: speaker, recording, split, shard, row in the shard
    audio-00000.npy      int16 mono samples, clips end to end
    faces-64-00000.npy   uint8 (N, 64, 64, 3) RGB; one such file for each face size

Indexes are binary because a table of a million rows opens in milliseconds so, and in seconds as text.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gan.files import sha256

SCHEMA_VERSION = 1
SAMPLE_RATE_HZ = 16_000
INT16_SCALE = np.float32(1 / 32768)  # from stored samples to [-1, 1]
SPLITS = ("train", "val_speech", "val_speaker", "unseen_speech", "unseen_speaker")
SPEAKER_SPLITS = ("train", "val_speaker", "unseen_speaker")
READABLE = "Let its owner run chmod -R a+rX on the corpus."

CLIP = np.dtype(
    [
        ("speaker", "<u4"),
        ("recording", "<u4"),
        ("split", "u1"),
        ("shard", "<u2"),
        ("offset", "<u8"),
        ("length", "<u4"),
        ("face", "<i8"),
    ]
)
FACE = np.dtype([("speaker", "<u4"), ("recording", "<u4"), ("split", "u1"), ("shard", "<u2"), ("row", "<u4")])


class Corpus:
    """A prepared corpus, read-only. Opening it reads the indexes; audio and faces stay memory-mapped.

    clips, faces: structured arrays (dtypes CLIP and FACE above).
    face_box: fractions (left, top, right, bottom) of a picture inside which the face itself lies.
    Raises ValueError if the folder is not a corpus, is of another schema version, or is cut short.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not (self.path / "corpus.json").is_file():
            raise ValueError(
                f"data.corpus: {self.path} has no corpus.json. Make one with voxface prepare, "
                "or use toy:tiny, toy:demo or toy:bench."
            )
        try:
            self.info: dict[str, Any] = json.loads((self.path / "corpus.json").read_text(encoding="utf-8"))
        except PermissionError:
            raise ValueError(f"{self.path / 'corpus.json'}: may not be read (permission denied). {READABLE}") from None
        except ValueError as error:
            raise ValueError(f"{self.path / 'corpus.json'}: not valid JSON ({error}). Prepare the corpus again.") from None
        if self.info.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(
                f"{self.path}: corpus schema version {self.info.get('schema_version')}, this voxface reads "
                f"version {SCHEMA_VERSION}. Prepare the corpus again."
            )
        self.name: str = self.info["name"]
        self.checksum: str = self.info["checksum"]
        self.sample_rate_hz: int = self.info["sample_rate_hz"]
        if self.sample_rate_hz != SAMPLE_RATE_HZ:
            raise ValueError(
                f"{self.path}: sample_rate_hz of corpus.json is {self.sample_rate_hz}, but features read "
                f"{SAMPLE_RATE_HZ} Hz. Prepare it again."
            )
        self.face_sizes: tuple[int, ...] = tuple(self.info["face_sizes"])
        self.face_box: tuple[float, float, float, float] = tuple(self.info["face_box"])
        self.clips: np.ndarray = self._open("clips.npy")
        self.faces: np.ndarray = self._open("faces.npy")
        self._audio = [self._open(f"audio-{shard:05d}.npy") for shard in range(self.info["audio_shards"])]
        self._pixels = {
            size: [self._open(f"faces-{size}-{shard:05d}.npy") for shard in range(self.info["face_shards"])]
            for size in self.face_sizes
        }

    def _open(self, name: str) -> np.ndarray:
        path = self.path / name
        try:
            # As a plain array, still mapped: np.memmap's own indexing costs more than the few rows it fetches.
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except FileNotFoundError:
            raise ValueError(f"{path}: missing from the corpus. Prepare it again.") from None
        except PermissionError:
            raise ValueError(f"{path}: may not be read (permission denied). {READABLE}") from None
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{path}: cut short or damaged ({str(error).splitlines()[0]}). Prepare the corpus again.") from None

    @cached_property
    def speakers(self) -> list[dict[str, str]]:
        """The rows of speakers.csv, in speaker number order."""
        return self._read_csv("speakers.csv")

    @cached_property
    def recordings(self) -> list[dict[str, str]]:
        """The rows of recordings.csv, in recording number order; `source` is what a recording was called there."""
        return self._read_csv("recordings.csv")

    def _read_csv(self, name: str) -> list[dict[str, str]]:
        with open(self.path / name, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def waveform(self, clip: int) -> np.ndarray:
        """int16 (S,) samples of a clip, a view of the memory map."""
        row = self.clips[clip]
        start = int(row["offset"])
        return self._audio[row["shard"]][start : start + int(row["length"])]

    def pixels(self, faces: Sequence[int] | np.ndarray, size: int) -> np.ndarray:
        """uint8 (N, size, size, 3) RGB pictures of the given faces. Raises ValueError for a size not stored."""
        if size not in self._pixels:
            raise ValueError(
                f"{self.path}: faces of {size} px are not stored. Have: {list(self.face_sizes)} px. "
                "Prepare the corpus with that face size."
            )
        rows = self.faces[np.asarray(faces, dtype=np.int64)]
        shards = self._pixels[size]
        if len(shards) == 1:
            return shards[0][rows["row"]]
        out = np.empty((len(rows), size, size, 3), np.uint8)
        for shard in np.unique(rows["shard"]):
            here = rows["shard"] == shard
            out[here] = shards[shard][rows["row"][here]]
        return out

    def in_split(self, index: np.ndarray, split: str) -> np.ndarray:
        """Row numbers of an index (self.clips or self.faces) that belong to a split."""
        if split not in SPLITS:
            raise ValueError(f"split: no split named {split}. Have: {', '.join(SPLITS)}.")
        return np.flatnonzero(index["split"] == SPLITS.index(split))

    def verify(self) -> None:
        """Recompute every checksum. Raises ValueError naming the first file that differs."""
        for name, expected in self.info["files"].items():
            path = self.path / name
            if name.endswith(".npy"):
                payload = np.ascontiguousarray(self._open(name))
                digest = hashlib.sha256(payload.view(np.uint8).data if payload.size else b"").hexdigest()
            else:
                digest = sha256(path)
            if digest != expected:
                raise ValueError(
                    f"{path}: checksum {digest[:12]} differs from the recorded {expected[:12]}. Prepare the corpus again."
                )
