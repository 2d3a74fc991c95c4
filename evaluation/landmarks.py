"""Where the 68 points of a face lie: dlib's landmark predictor (V. Kazemi and J. Sullivan 2014, numbered as 300-W does).

landmarks68 and find68 know about where the face is in a portrait. points68_in and points5_in are given boxes in a whole frame.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import dlib
import numpy as np
import torch
from PIL import Image

from evaluation.cache import cached_features, file_checksum
from evaluation.detectors.dlib_hog import DlibHog
from evaluation.extractors.dlib import find_weights
from evaluation.faces import FaceBox, check_face_box, check_faces

FILE = "shape_predictor_68_face_landmarks.dat"
FILE5 = "shape_predictor_5_face_landmarks.dat"
SMALLEST = 256
# A box below this many pixels is cut out with this much of its side round it, and enlarged: the predictors answer in whole
# pixels, and look at most that far.
SMALLEST_BOX, ROUND_IT = 128, 0.75
CHIP, PADDING = 150, 0.25  # dlib's face net was trained on chips of this size and padding
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


def points68_in(image: np.ndarray, boxes: np.ndarray, median: bool = False) -> np.ndarray:
    """The 68 landmarks of each face in a whole frame. 1 ms a face on one core; 3 ms for a box below 128 px, as it is enlarged.

    image: uint8 (H, W, 3) of any size. boxes: (n, 4 or more), left, top, right, bottom in px, as Detector.locate gives them.
    median: over 7 rectangles round each box, as find68 does: steadier, most of all about the mouth, 7 times as long.
    Returns float32 (n, 68, 2): x and y in px; the centre of the frame's first pixel is 0.5. Points may lie outside it.
    Raises ValueError if the package that carries the weights is missing.
    """
    return _points_in(image, boxes, FILE, 68, median)


def points5_in(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The same with dlib's 5 landmarks, free for every use: outer and inner corner of one eye, of the other, below the nose.

    Returns float32 (n, 5, 2).
    """
    return _points_in(image, boxes, FILE5, 5)


def chips(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Faces as dlib's face net wants them: turned upright, scaled and cut out. Embed them with face box (0, 0, 1, 1).

    image: uint8 (H, W, 3). points: (n, 5 or 68, 2) px, of points5_in or points68_in; 5 tell people apart better.
    Returns uint8 (n, 150, 150, 3); black where the frame ends.
    """
    if not len(points):
        return np.zeros((0, CHIP, CHIP, 3), dtype=np.uint8)
    image, shapes = np.ascontiguousarray(image), dlib.full_object_detections()
    for shape in np.rint(np.asarray(points) - 0.5).astype(int).tolist():
        shapes.append(dlib.full_object_detection(dlib.rectangle(), dlib.points([dlib.point(*point) for point in shape])))
    return np.stack(dlib.get_face_chips(image, shapes, size=CHIP, padding=PADDING))


def _points_in(image: np.ndarray, boxes: np.ndarray, file: str, num_points: int, median: bool = False) -> np.ndarray:
    predictor, image = _predictor(str(find_weights(file))), np.ascontiguousarray(image)
    found = []
    for box in np.asarray(boxes)[:, :4].astype(float):
        part, corner, factor = _part(image, box)
        left, top, right, bottom = ((box - np.tile(corner, 2)) * factor).round().astype(int).tolist()
        rectangle = dlib.rectangle(left, top, right - 1, bottom - 1)
        rectangles = [rectangle, *(_moved(rectangle, *moved) for moved in RECTANGLES[1:])] if median else [rectangle]
        shapes = [predictor(part, one).parts() for one in rectangles]
        points = np.median([[(point.x, point.y) for point in shape] for shape in shapes], axis=0)
        found.append((points + 0.5) / factor + corner)
    return np.array(found, dtype=np.float32).reshape(-1, num_points, 2)


def _part(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """The frame, or the enlarged part of it round a small box; x and y of the part's corner in px; how often enlarged."""
    height, width = image.shape[:2]
    side = max(box[2] - box[0], 1)
    factor = math.ceil(SMALLEST_BOX / side)
    left, top = (max(0, math.floor(edge - ROUND_IT * side)) for edge in box[:2])
    right, bottom = (min(most, math.ceil(edge + ROUND_IT * side)) for edge, most in zip(box[2:], (width, height), strict=True))
    if factor == 1 or left >= right or top >= bottom:
        return image, np.zeros(2), 1
    size = ((right - left) * factor, (bottom - top) * factor)
    # Pillow takes a third of torch's time; they differ by one grey level, and the points of a face are as near to the truth.
    larger = Image.fromarray(image[top:bottom, left:right]).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(larger), np.array([left, top]), factor


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
    return _times(image, factor)


def _times(image: np.ndarray, factor: int) -> np.ndarray:
    """The picture that many times as large, bilinear."""
    if factor == 1:
        return np.ascontiguousarray(image)
    planar = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    larger = torch.nn.functional.interpolate(planar, scale_factor=factor, mode="bilinear", align_corners=False)
    return np.ascontiguousarray(larger[0].permute(1, 2, 0).round().byte().numpy())


def _overlap(one: Any, other: Any) -> float:
    """Intersection over union of two dlib rectangles."""
    common = one.intersect(other).area()
    return common / (one.area() + other.area() - common)
