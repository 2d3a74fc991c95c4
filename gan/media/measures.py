"""How good a picture of a face is: turned, small, blurred, dark, its mouth open? Measured from the picture and its 68 points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
from PIL import Image

from gan.media.alignment import CropSettings, crop, pupils

# Points that mirror each other, numbered as 300-W does: jaw, brows, eyes, nose, mouth.
PAIRS = (
    *((0, 16), (1, 15), (2, 14), (3, 13), (4, 12), (5, 11), (6, 10), (7, 9)),
    *((17, 26), (18, 25), (19, 24), (20, 23), (21, 22)),
    *((36, 45), (37, 44), (38, 43), (39, 42)),
    *((31, 35), (32, 34)),
    *((48, 54), (49, 53), (59, 55)),
)
NOSE_TIP, CHIN, JAW = 30, 8, (2, 14)
INNER_LIPS = ((61, 67), (62, 66), (63, 65))
SIDE, LEAST_SIDE = 112, 24
STRAIGHT = 0.355  # pitch of a face that looks into the camera
EVEN = 0.1  # energy below which nothing is told: rounding to whole grey values makes it
ALIGNED = CropSettings(by="eyes", eye_distance=0.42, eye_height=0.35)
DARKEST, BRIGHTEST = 3, 252


@dataclass(frozen=True)
class Measures:
    """pupil_distance_px: in the picture. Lengths below are in pupil distances.

    asymmetry: mean difference of 22 mirrored pairs of points; a turned face has more.
    jaw: how much nearer the nose is to one edge of the jaw than to the other, as a share.
    pitch: height of the nose's tip below the eyes over the chin's; less looks up.
    mouth_open: distance of the inner lips.
    sharpness: log of the Laplacian's energy over the gradient's in the aligned face at 112 px, or fewer where the picture has
    fewer; not moved by light, hardly by size. Less is blurred or enlarged.
    level, contrast: mean and standard deviation of the aligned face's grey values, of 255.
    clipped: share of its values at either end.
    """

    pupil_distance_px: float
    asymmetry: float
    jaw: float
    pitch: float
    mouth_open: float
    sharpness: float
    level: float
    contrast: float
    clipped: float


def measure(image: np.ndarray, points: np.ndarray) -> Measures:
    """image: uint8 (H, W, 3). points: its 68 points, (68, 2) px, as evaluation.landmarks.points68_in."""
    eyes = pupils(points)
    across = eyes[1] - eyes[0]
    distance = max(float(np.hypot(*across)), 1e-3)
    right = across / distance
    level_points = (points - eyes.mean(axis=0)) @ np.stack([right, [-right[1], right[0]]], axis=1) / distance
    x, y = level_points[:, 0], level_points[:, 1]
    a, b = np.array(PAIRS).T
    asymmetry = float(np.mean(np.hypot(x[a] + x[b] - 2 * np.median((x[a] + x[b]) / 2), y[a] - y[b])))
    left_edge, right_edge = x[NOSE_TIP] - x[JAW[0]], x[JAW[1]] - x[NOSE_TIP]
    jaw = abs(left_edge - right_edge) / max(abs(left_edge) + abs(right_edge), 1e-6)
    pitch = y[NOSE_TIP] / max(abs(float(y[CHIN])), 1e-6)
    mouth = np.mean([np.hypot(x[up] - x[down], y[up] - y[down]) for up, down in INNER_LIPS])
    side = min(SIDE, max(LEAST_SIDE, round(distance / ALIGNED.eye_distance)))
    grey = np.asarray(Image.fromarray(crop(image, points, np.zeros(4), ALIGNED, side)).convert("L"), np.float32)
    gradient = np.square(np.diff(grey, axis=0)).mean() + np.square(np.diff(grey, axis=1)).mean()
    laplacian = grey[2:, 1:-1] + grey[:-2, 1:-1] + grey[1:-1, 2:] + grey[1:-1, :-2] - 4 * grey[1:-1, 1:-1]
    return Measures(
        distance,
        asymmetry,
        float(jaw),
        float(pitch),
        float(mouth),
        math.log((float(np.square(laplacian).mean()) + EVEN) / (float(gradient) + EVEN)),
        float(grey.mean()),
        float(grey.std()),
        float(((grey < DARKEST) | (grey > BRIGHTEST)).mean()),
    )


@dataclass(frozen=True)
class FaceFilterSettings:
    """Limits of the measures. A picture outside any of them is left out. least_... of 0 and most_... of 1 or more let every
    picture pass, but least_sharpness, a logarithm: -.inf; and most_level: 255.

    Raises ValueError where a limit is no number or of the wrong sign, or where a least exceeds its most.
    """

    least_pupil_distance_px: float = 30.0
    most_asymmetry: float = 0.10
    least_pitch: float = 0.26
    most_pitch: float = 0.45
    most_mouth_open: float = 0.25
    least_sharpness: float = -0.15
    least_level: float = 40.0
    most_level: float = 215.0
    least_contrast: float = 12.0
    most_clipped: float = 0.10

    def __post_init__(self) -> None:
        for field in fields(self):
            least, value = -math.inf if field.name == "least_sharpness" else 0.0, getattr(self, field.name)
            if not value >= least:
                allowed = "a number, or -.inf to keep all" if least < 0 else "0 or more"
                raise ValueError(f"faces.{field.name}: {value} came. Allowed: {allowed}.")
        for least_name, most_name in (("least_pitch", "most_pitch"), ("least_level", "most_level")):
            least, most = getattr(self, least_name), getattr(self, most_name)
            if least > most:
                raise ValueError(f"faces.{least_name}, faces.{most_name}: {least}, {most} came. Allowed: in this order.")


class FaceFilter:
    """Says why a picture is left out."""

    def __init__(self, settings: FaceFilterSettings):
        self._settings = settings

    def reason(self, measures: Measures | Mapping[str, float]) -> str:
        """In a word or two, the first rule that it breaks; "" if it is kept. A measure that is NaN, not known, breaks none.

        measures: as `measure` gives them, or by their names.
        """
        limits, known = self._settings, asdict(measures) if isinstance(measures, Measures) else measures
        broken = (
            ("small", known["pupil_distance_px"] < limits.least_pupil_distance_px),
            ("turned", known["asymmetry"] > limits.most_asymmetry),
            ("tilted", known["pitch"] < limits.least_pitch or known["pitch"] > limits.most_pitch),
            ("open mouth", known["mouth_open"] > limits.most_mouth_open),
            ("dark", known["level"] < limits.least_level),
            ("bright", known["level"] > limits.most_level or known["clipped"] > limits.most_clipped),
            ("flat", known["contrast"] < limits.least_contrast),
            ("blurred", known["sharpness"] < limits.least_sharpness),
        )
        return next((reason for reason, is_broken in broken if is_broken), "")


def quality(measures: Measures) -> float:
    """By which pictures of one face are compared, best highest: frontal, with a closed mouth, sharp, large.

    A weighted sum, without steps. Each fault costs about 1 where it is just bad enough to be left out by default; twice the size
    gains 1, up to a pupil distance of 120 px, beyond which a stored picture shows no more.
    """
    return (
        -measures.asymmetry / 0.10
        - measures.mouth_open / 0.25
        - abs(measures.pitch - STRAIGHT) / 0.1
        + measures.sharpness
        + math.log2(min(max(measures.pupil_distance_px, 1.0), 120.0) / 30)
        - measures.clipped / 0.1
    )
