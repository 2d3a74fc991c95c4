"""The contract of a face net: pictures in [0, 1] in, identity logits and feature maps out, differentiable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FaceNet(nn.Module, ABC):
    """A net that names faces. Pictures are float (B, 3, H, W), RGB in [0, 1], of any size; it resizes them itself.

    num_identities: how many people it tells apart. input_size: pixels it resizes to.
    """

    def __init__(self, num_identities: int, input_size: int):
        super().__init__()
        if num_identities < 1:
            raise ValueError(f"num_identities: {num_identities}; 1 or more.")
        self.num_identities, self.input_size = num_identities, input_size

    @abstractmethod
    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps (B, C, h, w) or vectors (B, D), shallow to deep, that a perceptual loss compares. Differentiable."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Identity logits (B, num_identities) of pictures in [0, 1]."""

    def prepare(self, images: Tensor) -> Tensor:
        """Pictures in [0, 1] of any size -> (B, 3, input_size, input_size) in [-1, 1]."""
        size = (self.input_size, self.input_size)
        if images.shape[-2:] != size:
            images = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        return images * 2 - 1


class VectorNet(FaceNet):
    """A face net whose penultimate layer describes a face as one vector: what a voice encoder can be trained to predict.

    vector_dim: length of the vector.
    """

    vector_dim: int

    @abstractmethod
    def vector(self, images: Tensor) -> Tensor:
        """The penultimate layer (B, vector_dim), before its ReLU, of pictures in [0, 1]. Differentiable."""

    @abstractmethod
    def name(self, vector: Tensor) -> Tensor:
        """The last layer: identity logits (B, num_identities) of a penultimate layer after its ReLU."""

    def forward(self, images: Tensor) -> Tensor:
        return self.name(F.relu(self.vector(images)))


def read_weights(path: Path, error: Callable[[str], ValueError]) -> dict[str, Any]:
    """A weight file made by torch.save, read without running code in it. error: turns a reason into a ValueError."""
    if not path.is_file():
        raise error("no such weight file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as reason:
        raise error(f"cannot be read ({reason.strerror})") from None
    except Exception:  # what a file of another kind raises in the unpickler may be anything
        raise error("is not a weight file") from None
    if not isinstance(state, dict):
        raise error("is not a weight file")
    return state
