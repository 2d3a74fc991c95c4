"""Pictures of faces: files <-> uint8 arrays, and uint8 <-> the pixel space a decoder works in. Only here."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# value = (pixel / 255 - mean) / std, per RGB channel. `unit` spans [-1, 1]; `imagenet` is SF2F's standardised space.
PIXEL_SPACES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "unit": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def _scale(space: str, device: torch.device) -> tuple[Tensor, Tensor]:
    if space not in PIXEL_SPACES:
        raise ValueError(f"pixel_space: {space} is unknown. Have: {', '.join(PIXEL_SPACES)}.")
    mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in PIXEL_SPACES[space])
    return mean, std


def to_pixel_space(images: Tensor, space: str) -> Tensor:
    """uint8 (..., H, W, 3) RGB -> float32 (..., 3, H, W) in the named pixel space."""
    mean, std = _scale(space, images.device)
    # The change of layout and of type in one pass, then x / 255 / std - mean / std: this is most of what a batch costs to load.
    planar = images.movedim(-1, -3).to(torch.float32, memory_format=torch.contiguous_format)
    return planar.mul_(1 / (255 * std)).sub_(mean / std)


def from_pixel_space(faces: Tensor, space: str) -> Tensor:
    """float (..., 3, H, W) in the named pixel space -> float in [0, 1], clamped; differentiable inside the range."""
    mean, std = _scale(space, faces.device)
    return (faces * std + mean).clamp(0, 1)


def to_uint8(faces: Tensor, space: str) -> np.ndarray:
    """float (..., 3, H, W) in the named pixel space -> uint8 (..., H, W, 3) RGB, rounded to nearest."""
    return from_pixel_space(faces.detach().float(), space).mul(255).round().byte().movedim(-3, -1).cpu().numpy()
