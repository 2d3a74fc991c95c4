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
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from PIL import Image

SCHEMA_VERSION = 1
SAMPLE_RATE_HZ = 16_000
SPLITS = ("train", "val_speech", "val_speaker", "unseen_speech", "unseen_speaker")
SPEAKER_SPLITS = ("train", "val_speaker", "unseen_speaker")
SHARD_BYTES = 4 << 30

CLIP = np.dtype([("speaker", "<u4"), ("recording", "<u4"), ("split", "u1"), ("shard", "<u2"), ("offset", "<u8"),
                 ("length", "<u4"), ("face", "<i8")])
FACE = np.dtype([("speaker", "<u4"), ("recording", "<u4"), ("split", "u1"), ("shard", "<u2"), ("row", "<u4")])


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


class Corpus:
    """A prepared corpus, read-only. Opening it reads the indexes; audio and faces stay memory-mapped.

    clips, faces: structured arrays (dtypes CLIP and FACE above).
    face_box: fractions (left, top, right, bottom) of a picture inside which the face itself lies.
    Raises ValueError if the folder is not a corpus, is of another schema version, or is cut short.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not (self.path / "corpus.json").is_file():
            raise ValueError(f"data.corpus: {self.path} has no corpus.json. Make one with voxface prepare, "
                             "or use toy:tiny, toy:demo or toy:bench.")
        try:
            self.info: dict[str, Any] = json.loads((self.path / "corpus.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{self.path / 'corpus.json'}: not valid JSON ({error}). Prepare the corpus again.") from None
        if self.info.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"{self.path}: corpus schema version {self.info.get('schema_version')}, this voxface reads "
                             f"version {SCHEMA_VERSION}. Prepare the corpus again.")
        self.name: str = self.info["name"]
        self.checksum: str = self.info["checksum"]
        self.sample_rate_hz: int = self.info["sample_rate_hz"]
        if self.sample_rate_hz != SAMPLE_RATE_HZ:
            raise ValueError(f"{self.path}: sample_rate_hz of corpus.json is {self.sample_rate_hz}, but features read "
                             f"{SAMPLE_RATE_HZ} Hz. Prepare it again.")
        self.face_sizes: tuple[int, ...] = tuple(self.info["face_sizes"])
        self.face_box: tuple[float, float, float, float] = tuple(self.info["face_box"])
        self.clips: np.ndarray = self._open("clips.npy")
        self.faces: np.ndarray = self._open("faces.npy")
        self._audio = [self._open(f"audio-{shard:05d}.npy") for shard in range(self.info["audio_shards"])]
        self._pixels = {size: [self._open(f"faces-{size}-{shard:05d}.npy") for shard in range(self.info["face_shards"])]
                        for size in self.face_sizes}

    def _open(self, name: str) -> np.ndarray:
        path = self.path / name
        try:
            # As a plain array, still mapped: np.memmap's own indexing costs more than the few rows it fetches.
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except FileNotFoundError:
            raise ValueError(f"{path}: missing from the corpus. Prepare it again.") from None
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{path}: cut short or damaged ({str(error).splitlines()[0]}). "
                             "Prepare the corpus again.") from None

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
        return self._audio[row["shard"]][start:start + int(row["length"])]

    def pixels(self, faces: Sequence[int] | np.ndarray, size: int) -> np.ndarray:
        """uint8 (N, size, size, 3) RGB pictures of the given faces. Raises ValueError for a size not stored."""
        if size not in self._pixels:
            raise ValueError(f"{self.path}: faces of {size} px are not stored. Have: {list(self.face_sizes)} px. "
                             "Prepare the corpus with that face size.")
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
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest != expected:
                raise ValueError(f"{path}: checksum {digest[:12]} differs from the recorded {expected[:12]}. "
                                 "Prepare the corpus again.")


class _GrowingArray:
    """A .npy file written row by row: numpy's header keeps room for its first axis to grow, so it is rewritten at the end."""

    def __init__(self, file: BinaryIO, dtype: np.dtype, row_shape: tuple[int, ...] = ()):
        self.file, self.dtype, self.row_shape, self.rows = file, np.dtype(dtype), row_shape, 0
        self.digest = hashlib.sha256()
        self._write_header()

    def _write_header(self) -> None:
        npy.write_array_header_1_0(self.file, {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False,
                                               "shape": (self.rows, *self.row_shape)})

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
    face_box: see Corpus. extra: anything JSON can say, kept in corpus.json under "extra".
    Raises ValueError if path exists already.
    """

    def __init__(self, path: str | Path, *, name: str, source: str, licence: str, consent: str,
                 face_sizes: Sequence[int] = (64, 128), face_box: Sequence[float] = (0.0, 0.0, 1.0, 1.0),
                 extra: dict[str, Any] | None = None):
        self.path = Path(path)
        if self.path.exists():
            raise ValueError(f"{self.path}: exists already. Remove it or name another folder.")
        if not face_sizes or min(face_sizes) < 1:
            raise ValueError(f"face sizes: {list(face_sizes)} came. Allowed: one or more, in pixels from 1 on.")
        self._info: dict[str, Any] = dict(
            schema_version=SCHEMA_VERSION, name=name, source=source, licence=licence, consent=consent,
            sample_rate_hz=SAMPLE_RATE_HZ, face_sizes=list(face_sizes), face_box=list(face_box), extra=extra or {})
        self._folder = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._speakers: list[dict[str, Any]] = []
        self._recordings: list[tuple[int, int, str]] = []
        self._clips: list[tuple] = []
        self._faces: list[tuple] = []
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
            raise ValueError(f"recording {name}: split {split} does not fit a speaker of split {owner}. "
                             f"Allowed: {', '.join(allowed)}.")
        self._recordings.append((speaker, SPLITS.index(split), name))
        return len(self._recordings) - 1

    def add_clip(self, recording: int, waveform: np.ndarray, face: int | None = None) -> int:
        """waveform: int16 (S,) mono at 16 kHz. face: the face seen while this was said, if one was."""
        if waveform.dtype != np.int16 or waveform.ndim != 1 or not len(waveform):
            raise ValueError(f"clip: {waveform.dtype} {waveform.shape} came, int16 (samples,) is stored.")
        if not self._audio or self._audio[-1].payload_bytes >= SHARD_BYTES:
            self._audio.append(self._new_array(f"audio-{len(self._audio):05d}.npy", np.dtype("<i2")))
        shard = self._audio[-1]
        speaker, split, _ = self._recordings[recording]
        self._clips.append((speaker, recording, split, len(self._audio) - 1, shard.rows, len(waveform),
                            -1 if face is None else face))
        shard.append(waveform)
        return len(self._clips) - 1

    def add_face(self, recording: int, image: np.ndarray) -> int:
        """image: uint8 (H, W, 3) RGB of any size; stored square."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"face: {image.dtype} {image.shape} came, uint8 (height, width, 3) is stored.")
        if not self._pixels or max(a.payload_bytes for a in self._pixels[-1].values()) >= SHARD_BYTES:
            number = len(self._pixels)
            self._pixels.append({size: self._new_array(f"faces-{size}-{number:05d}.npy", np.dtype("u1"), (size, size, 3))
                                 for size in self._info["face_sizes"]})
        shard = self._pixels[-1]
        speaker, split, _ = self._recordings[recording]
        self._faces.append((speaker, recording, split, len(self._pixels) - 1, next(iter(shard.values())).rows))
        for size, array in shard.items():
            array.append(resize(image, size)[None])
        return len(self._faces) - 1

    def _new_array(self, name: str, dtype: np.dtype, row_shape: tuple[int, ...] = ()) -> _GrowingArray:
        return _GrowingArray(self._files.enter_context(open(self._folder / name, "wb")), dtype, row_shape)

    def _finish(self) -> None:
        arrays = {f"audio-{number:05d}.npy": audio for number, audio in enumerate(self._audio)}
        arrays |= {f"faces-{size}-{number:05d}.npy": array
                   for number, by_size in enumerate(self._pixels) for size, array in by_size.items()}
        for name, rows, dtype in (("clips.npy", self._clips, CLIP), ("faces.npy", self._faces, FACE)):
            arrays[name] = self._new_array(name, dtype)
            arrays[name].append(np.array(rows, dtype))
        self._checksums |= {name: array.settle() for name, array in arrays.items()}
        self._write_csv("speakers.csv", self._speakers)
        self._write_csv("recordings.csv", [{"recording": number, "speaker": self._speakers[speaker]["speaker"],
                                            "split": SPLITS[split], "source": name}
                                           for number, (speaker, split, name) in enumerate(self._recordings)])
        content = hashlib.sha256(json.dumps([sorted(self._checksums.items()), self._info["face_box"]]).encode())
        self._info |= dict(num_speakers=len(self._speakers), num_recordings=len(self._recordings),
                           num_clips=len(self._clips), num_faces=len(self._faces), audio_shards=len(self._audio),
                           face_shards=len(self._pixels), files=dict(sorted(self._checksums.items())),
                           checksum=content.hexdigest())
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
        self._checksums[name] = hashlib.sha256(path.read_bytes()).hexdigest()


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 (H, W, 3) -> uint8 (size, size, 3), bilinear with antialiasing, aspect not kept (as SF2F and Wav2Pix)."""
    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
