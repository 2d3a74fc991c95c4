"""The contract of a face embedder: a frozen net, uint8 faces in, vectors out, nothing skipped."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from evaluation.cache import cached_features
from evaluation.faces import FaceBox, check_face_box, check_faces


class Embedder(ABC):
    """A frozen face embedder that sees the fixed face box of every picture, without a detector.

    label: name, input size, weight checksum; one line. It stands in results rows, and is half of the cache's key.
    name: short, for a metric's name. dim: length of the embedding.
    """

    name: str
    label: str
    dim: int
    batch_size: int = 64

    def __call__(self, images: np.ndarray, face_box: FaceBox) -> np.ndarray:
        """uint8 (N, H, W, 3) -> float32 (N, dim), as the net gives it (not normalised); cached by content."""
        check_faces(images, "images")
        check_face_box(face_box)
        left, top, right, bottom = face_box
        box = (float(left), float(top), float(right), float(bottom))
        return cached_features(
            images,
            f"{self.label}, face box {box}",
            lambda batch: self.embed(batch, box),
            self.dim,
            self.batch_size,
            progress=self.name,
        )

    @abstractmethod
    def embed(self, images: np.ndarray, face_box: FaceBox) -> np.ndarray:
        """The embeddings themselves, uncached. uint8 (B, H, W, 3) -> float32 (B, dim)."""


class Classifier(Embedder):
    """An embedder whose net also names what it sees: what an inception score is made of.

    classes: how many it tells apart.
    """

    classes: int

    @abstractmethod
    def logits(self, features: np.ndarray) -> np.ndarray:
        """Embeddings (N, dim) -> class logits, float64 (N, classes), so that no picture goes through the net twice."""
