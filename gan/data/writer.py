"""Writing a corpus: a folder as gan/data/corpus.py reads it, whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from gan.data.corpus import (
    CLIP,
    FACE,
    MELS_SCHEMA_VERSION,
    SAMPLE_RATE_HZ,
    SCHEMA_VERSION,
    SOUND,
    SPEAKER_SPLITS,
    SPLITS,
    stored_mels,
)
from gan.data.pictures import resize
from gan.files import sha256, write_atomically

SHARD_BYTES = 4 << 30


class _GrowingArray:
    """A .npy file written row by row: numpy's header keeps room for its first axis to grow, so it is rewritten at the end."""

    def __init__(self, file: BinaryIO, dtype: np.dtype, row_shape: tuple[int, ...] = ()):
        self.file, self.dtype, self.row_shape, self.rows = file, np.dtype(dtype), row_shape, 0
        self.digest = hashlib.sha256()
        self._write_header()

    def _write_header(self) -> None:
        npy.write_array_header_1_0(
            self.file, {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.rows, *self.row_shape)}
        )

    @property
    def payload_bytes(self) -> int:
        return self.rows * self.dtype.itemsize * int(np.prod(self.row_shape, dtype=np.int64))

    def append(self, rows: np.ndarray) -> None:
        content = np.ascontiguousarray(rows, self.dtype).tobytes()
        self.file.write(content)
        self.digest.update(content)
        self.rows += len(rows)

    def settle(self) -> str:
        """Write the final header and flush to the disk; returns the SHA-256 of the array's bytes."""
        self.file.seek(0)
        self._write_header()
        self.file.flush()
        os.fsync(self.file.fileno())
        return self.digest.hexdigest()


