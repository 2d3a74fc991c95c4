"""What is kept of a part of an item: a minute of film or less, a sound file, a picture. Made by read.py, read by assemble.py."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gan.raw.item import Item
from gan.raw.store import Row, Shard

EMBEDDING = 128
MEASURES = ("pupil_distance_px", "asymmetry", "jaw", "pitch", "mouth_open", "sharpness", "level", "contrast", "clipped")

# A track: its number in the part, its shot's, when it is seen (seconds on the film's clock), in how many looks, its first box.
TRACK = np.dtype([("track", "<i4"), ("shot", "<i4"), ("start", "<f8"), ("end", "<f8"), ("looks", "<i4"), ("box", "<f4", (4,))])
# A face kept of a track: when, where (px of the picture), its measures, its embedding, where its picture's bytes are in `png`.
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
# The darkness of a track's mouth in one frame, gan/media/speaking.py.
MOUTH = np.dtype([("track", "<i4"), ("seconds", "<f8"), ("darkness", "<f4")])
KINDS = {"waveform": np.dtype("<i2"), "tracks": TRACK, "faces": FACE, "mouths": MOUTH, "png": np.dtype("u1")}


@dataclass(frozen=True)
class Part:
    """One part as it is stored.

    row: part (number), start and end (seconds on the film's clock), heard (time of the first sample), speech (spans in seconds on
    that clock), speech_to_pause_db, size (width, height of the picture), notes.
    """

    item: Item
    row: Row
    shard: Shard

    def array(self, name: str) -> np.ndarray:
        """waveform: int16 (S,). tracks, faces, mouths: rows of TRACK, FACE, MOUTH. Views of the mapped file, or empty."""
        if name not in self.row["arrays"]:
            return np.zeros(0, KINDS[name])
        return self.shard.array(self.row, name)

    def picture(self, face: np.void) -> np.ndarray:
        """uint8 (size, size, 3): the picture of a row of `faces`."""
        first = int(face["png"])
        content = self.array("png")[first : first + int(face["length"])].tobytes()
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))

    @property
    def key(self) -> str:
        return f"{self.item.key}#{self.row['part']}" if self.row["part"] else self.item.key
