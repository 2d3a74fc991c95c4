"""What is kept of a part of an item: a minute of film or less, a sound file, a picture. Made by read.py, read by assemble.py."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gan.raw.item import Item
from gan.raw.store import Row, Shard

EMBEDDING = 128
MEASURES = ("pupil_distance_px", "asymmetry", "jaw", "pitch", "mouth_open", "sharpness", "level", "contrast", "clipped")

# A track: its number in the part, its shot's, when it is seen (seconds on the film's clock), in how many looks, and its first box.
TRACK = np.dtype([("track", "<i4"), ("shot", "<i4"), ("start", "<f8"), ("end", "<f8"), ("looks", "<i4"), ("box", "<f4", (4,))])
# A face that was kept of a track: when, where (px of the film's picture), its measures, its embedding, its picture's bytes in `png`.
FACE = np.dtype(
    [
        ("track", "<i4"),
        ("seconds", "<f8"),
        ("box", "<f4", (4,)),
        ("score", "<f4"),
        *((name, "<f4") for name in MEASURES),
        ("embedding", "<f4", (EMBEDDING,)),
        ("png", "<u8"),
        ("length", "<u4"),
    ]
)


@dataclass(frozen=True)
class Part:
    """One part as it is stored.

    row: part (number), start and end (seconds on the film's clock), heard (time of the first sample), speech (spans in seconds on
    that clock), speech_to_pause_db, size (width, height of the picture), notes.
    """

    item: Item
    row: Row
    shard: Shard

    @cached_property
    def waveform(self) -> np.ndarray:
        """int16 (S,), a view of the mapped file."""
        return self.shard.array(self.row, "waveform")

    @cached_property
    def tracks(self) -> np.ndarray:
        return self.shard.array(self.row, "tracks")

    @cached_property
    def faces(self) -> np.ndarray:
        return self.shard.array(self.row, "faces")

    @cached_property
    def windows(self) -> np.ndarray:
        return self.shard.array(self.row, "windows")

    @property
    def key(self) -> str:
        return f"{self.item.key}#{self.row['part']}" if self.row["part"] else self.item.key