class CorpusWriter:
    """Write a corpus, or nothing: everything goes to a hidden folder beside path, renamed when the with-block ends well.

    face_sizes in px: every face is stored once for each, antialiased from the picture given.
    face_box: see Corpus. mels: of a corpus of mels, the section of features that makes such frames.
    extra: anything JSON can say, kept in corpus.json under "extra".
    Raises ValueError if path exists already.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        name: str,
        source: str,
        licence: str,
        consent: str,
        face_sizes: Sequence[int] = (64, 128),
        face_box: Sequence[float] = (0.0, 0.0, 1.0, 1.0),
        extra: dict[str, Any] | None = None,
        mels: Mapping[str, Any] | None = None,
    ):
        self.path = Path(path)
        if self.path.exists():
            raise ValueError(f"{self.path}: exists already. Remove it or name another folder.")
        if not face_sizes or min(face_sizes) < 1:
            raise ValueError(f"face sizes: {list(face_sizes)} came. Allowed: one or more, in pixels from 1 on.")
        self._info: dict[str, Any] = dict(
            schema_version=SCHEMA_VERSION,
            name=name,
            source=source,
            licence=licence,
            consent=consent,
            sample_rate_hz=SAMPLE_RATE_HZ,
            face_sizes=list(face_sizes),
            face_box=list(face_box),
            extra=extra or {},
        )
        self._stored = stored_mels(mels) if mels else SOUND
        if mels:
            self._info |= dict(mels=dict(mels), schema_version=MELS_SCHEMA_VERSION)
        self._folder = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._speakers: list[dict[str, Any]] = []
        self._recordings: list[tuple[int, int, str]] = []
        self._clips: list[tuple[int, ...]] = []
        self._faces: list[tuple[int, ...]] = []
        self._audio: list[_GrowingArray] = []
        self._pixels: list[dict[int, _GrowingArray]] = []
        self._checksums: dict[str, str] = {}
        self._files = ExitStack()

    def __enter__(self) -> CorpusWriter:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._files.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def add_speaker(self, name: str, split: str, **attributes: object) -> int:
        if split not in SPEAKER_SPLITS:
            raise ValueError(f"speaker {name}: split {split} is not one of {', '.join(SPEAKER_SPLITS)}.")
        self._speakers.append({"speaker": name, "split": split, **attributes})
        return len(self._speakers) - 1

    def add_recording(self, speaker: int, name: str, split: str) -> int:
        owner = self._speakers[speaker]["split"]
        allowed = ("train", "val_speech", "unseen_speech") if owner == "train" else (owner,)
        if split not in allowed:
            raise ValueError(
                f"recording {name}: split {split} does not fit a speaker of split {owner}. Allowed: {', '.join(allowed)}."
            )
        self._recordings.append((speaker, SPLITS.index(split), name))
        return len(self._recordings) - 1

    def add_clip(self, recording: int, waveform: np.ndarray, face: int | None = None) -> int:
        """waveform: int16 (S,) mono at 16 kHz; of a corpus of mels float32 (F, M). face: the face seen while this was said, if
        one was.
        """
        stored = self._stored
        if waveform.dtype != stored.dtype or waveform.ndim < 1 or waveform.shape[1:] != stored.row_shape or not len(waveform):
            wanted = f"float32 (frames, {stored.row_shape[0]})" if stored.row_shape else "int16 (samples,)"
            raise ValueError(f"clip: {waveform.dtype} {waveform.shape} came, {wanted} is stored.")
        if not self._audio or self._audio[-1].payload_bytes >= SHARD_BYTES:
            self._audio.append(self._new_array(f"{stored.files}-{len(self._audio):05d}.npy", stored.dtype, stored.row_shape))
        shard = self._audio[-1]
        speaker, split, _ = self._recordings[recording]
        self._clips.append(
            (speaker, recording, split, len(self._audio) - 1, shard.rows, len(waveform), -1 if face is None else face)
        )
        shard.append(waveform)
        return len(self._clips) - 1

    def add_face(self, recording: int, image: np.ndarray) -> int:
        """image: uint8 (H, W, 3) RGB of any size; stored square."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"face: {image.dtype} {image.shape} came, uint8 (height, width, 3) is stored.")
        if not self._pixels or max(a.payload_bytes for a in self._pixels[-1].values()) >= SHARD_BYTES:
            number = len(self._pixels)
            self._pixels.append(
                {
                    size: self._new_array(f"faces-{size}-{number:05d}.npy", np.dtype("u1"), (size, size, 3))
                    for size in self._info["face_sizes"]
                }
            )
        shard = self._pixels[-1]
        speaker, split, _ = self._recordings[recording]
        self._faces.append((speaker, recording, split, len(self._pixels) - 1, next(iter(shard.values())).rows))
        for size, array in shard.items():
            array.append(resize(image, size)[None])
        return len(self._faces) - 1

    def _new_array(self, name: str, dtype: np.dtype, row_shape: tuple[int, ...] = ()) -> _GrowingArray:
        return _GrowingArray(self._files.enter_context(open(self._folder / name, "wb")), dtype, row_shape)

    def _finish(self) -> None:
        arrays = {f"{self._stored.files}-{number:05d}.npy": audio for number, audio in enumerate(self._audio)}
        arrays |= {
            f"faces-{size}-{number:05d}.npy": array
            for number, by_size in enumerate(self._pixels)
            for size, array in by_size.items()
        }
        for name, rows, dtype in (("clips.npy", self._clips, CLIP), ("faces.npy", self._faces, FACE)):
            arrays[name] = self._new_array(name, dtype)
            arrays[name].append(np.array(rows, dtype))
        self._checksums |= {name: array.settle() for name, array in arrays.items()}
        self._write_csv("speakers.csv", self._speakers)
        self._write_csv(
            "recordings.csv",
            [
                {"recording": number, "speaker": self._speakers[speaker]["speaker"], "split": SPLITS[split], "source": name}
                for number, (speaker, split, name) in enumerate(self._recordings)
            ],
        )
        content = hashlib.sha256(
            json.dumps(
                [
                    sorted(self._checksums.items()),
                    self._info["face_box"],
                    *([self._info["mels"]] if self._stored.row_shape else []),
                ]
            ).encode()
        )
        self._info |= dict(
            num_speakers=len(self._speakers),
            num_recordings=len(self._recordings),
            num_clips=len(self._clips),
            num_faces=len(self._faces),
            audio_shards=len(self._audio),
            face_shards=len(self._pixels),
            files=dict(sorted(self._checksums.items())),
            checksum=content.hexdigest(),
        )
        write_atomically(self._folder / "corpus.json", json.dumps(self._info, indent=1, ensure_ascii=False).encode())
        if self.path.exists():
            raise ValueError(f"{self.path}: appeared while it was being prepared. Nothing was overwritten.")
        os.replace(self._folder, self.path)

    def _write_csv(self, name: str, rows: list[dict[str, Any]]) -> None:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        path = self._folder / name
        with open(path, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, columns, lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        self._checksums[name] = sha256(path)
