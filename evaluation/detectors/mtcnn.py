"""MTCNN: a cascade of three small nets (Zhang et al. 2016), as facenet-pytorch (MIT) carries it, weights included."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import facenet_pytorch
import numpy as np
import torch

from evaluation.cache import file_checksum
from evaluation.detectors.base import Detector, boxes_of

# dlib's square in MTCNN's box: its side, and how far down its middle is, in heights of the box. Measured on the toy world,
# where they vary by 0.09 and 0.03.
SIDE, MIDDLE = 0.76, 0.56


class Mtcnn(Detector):
    """The MTCNN detector.

    thresholds: of its three nets, each in (0, 1). min_face_size: the smallest face looked for, pixels.
    device: where the nets run, as torch names it.
    """

    name = "mtcnn"
    batch_size = 32

    def __init__(self, thresholds: Sequence[float] = (0.6, 0.7, 0.7), min_face_size: int = 20, device: str = "cpu"):
        thresholds = [float(threshold) for threshold in thresholds]
        if len(thresholds) != 3 or not all(0 < threshold < 1 for threshold in thresholds):
            raise ValueError(f"thresholds: {thresholds}; three numbers between 0 and 1, one for each net.")
        if min_face_size < 12:
            raise ValueError(f"min_face_size: {min_face_size}; 12 pixels or more (the first net's window).")
        self.min_face_size = min_face_size
        self.label = (
            f"MTCNN (facenet-pytorch {version('facenet-pytorch')}), thresholds "
            f"{'/'.join(f'{threshold:g}' for threshold in thresholds)}, smallest face {min_face_size} px, "
            f"no upsampling, weights {_checksum()[:12]}"
        )
        self.net = facenet_pytorch.MTCNN(
            thresholds=thresholds, min_face_size=min_face_size, keep_all=True, device=torch.device(device)
        )

    def detect(self, images: np.ndarray) -> np.ndarray:
        if min(images.shape[1:3]) < self.min_face_size:
            return np.zeros(len(images), dtype=bool)
        boxes, _ = self.net.detect(images)
        return np.array([found is not None for found in boxes], dtype=bool)

    def locate(self, image: np.ndarray) -> np.ndarray:
        if min(image.shape[:2]) < self.min_face_size:
            return boxes_of([])
        boxes, scores = self.net.detect(np.ascontiguousarray(image))
        return (
            boxes_of([])
            if boxes is None
            else boxes_of([(*square(*box), score) for box, score in zip(boxes, scores, strict=True)])
        )


def square(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    """MTCNN's box, which reaches from the hair to the chin, as HOG's."""
    side = SIDE * (bottom - top)
    x, y = (left + right) / 2, top + MIDDLE * (bottom - top)
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def _checksum() -> str:
    folder = Path(facenet_pytorch.__file__).parent / "data"
    parts = "".join(file_checksum(folder / name) for name in ("pnet.pt", "rnet.pt", "onet.pt"))
    return hashlib.sha256(parts.encode()).hexdigest()
