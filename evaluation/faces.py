"""Sets of face pictures: what they must be, and how the face box is cut out of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

FaceBox = tuple[float, float, float, float]


def check_faces(faces: np.ndarray, name: str) -> None:
    """Raises ValueError unless faces is uint8 (N, H, W, 3)."""
    if faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[-1] != 3:
        raise ValueError(f"{name}: {faces.dtype} {faces.shape}; faces are uint8 (N, H, W, 3), RGB.")


def check_face_box(box: FaceBox) -> None:
    """Raises ValueError unless box is (left, top, right, bottom), fractions of the picture, with an area."""
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"face_box: {tuple(box)}; needs 0 <= left < right <= 1 and 0 <= top < bottom <= 1.")


def crop_and_resize(images: Tensor, box: FaceBox, size: int) -> Tensor:
    """Cut `box` out of each picture and resize it to size x size, bilinear, antialiased when it shrinks.

    images: float (B, C, H, W). box: (left, top, right, bottom), fractions of the picture; not rounded to pixels, so
    that 64 and 128 px pictures are cut alike. Returns float (B, C, size, size). Differentiable. Equal to Pillow's
    resize(..., BILINEAR, box=...) but for its rounding.
    """
    left, top, right, bottom = box
    height, width = images.shape[-2:]
    rows = _weights(top * height, bottom * height, height, size).to(images)
    columns = _weights(left * width, right * width, width, size).to(images)
    return rows @ images @ columns.T


def _weights(start: float, end: float, length: int, size: int) -> Tensor:
    """(size, length): row i holds the triangle filter's weights of the source pixels that make output pixel i."""
    scale = (end - start) / size
    support = max(scale, 1.0)
    centre = start + (torch.arange(size, dtype=torch.float64)[:, None] + 0.5) * scale
    source = torch.arange(length, dtype=torch.float64)[None] + 0.5
    weights = (1 - (source - centre).abs() / support).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)
