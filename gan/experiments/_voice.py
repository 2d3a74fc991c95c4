"""A voice that an experiment draws, and what is cut and shown of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHOWN = 8  # voices in a sheet; the numbers are over all


@dataclass(frozen=True)
class Voice:
    """name: in captions. speaker: the corpus's number; of sound files, their place in the list.

    clips: float32 (S,) in [-1, 1], 16 kHz. faces: uint8 (G, H, W, 3) real ones at the run's size; none for sound files.
    """

    name: str
    speaker: int
    clips: list[np.ndarray]
    faces: np.ndarray

    def crops(self, samples: int) -> list[np.ndarray]:
        """The clips cut into pieces of that many samples, end to end; what is left over at a clip's end is dropped."""
        return [piece for clip in self.clips for piece in windows(clip, samples, samples)]


def windows(waveform: np.ndarray, samples: int, hop: int) -> list[np.ndarray]:
    """Every window of that many samples, each `hop` after the one before; none if the waveform is shorter."""
    return [waveform[start : start + samples] for start in range(0, len(waveform) - samples + 1, hop)]


def real_picture(voice: Voice) -> np.ndarray | None:
    return voice.faces[0] if len(voice.faces) else None
