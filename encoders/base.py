"""The contract of a speech encoder: features -> one embedding an item."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Encoder(nn.Module, ABC):
    """num_channels (a constructor argument): channels of the features it will read.

    embedding_dim: width of the embedding. input_frames: the one length it reads, or None for any from min_frames on.
    """

    embedding_dim: int
    input_frames: int | None = None
    min_frames: int = 1

    @abstractmethod
    def forward(self, features: Tensor, num_frames: Tensor) -> Tensor:
        """features: (B, C, F), of a spectrogram (B, C, F, bins); num_frames: (B,) valid frames of each. Returns (B, E)."""


def frame_mask(num_frames: Tensor, frames: int) -> Tensor:
    """(B, 1, frames), true where a frame is valid."""
    return (torch.arange(frames, device=num_frames.device) < num_frames[:, None])[:, None]


def masked_mean(sequence: Tensor, num_frames: Tensor) -> Tensor:
    """Mean over each item's own frames: (B, C, F), (B,) -> (B, C)."""
    mask = frame_mask(num_frames, sequence.shape[2])
    return sequence.masked_fill(~mask, 0.0).sum(2) / num_frames[:, None]
