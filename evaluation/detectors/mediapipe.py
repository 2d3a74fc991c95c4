"""MediaPipe's face mesh (Kartynnik et al. 2019, Apache 2.0): a face is found where its landmarks are.

Two generations: mediapipe 0.10.21 carries the models of its face mesh; from 1.0 on the package holds none, and its
FaceLandmarker reads a .task bundle that the user adds (0.10.21 reads bundles, too).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.cache import file_checksum
from evaluation.detectors.base import Detector


class Mediapipe(Detector):
    """MediaPipe's face mesh, on the picture as it is; 3 ms a picture.

    weights: path of a FaceLandmarker bundle (.task); None takes the face mesh inside mediapipe 0.10.
    threshold: confidence that the first net, the face detector, must reach. The second net, which says whether the
        landmarks are a face's, keeps mediapipe's 0.5.
    Raises ValueError, saying what to do, where mediapipe is missing, has no models of its own, or cannot read the bundle.
    """

    name = "mediapipe"

    def __init__(self, weights: str | None = None, threshold: float = 0.5):
        if not 0 < threshold < 1:
            raise ValueError(f"threshold: {threshold:g}; between 0 and 1.")
        self.weights, self.threshold = weights, float(threshold)
        self.package = _package()
        model = "its own face mesh"
        if weights is not None:
            if not Path(weights).is_file():
                raise ValueError(f"weights: no file {weights}. Add it: voxface assets add mediapipe-face-landmarker PATH")
            model = f"FaceLandmarker {file_checksum(Path(weights))[:12]}"
        elif not hasattr(self.package, "solutions"):
            raise ValueError(
                f"weights: mediapipe {version('mediapipe')} carries no face models; give the path of a FaceLandmarker .task "
                "file (voxface assets add mediapipe-face-landmarker PATH), or install mediapipe==0.10.21."
            )
        self.label = f"mediapipe {version('mediapipe')}, {model}, threshold {self.threshold:g}/0.5, no upsampling"
        self._open()[0].close()  # a bundle it cannot read is refused here

    def detect(self, images: np.ndarray) -> np.ndarray:
        # Made anew for each batch and closed after it (tens of ms): left open, it complains when Python ends.
        opened, find = self._open()
        with opened:
            return np.array([find(np.ascontiguousarray(image)) for image in images], dtype=bool)

    def _open(self) -> tuple[Any, Callable[[np.ndarray], bool]]:
        """MediaPipe's own object, to be closed, and what tells of one picture whether it shows a face."""
        if self.weights is None:
            mesh = self.package.solutions.face_mesh.FaceMesh(
                static_image_mode=True, max_num_faces=1, min_detection_confidence=self.threshold
            )
            return mesh, lambda image: mesh.process(image).multi_face_landmarks is not None
        tasks = importlib.import_module("mediapipe.tasks.python")
        options = tasks.vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=self.weights),
            num_faces=1,
            min_face_detection_confidence=self.threshold,
        )
        try:
            landmarker = tasks.vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            why = str(error).strip().splitlines()[0]
            raise ValueError(f"weights: {self.weights} is no FaceLandmarker bundle ({why}).") from None

        def find(image: np.ndarray) -> bool:
            picture = self.package.Image(image_format=self.package.ImageFormat.SRGB, data=image)
            return len(landmarker.detect(picture).face_landmarks) > 0

        return landmarker, find


def _package() -> Any:
    try:
        return importlib.import_module("mediapipe")
    except ImportError:
        raise ValueError('mediapipe is not installed. Run: pip install "voxface[mediapipe]"') from None
