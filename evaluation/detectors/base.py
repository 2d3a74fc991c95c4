"""The contract of a face detector: uint8 pictures in, found or not out."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from evaluation.cache import cached_features
from evaluation.faces import check_faces


class Detector(ABC):
    """A frozen face detector that sees the whole picture.

    label: name, thresholds, upsampling, weight checksum; one line. name: short, for a metric's name.
    """

    name: str
    label: str
    batch_size: int = 64

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, 3) -> bool (N,): was at least one face found? Cached by content."""
        check_faces(images, "images")
        found = cached_features(
            images,
            self.label,
            lambda batch: self.detect(batch).astype(np.float32)[:, None],
            1,
            self.batch_size,
            progress=self.name,
        )
        return found[:, 0] > 0.5

    @abstractmethod
    def detect(self, images: np.ndarray) -> np.ndarray:
        """The detections themselves, uncached. uint8 (B, H, W, 3) -> bool (B,)."""
