"""Faces found in one look after another -> tracks: one face, followed through one shot."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class TrackSettings:
    """overlap: the least intersection over union of a face's boxes in two looks. gap_seconds: the longest time in which it may
    not be found. least_looks: tracks of fewer are dropped.

    Raises ValueError for an impossible value.
    """

    overlap: float = 0.5
    gap_seconds: float = 1.0
    least_looks: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.overlap < 1:
            raise ValueError(f"overlap: {self.overlap} came. Allowed: between 0 and 1.")
        if not self.gap_seconds >= 0:
            raise ValueError(f"gap_seconds: {self.gap_seconds} came. Allowed: 0 or more.")
        if self.least_looks < 1:
            raise ValueError(f"least_looks: {self.least_looks} came. Allowed: 1 or more.")


@dataclass(eq=False)  # one is itself only: arrays cannot be compared as a whole
class Track:
    """shot: number of the shot it is in. seconds: of each look that found it. boxes: (4,) px, left, top, right, bottom, of each.
    looks, rows: number of each look, and which of its boxes this one was."""

    shot: int
    seconds: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)

    @property
    def start(self) -> float:
        return self.seconds[0]

    @property
    def end(self) -> float:
        return self.seconds[-1]

    def box_at(self, seconds: float) -> np.ndarray:
        """float64 (4,): between two looks on the straight line; before the first and after the last as there."""
        boxes = np.stack(self.boxes)
        return np.array([np.interp(seconds, self.seconds, boxes[:, side]) for side in range(4)])


class Tracker:
    """Is given the boxes of each look in order. A face goes to the track whose last box it overlaps most, best pairs first."""

    def __init__(self, settings: TrackSettings):
        self._settings = settings
        self._open: list[Track] = []
        self._closed: list[Track] = []
        self._looks = self._shot = 0

    def add(self, seconds: float, boxes: np.ndarray, new_shot: bool) -> None:
        """boxes: (n, 4 or more), left, top, right, bottom in px. new_shot: has a shot begun since the last look?"""
        if new_shot:
            self._closed += self._open
            self._open = []
            self._shot += 1
        late = [track for track in self._open if seconds - track.end > self._settings.gap_seconds]
        self._closed += late
        self._open = [track for track in self._open if track not in late]
        overlaps = overlap(np.array([track.boxes[-1] for track in self._open]).reshape(-1, 4), boxes[:, :4])
        free = list(range(len(boxes)))
        while overlaps.size and overlaps.max() >= self._settings.overlap:
            track, row = (int(at) for at in np.unravel_index(overlaps.argmax(), overlaps.shape))
            self._extend(self._open[track], seconds, boxes, row)
            free.remove(row)
            overlaps[track], overlaps[:, row] = 0, 0
        for row in free:
            self._open.append(Track(self._shot))
            self._extend(self._open[-1], seconds, boxes, row)
        self._looks += 1

    def _extend(self, track: Track, seconds: float, boxes: np.ndarray, row: int) -> None:
        track.seconds.append(seconds)
        track.boxes.append(np.asarray(boxes[row, :4], np.float64))
        track.looks.append(self._looks)
        track.rows.append(row)

    def finish(self) -> list[Track]:
        """Every track of enough looks, in the order of their beginning."""
        found = [track for track in [*self._closed, *self._open] if len(track.looks) >= self._settings.least_looks]
        return sorted(found, key=lambda track: (track.looks[0], track.rows[0]))


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) and (m, 4) -> intersection over union (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (a, b)]
    return np.asarray(common / np.maximum(areas[0][:, None] + areas[1][None] - common, 1e-9))
