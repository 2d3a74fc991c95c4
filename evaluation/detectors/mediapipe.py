"""MediaPipe's face mesh (Kartynnik et al. 2019, Apache 2.0): a face is found where its landmarks are.

Two generations: mediapipe 0.10.21 carries the models of its face mesh; from 1.0 on the package holds none, and its
FaceLandmarker reads a .task bundle that the user adds (0.10.21 reads bundles, too).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.cache import file_checksum
from evaluation.detectors.base import Detector, boxes_of

MOST = 16  # faces looked for in a frame
# dlib's square where the landmarks are: its side, and how far down its middle is, in heights of them. Measured on the toy world,
# where they vary by 0.11 and 0.03.
SIDE, MIDDLE = 0.87, 0.52


class Mediapipe(Detector):
    """MediaPipe's face mesh, on the picture as it is; 3 ms a picture.

    weights: path of a FaceLandmarker bundle (.task); None takes the face mesh inside mediapipe 0.10.
    Located faces all have the score 1.
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
            return np.array([len(find(np.ascontiguousarray(image))) > 0 for image in images], dtype=bool)

    def locate(self, image: np.ndarray) -> np.ndarray:
        opened, find = self._open(MOST)
        with opened:
            faces = find(np.ascontiguousarray(image))
        size = image.shape[1::-1]
        return boxes_of([(*square(np.array([(point.x, point.y) for point in face]) * size), 1.0) for face in faces])

    def _open(self, most: int = 1) -> tuple[Any, Callable[[np.ndarray], Sequence[Any]]]:
        """MediaPipe's own object, to be closed, and what gives the landmarks of each face of a picture, of `most` faces."""
        if self.weights is None:
            mesh = self.package.solutions.face_mesh.FaceMesh(
                static_image_mode=True, max_num_faces=most, min_detection_confidence=self.threshold
            )
            return mesh, lambda image: [face.landmark for face in mesh.process(image).multi_face_landmarks or ()]
        tasks = importlib.import_module("mediapipe.tasks.python")
        options = tasks.vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=self.weights),
            num_faces=most,
            min_face_detection_confidence=self.threshold,
        )
        try:
            landmarker = tasks.vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            why = str(error).strip().splitlines()[0]
            raise ValueError(f"weights: {self.weights} is no FaceLandmarker bundle ({why}).") from None

        def find(image: np.ndarray) -> Sequence[Any]:
            picture = self.package.Image(image_format=self.package.ImageFormat.SRGB, data=image)
            return list(landmarker.detect(picture).face_landmarks)

        return landmarker, find


def square(points: np.ndarray) -> tuple[float, float, float, float]:
    """Landmarks (L, 2) px, which reach from the forehead to the chin -> the box as HOG draws it."""
    (left, top), (right, bottom) = points.min(0), points.max(0)
    side = SIDE * (bottom - top)
    x, y = (left + right) / 2, top + MIDDLE * (bottom - top)
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def _package() -> Any:
    try:
        return importlib.import_module("mediapipe")
    except ImportError:
        raise ValueError('mediapipe is not installed. Run: pip install "voxface[mediapipe]"') from None
