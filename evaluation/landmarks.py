"""Where the 68 points of a face lie: dlib's landmark predictor (V. Kazemi and J. Sullivan 2014, numbered as 300-W does)."""

from __future__ import annotations

import functools
from typing import Any

import dlib
import numpy as np
import torch

from evaluation.cache import cached_features, file_checksum
from evaluation.detectors.dlib_hog import DlibHog
from evaluation.extractors.dlib import find_weights
from evaluation.faces import FaceBox, check_face_box, check_faces

FILE = "shape_predictor_68_face_landmarks.dat"
SMALLEST = 256
# The rectangle of dlib's detector inside the face box, as fractions of it: left, top, right, bottom. Measured on the toy
# world, where it varies by 0.04.
RECTANGLE = (0.16, 0.13, 0.84, 0.81)
# The predictor's answer hangs on its rectangle: the median over these counts. (down by that share of the rectangle's side,
# that many times as large); lower and larger ones, as it is the mouth that is lost. On the toy world the 64 and the
# 128 px picture of a face then disagree about the mouth by 0.011 of the picture instead of 0.020.
RECTANGLES = ((0.0, 1.0), (0.05, 1.0), (0.1, 1.0), (0.05, 1.1), (0.1, 1.1), (0.15, 1.1), (0.1, 1.2))
# Below this overlap (intersection over union) a detection is taken for something else than the face.
OVERLAP = 0.3


def landmarks68(faces: np.ndarray, face_box: FaceBox) -> np.ndarray:
    """The points of find68, float32 (N, 68, 2), whether or not the detector saw a face."""
    return find68(faces, face_box)[0]


def find68(faces: np.ndarray, face_box: FaceBox) -> tuple[np.ndarray, np.ndarray]:
    """The 68 landmarks of each face, and whether a face was seen. Cached by content; 11 ms a face of 64 or 128 px on one core.

    faces: uint8 (N, H, W, 3). face_box: (left, top, right, bottom), fractions of the picture inside which the face lies.
    Returns float32 (N, 68, 2): x and y as fractions of the picture; the centre of a 64 px picture's first pixel is 0.5 / 64;
    and bool (N,).

    There is always an answer: the predictor looks inside and round the detector's rectangle that overlaps best with the one
    expected from the face box or, where the detector sees no face there, the expected one. Pictures below 256 px are
    enlarged by a whole number. The points are whole pixels of the enlarged picture, so two of them may coincide (the lips
    of a closed mouth).

    Raises ValueError for other faces or boxes, and if the package that carries the weights is missing.
    """
    check_faces(faces, "faces")
    check_face_box(face_box)
    path = find_weights(FILE)
    detector = _detector()
    box = tuple(round(float(edge), 6) for edge in face_box)
    label = (
        f"dlib 68 landmarks, weights {file_checksum(path)[:12]}, at {SMALLEST} px or more, {detector.label}, "
        f"median of {RECTANGLES} and whether one was seen, overlap {OVERLAP} with {RECTANGLE} of face box {box}"
    )

    def predict(batch: np.ndarray) -> np.ndarray:
        predictor = _predictor(str(path))
        return np.stack([_points(image, face_box, detector.detector, predictor) for image in batch])

    found = cached_features(faces, label, predict, 68 * 2 + 1, progress="landmarks")
    return found[:, :-1].reshape(-1, 68, 2), found[:, -1] > 0.5


@functools.cache
def _detector() -> DlibHog:
    return DlibHog(upsampling=0)


@functools.cache
def _predictor(path: str) -> Any:
    """dlib's predictor, read once: the file holds 95 MB."""
    return dlib.shape_predictor(path)


def _points(image: np.ndarray, face_box: FaceBox, detector: Any, predictor: Any) -> np.ndarray:
    """uint8 (H, W, 3) -> float32 (137,): x, y of each point, as fractions, and 1 if the detector saw a face there, else 0."""
    enlarged = _enlarge(image)
    size = np.array(enlarged.shape[1::-1])
    corner, extent = np.array(face_box[:2]), np.subtract(face_box[2:], face_box[:2])
    edges = np.concatenate([(corner + extent * RECTANGLE[:2]) * size, (corner + extent * RECTANGLE[2:]) * size - 1])
    rectangle = dlib.rectangle(*(round(edge) for edge in edges.tolist()))
    seen = max(detector(enlarged, 0), key=lambda one: _overlap(one, rectangle), default=rectangle)
    is_face = seen is not rectangle and _overlap(seen, rectangle) >= OVERLAP
    seen = seen if is_face else rectangle
    shapes = [predictor(enlarged, _moved(seen, down, times)).parts() for down, times in RECTANGLES]
    points = np.median([[(point.x, point.y) for point in shape] for shape in shapes], axis=0)
    return np.append(((points + 0.5) / size).ravel(), is_face).astype(np.float32)


def _moved(rectangle: Any, down: float, times: float) -> Any:
    side = rectangle.width()
    x, y, half = (rectangle.left() + rectangle.right()) / 2, (rectangle.top() + rectangle.bottom()) / 2, side * times / 2
    return dlib.rectangle(*(round(edge) for edge in (x - half, y + down * side - half, x + half, y + down * side + half)))


def _enlarge(image: np.ndarray) -> np.ndarray:
    factor = -(-SMALLEST // min(image.shape[:2]))
    if factor == 1:
        return np.ascontiguousarray(image)
    planar = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    larger = torch.nn.functional.interpolate(planar, scale_factor=factor, mode="bilinear", align_corners=False)
    return np.ascontiguousarray(larger[0].permute(1, 2, 0).round().byte().numpy())


def _overlap(one: Any, other: Any) -> float:
    """Intersection over union of two dlib rectangles."""
    common = one.intersect(other).area()
    return common / (one.area() + other.area() - common)
