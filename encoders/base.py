"""The contract of a speech encoder: features -> one embedding an item."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Encoder(nn.Module, ABC):
    """num_channels (a constructor argument): channels of the features.

    embedding_dim: width of the embedding. input_frames: the only length it reads (its constructor argument num_samples), or None
    if it reads any from min_frames on. feature_axes: 3, or 4 for spectrograms with an axis of bins; bins: how many it reads.
    """

    embedding_dim: int
    input_frames: int | None = None
    min_frames: int = 1
    feature_axes: int = 3
    bins: int | None = None

    @abstractmethod
    def forward(self, features: Tensor, num_frames: Tensor) -> Tensor:
        """features: (B, C, F), or (B, C, F, bins) of a spectrogram. num_frames: (B,), valid frames of each. Returns (B, E)."""


def frame_mask(num_frames: Tensor, frames: int) -> Tensor:
    """(B, 1, frames), true where a frame is valid."""
    return (torch.arange(frames, device=num_frames.device) < num_frames[:, None])[:, None]


def masked_mean(sequence: Tensor, num_frames: Tensor) -> Tensor:
    """Mean over each item's own frames: (B, C, F), (B,) -> (B, C)."""
    mask = frame_mask(num_frames, sequence.shape[2])
    return sequence.masked_fill(~mask, 0.0).sum(2) / num_frames[:, None]


def mean_of_halvings(features: Tensor, num_frames: Tensor, blocks: Iterable[nn.Module], last: nn.Module) -> Tensor:
    """Layers that each turn T frames into ceil(T / 2), then each item's mean over time: (B, C, F), (B,) -> (B, E).

    Frames beyond an item's end are zeroed before and after every block and left out of the mean. So an item alone equals the same
    item padded in a batch (in evaluation mode).
    """
    x = features.masked_fill(~frame_mask(num_frames, features.shape[2]), 0.0)
    for block in blocks:
        x = block(x)
        num_frames = (num_frames + 1) // 2
        x = x.masked_fill(~frame_mask(num_frames, x.shape[2]), 0.0)
    return masked_mean(last(x), (num_frames + 1) // 2)
