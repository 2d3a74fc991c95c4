"""Pictures of one face that are nearly the same: seconds apart in one shot. Of those one is enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

SIDE = 32
CONTRAST = 50.0  # standard deviation that every picture is brought to, of 255


def thumbnail(face: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) -> float32 (32, 32), grey, of mean 0 and one contrast, so that light does not count."""
    grey = np.asarray(Image.fromarray(face).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    return np.asarray((grey - grey.mean()) * (CONTRAST / max(float(grey.std()), 1.0)), np.float32)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference of two thumbnails, of 255. Rendered 5 to 13 in one track, 13 to 24 in two shots, 30 of two people."""
    return float(np.abs(a - b).mean())


def choose(
    thumbnails: Sequence[np.ndarray],
    quality: Sequence[float],
    seconds: Sequence[float],
    most: int | None,
    least_difference: float,
) -> list[int]:
    """The best pictures first; each further one must differ from all chosen before, and be of another second.

    seconds: when each was seen; nan where that is not known. most: how many at most. Returns their positions.
    """
    chosen: list[int] = []
    for at in np.argsort(-np.asarray(quality, np.float64), kind="stable").tolist():
        if most is not None and len(chosen) >= most:
            break
        near = any(
            abs(seconds[at] - seconds[other]) < 1 or difference(thumbnails[at], thumbnails[other]) < least_difference
            for other in chosen
        )
        if not near:
            chosen.append(at)
    return chosen
