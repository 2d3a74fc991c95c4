"""The person in front of white: MediaPipe's selfie segmentation, general model (Apache 2.0), which mediapipe 0.10.21 carries.

On rendered portraits before a textured room its mask overlaps the person by 0.95 (intersection over union). Nothing stands in
for it: an ellipse round the face, the hull of its points or GrabCut cut hair, ears and shoulders off (0.60 to 0.78).
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Any

import numpy as np

GENERAL = 0  # of mediapipe's two models; the other, for landscape pictures, loses a tenth of the person
# The edge of the picture is repeated so far round it, in shares of its sides: the model was made for people further away.
# Without it the masks of 50 rendered portraits overlap the person by 0.91, with it by 0.95.
ABOVE, BESIDE = 0.25, 0.125


class Person:
    """Finds the person in a picture. 10 ms a picture of 256 px on one core.

    Raises ValueError, saying what to do, where mediapipe is missing or carries no models.
    """

    def __init__(self) -> None:
        try:
            package = importlib.import_module("mediapipe")
        except ImportError:
            raise ValueError(
                'white background: mediapipe is not installed. Run: pip install "mediapipe==0.10.21" "numpy<2"'
            ) from None
        if not hasattr(package, "solutions"):
            raise ValueError(
                f"white background: mediapipe {version('mediapipe')} carries no models. "
                'Run: pip install "mediapipe==0.10.21" "numpy<2"'
            )
        self.label = f"mediapipe {version('mediapipe')}, selfie segmentation, general"
        self._models: Any = package.solutions.selfie_segmentation

    def mask(self, face: np.ndarray) -> np.ndarray:
        """How surely each pixel is the person: uint8 (H, W, 3) -> float32 (H, W) in [0, 1]."""
        height, width = face.shape[:2]
        above, beside = round(ABOVE * height), round(BESIDE * width)
        roomy = np.pad(face, ((above, 0), (beside, beside), (0, 0)), mode="edge")
        # Made anew for each picture, which takes some ms: left open, it complains when Python ends.
        with self._models.SelfieSegmentation(model_selection=GENERAL) as model:
            found = model.process(roomy).segmentation_mask
        return np.clip(np.asarray(found, np.float32)[above:, beside : beside + width], 0, 1)

    def white(self, face: np.ndarray) -> np.ndarray:
        """The same picture with all but the person white; the two are mixed at the edge. uint8 (H, W, 3) -> uint8 (H, W, 3)."""
        person = self.mask(face)[..., None]
        return np.rint(face * person + 255.0 * (1 - person)).astype(np.uint8)
