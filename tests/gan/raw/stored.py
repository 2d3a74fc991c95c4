"""Parts as a work folder would give them, with arrays made in a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan.raw.item import Item
from gan.raw.parts import MOUTH, TRACK, Part
from gan.raw.store import Row, Shard

RATE_HZ = 16_000


class Held(Shard):
    """A shard in memory."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        super().__init__(Path("nowhere"))
        self._held = arrays

    def array(self, row: Row, name: str) -> np.ndarray:
        return self._held[name]


def part(
    waveform: np.ndarray,
    speech: Sequence[tuple[float, float]],
    tracks: Sequence[tuple[float, float]] = (),
    mouths: Mapping[int, tuple[np.ndarray, np.ndarray]] | None = None,
    boxes: Sequence[Sequence[float]] | None = None,
    seen: bool = True,
    item: Item | None = None,
    number: int = 0,
    start: float = 0.0,
    faces: np.ndarray | None = None,
    png: np.ndarray | None = None,
) -> Part:
    """speech, tracks: start and end in seconds. mouths: of a track's number, seconds and darkness. boxes: of each track."""
    table = np.zeros(len(tracks), TRACK)
    for at, (come, go) in enumerate(tracks):
        table[at] = (at, 0, come, go, 4, (0, 0, 100, 100) if boxes is None else boxes[at])
    rows = [np.rec.fromarrays([np.full(len(t), at), t, dark], dtype=MOUTH) for at, (t, dark) in (mouths or {}).items()]
    arrays: dict[str, Any] = dict(waveform=waveform, tracks=table, mouths=np.concatenate(rows) if rows else np.zeros(0, MOUTH))
    arrays |= {name: array for name, array in (("faces", faces), ("png", png)) if array is not None}
    row: Row = dict(
        part=number, start=start, end=start + len(waveform) / RATE_HZ, heard=start, speech=[list(span) for span in speech]
    )
    row |= dict(speech_to_pause_db=None, arrays=dict.fromkeys(arrays), picture=[640, 360])
    if seen:
        row["frames"] = 100
    return Part(item or Item("ada/f.mp4", Path("f.mp4"), "ada/f", "ada"), row, Held(arrays))
