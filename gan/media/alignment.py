"""A face in a picture -> a square picture of the face: by its eyes, or by its box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))  # of the 68 points: left and right eye in the picture
# The face box that metrics look into (docs/data.md), in pupil distances: its width, and how far its middle lies below the eyes.
# A detector's box (evaluation/detectors/base.py) takes 0.68 of it, as in the toy world (evaluation/landmarks.py).
FACE_WIDTH, FACE_DOWN = 3.5, 0.66
OF_DETECTED, DETECTED_DOWN = 1.47, 0.044  # the same in sides of a detector's box, from its middle
MODES = ("eyes", "box", "whole")


@dataclass(frozen=True)
class CropSettings:
    """by: "eyes" turns the face level and puts the pupils at fixed points; "box" cuts the detector's box, made larger; "whole"
    takes the picture's central square as it is.

    eye_distance: of the pupils, as a share of the picture's side. eye_height: of the line of the eyes from the top, as a share.
    margin: what is added to the box on each side, in box sides. down: by which the box is moved down, in box sides.
    white: put white behind the person (gan/media/background.py, which needs mediapipe 0.10.21).
    Defaults put the whole head with hair and chin into the picture.
    Raises ValueError for an impossible value.
    """

    by: str = "eyes"
    eye_distance: float = 0.23
    eye_height: float = 0.42
    margin: float = 0.4
    down: float = 0.0
    white: bool = False

    def __post_init__(self) -> None:
        if self.by not in MODES:
            raise ValueError(f"by: {self.by} came. Allowed: {', '.join(MODES)}.")
        if not 0.1 <= self.eye_distance <= 0.6:
            raise ValueError(f"eye_distance: {self.eye_distance} came. Allowed: 0.1 to 0.6.")
        if not 0.2 <= self.eye_height <= 0.7:
            raise ValueError(f"eye_height: {self.eye_height} came. Allowed: 0.2 to 0.7.")
        if not (-0.2 <= self.margin <= 2 and -1 <= self.down <= 1):
            raise ValueError(f"margin, down: {self.margin}, {self.down} came. Allowed: -0.2 to 2, and -1 to 1.")


def pupils(points: np.ndarray) -> np.ndarray:
    """68 points (68, 2) px -> middles of the two eyes, (2, 2) px, the left one in the picture first."""
    return np.stack([points[list(eye)].mean(axis=0) for eye in EYES])


def face_box(settings: CropSettings) -> tuple[float, float, float, float]:
    """Where in the square picture the face lies: left, top, right, bottom as fractions, as data.face_box of a corpus."""
    if settings.by == "whole":
        return (0.0, 0.0, 1.0, 1.0)
    if settings.by == "box":
        unit = 1 / (1 + 2 * settings.margin)
        side = OF_DETECTED * unit
        middle_x, middle_y = 0.5, 0.5 + (DETECTED_DOWN - settings.down) * unit
    else:
        side = FACE_WIDTH * settings.eye_distance
        middle_x, middle_y = 0.5, settings.eye_height + FACE_DOWN * settings.eye_distance
    edges = (middle_x - side / 2, middle_y - side / 2, middle_x + side / 2, middle_y + side / 2)
    left, top, right, bottom = (round(min(1.0, max(0.0, edge)), 6) for edge in edges)
    return left, top, right, bottom


def crop(image: np.ndarray, points: np.ndarray, box: np.ndarray, settings: CropSettings, size: int) -> np.ndarray:
    """A picture of the face, uint8 (size, size, 3). Beyond the picture's border its edge is repeated.

    image: uint8 (H, W, 3). points: its 68 points, (68, 2) px. box: left, top, right, bottom, px.
    """
    if settings.by == "eyes":
        left, right = pupils(points)
        across = (right - left) / settings.eye_distance  # the picture's upper edge, in px of the image
        origin = (left + right) / 2 - across / 2 - settings.eye_height * _down(across)
    else:
        height, width = image.shape[:2]
        if settings.by == "whole":
            side, middle = float(min(height, width)), np.array([width / 2, height / 2])
        else:
            edge = float(box[2] - box[0])
            side = edge * (1 + 2 * settings.margin)
            middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2 + settings.down * edge])
        across, origin = np.array([side, 0.0]), middle - side / 2
    return _square(image, origin, across, size)


def _down(across: np.ndarray) -> np.ndarray:
    """The picture's left edge: its upper edge turned by a right angle."""
    return np.array([-across[1], across[0]])


def _square(image: np.ndarray, origin: np.ndarray, across: np.ndarray, size: int) -> np.ndarray:
    """The square with this corner and upper edge, in px of the image. What is made smaller is averaged."""
    fine = max(1, int(np.ceil(np.hypot(*across) / size)))
    along_x = across / (size * fine)
    along_y = _down(along_x)
    corners = np.stack([origin, origin + across, origin + _down(across), origin + across + _down(across)])
    low = np.floor(corners.min(axis=0)).astype(int) - 2
    high = np.ceil(corners.max(axis=0)).astype(int) + 3
    columns, rows = (np.clip(np.arange(low[at], high[at]), 0, image.shape[1 - at] - 1) for at in (0, 1))
    around = Image.fromarray(np.ascontiguousarray(image[rows][:, columns]))
    shift = origin - low
    affine = (along_x[0], along_y[0], shift[0], along_x[1], along_y[1], shift[1])
    found = around.transform((size * fine, size * fine), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
    return np.asarray(found.reduce(fine) if fine > 1 else found)
