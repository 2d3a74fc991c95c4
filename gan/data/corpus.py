"""The corpus store: a folder of flat arrays that training memory-maps.

    corpus.json          schema version, name, source, licence, consent, sample rate, face sizes, face box, counts, checksums
    speakers.csv         speaker, split and every attribute known, one row a speaker
    recordings.csv       recording, speaker, split and the source's own name for it; read only to trace an item back
    clips.npy            one structured row a clip: speaker, recording, split, shard, offset, length, aligned face
    faces.npy            one structured row a face: speaker, recording, split, shard, row in the shard
    audio-00000.npy      int16 mono samples, clips end to end
    faces-64-00000.npy   uint8 (N, 64, 64, 3) RGB; one such file for each face size

Schema 2 adds what a preparation from films knows; a corpus without any of it is written as schema 1, byte for byte:

    recordings.csv       has a column media: the film that the recording was cut from, "" where there is none
    clip_facts.npy       one structured row a clip, as in clips.npy: when in the film, how clear the speech, who speaks
    face_facts.npy       one structured row a face, as in faces.npy: when in the film, and its measures

A corpus of mels, made of features that others published, is of schema 2, too, and has in place of sound:

    corpus.json          "mels": how its frames were made, the section of a recipe's features that makes them alike
    mels-00000.npy       float32 (frames, bands), clips end to end; a clip's offset and length in clips.npy are frames

Indexes are binary because a table of a million rows opens in milliseconds so, and in seconds as text.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gan.files import sha256

SCHEMA_VERSION = 2
SCHEMAS = (1, 2)  # that are read
SAMPLE_RATE_HZ = 16_000
INT16_SCALE = np.float32(1 / 32768)  # from stored samples to [-1, 1]
SPLITS = ("train", "val_speech", "val_speaker", "unseen_speech", "unseen_speaker")
SPEAKER_SPLITS = ("train", "val_speaker", "unseen_speaker")
NO_SOUND = "holds mel spectrograms that were published without their sound. This needs sound: take a corpus made of recordings."
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

# What may be known of a clip and of a face. Floats are NaN where unknown, tracks are NO_TRACK.
NO_TRACK = -1
CLIP_FACTS = np.dtype(
    [
        ("start_s", "<f8"),  # on the film's own clock
        ("end_s", "<f8"),
        ("speech_share", "<f4"),  # of the clip's length
        ("speech_to_pause_db", "<f4"),  # level in speech over level in pauses: low under music
        ("level_db", "<f4"),  # of full scale
        ("speaking_score", "<f4"),  # how well the mouth that was taken for the speaker's follows the sound
        ("lag_ms", "<f4"),  # by which the sound comes after the mouth
        ("track", "<i4"),  # of the speaker's face, counted within the film
    ]
)
FACE_FACTS = np.dtype(
    [
        ("seconds", "<f8"),  # on the film's own clock
        ("pupil_distance_px", "<f4"),  # in the film's picture, as the measures after it: see gan/media/measures.py
        ("asymmetry", "<f4"),
        ("jaw", "<f4"),
        ("pitch", "<f4"),
        ("mouth_open", "<f4"),
        ("sharpness", "<f4"),
        ("level", "<f4"),
        ("contrast", "<f4"),
        ("clipped", "<f4"),
        ("score", "<f4"),  # the detector's
        ("quality", "<f4"),  # by which a person's pictures were chosen, best first
        ("track", "<i4"),  # counted within the film
    ]
)


@dataclass(frozen=True)
class Stored:
    """What a corpus keeps of what is heard: rows along time.

    files: what their names begin with. dtype and row_shape of a row. rate_hz: rows a second. scale: from rows to what features
    read, waveforms in [-1, 1] or mel frames as they came.
    """

    files: str
    dtype: np.dtype
    row_shape: tuple[int, ...]
    rate_hz: float
    scale: np.float32


SOUND = Stored("audio", np.dtype("<i2"), (), SAMPLE_RATE_HZ, INT16_SCALE)


def stored_mels(made: Mapping[str, Any]) -> Stored:
    """made: the section of features that makes such frames, with num_mels and hop_ms."""
    return Stored("mels", np.dtype("<f4"), (int(made["num_mels"]),), 1000 / float(made["hop_ms"]), np.float32(1))


class Corpus:
    """A prepared corpus, read-only. Opening it reads the indexes; audio and faces stay memory-mapped.

    clips, faces: structured arrays (dtypes CLIP and FACE above).
    stored: what is kept of what is heard. mels: of a corpus of mels, how they were made; else empty.
    clip_facts, face_facts: structured arrays (dtypes CLIP_FACTS and FACE_FACTS), row for row with those; None where not known.
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
        if self.info.get("schema_version") not in SCHEMAS:
            raise ValueError(
                f"{self.path}: corpus schema version {self.info.get('schema_version')}, this voxface reads "
                f"versions {' and '.join(map(str, SCHEMAS))}. Prepare the corpus again."
            )
        self.name: str = self.info["name"]
        self.checksum: str = self.info["checksum"]
        self.sample_rate_hz: int = self.info["sample_rate_hz"]
        if self.sample_rate_hz != SAMPLE_RATE_HZ:
            raise ValueError(
                f"{self.path}: sample_rate_hz of corpus.json is {self.sample_rate_hz}, but features read "
                f"{SAMPLE_RATE_HZ} Hz. Prepare it again."
            )
        self.mels: dict[str, Any] = self.info.get("mels", {})
        self.stored = stored_mels(self.mels) if self.mels else SOUND
        self.face_sizes: tuple[int, ...] = tuple(self.info["face_sizes"])
        self.face_box: tuple[float, float, float, float] = tuple(self.info["face_box"])
        self.clips: np.ndarray = self._open("clips.npy")
        self.faces: np.ndarray = self._open("faces.npy")
        self.clip_facts: np.ndarray | None = self._facts("clip_facts.npy", self.clips)
        self.face_facts: np.ndarray | None = self._facts("face_facts.npy", self.faces)
        self._heard = [self._open(f"{self.stored.files}-{shard:05d}.npy") for shard in range(self.info["audio_shards"])]
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

    def _facts(self, name: str, index: np.ndarray) -> np.ndarray | None:
        if name not in self.info.get("files", ()):
            return None
        facts = self._open(name)
        if len(facts) != len(index):
            raise ValueError(f"{self.path / name}: {len(facts)} rows, the index has {len(index)}. Prepare the corpus again.")
        return facts

    @cached_property
    def speakers(self) -> list[dict[str, str]]:
        """The rows of speakers.csv, in speaker number order."""
        return self._read_csv("speakers.csv")

    @cached_property
    def recordings(self) -> list[dict[str, str]]:
        """The rows of recordings.csv, in recording number order; `source` is what a recording was called there.

        `media`, where the corpus knows films, is the film that it was cut from.
        """
        return self._read_csv("recordings.csv")

    def _read_csv(self, name: str) -> list[dict[str, str]]:
        with open(self.path / name, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def waveform(self, clip: int) -> np.ndarray:
        """int16 (S,) samples of a clip, a view of the memory map. Raises ValueError if the corpus has no sound, only mels."""
        if self.mels:
            raise ValueError(f"{self.path}: {NO_SOUND}")
        return self._rows(clip)

    def speech(self, clip: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """What features read of a clip: float32 waveform (S,) in [-1, 1], or mels (F, M).

        start, stop: the cut that is wanted, in samples or frames; beyond the clip's end there is nothing.
        """
        return self._rows(clip)[start:stop] * self.stored.scale

    def _rows(self, clip: int) -> np.ndarray:
        row = self.clips[clip]
        start = int(row["offset"])
        return self._heard[row["shard"]][start : start + int(row["length"])]

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
