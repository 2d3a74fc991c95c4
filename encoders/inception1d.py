"""1-D inception encoder of SF2F (ACM MM 2022) on log-mel. Written from its published facts."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.base import Encoder, mean_of_halvings

KERNELS = (2, 3, 5, 7)


class _Branch(nn.Module):
    """Convolution of stride 2 without bias, batch norm, ReLU."""

    def __init__(self, num_in: int, num_out: int, kernel: int):
        super().__init__()
        self.convolution = nn.Conv1d(num_in, num_out, kernel, stride=2, padding=max(kernel // 2, 1), bias=False)
        self.norm = nn.BatchNorm1d(num_out)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.convolution(x)))


class _InceptionBlock(nn.Module):
    """Four kernels side by side; T frames become ceil(T / 2). The even kernel's one frame too many is its last, dropped."""

    def __init__(self, num_in: int, num_out: int):
        super().__init__()
        self.branches = nn.ModuleList(_Branch(num_in, num_out // len(KERNELS), kernel) for kernel in KERNELS)

    def forward(self, x: Tensor) -> Tensor:
        frames = (x.shape[2] + 1) // 2
        return torch.cat([branch(x)[:, :, :frames] for branch in self.branches], dim=1)


class Inception1d(Encoder):
    """(B, C, F) -> (B, embedding_dim) unit vectors: inception blocks, a last convolution, mean over time, L2 norm.

    channels: width after each block, divisible by 4.
    """

    def __init__(self, num_channels: int, embedding_dim: int = 512, channels: list[int] | None = None):
        super().__init__()
        channels = channels or [256, 384, 576, 864]
        if any(c % len(KERNELS) for c in channels):
            raise ValueError(f"channels {channels} came, multiples of {len(KERNELS)} are allowed.")
        self.embedding_dim = embedding_dim
        self.blocks = nn.ModuleList(_InceptionBlock(a, b) for a, b in zip([num_channels, *channels], channels, strict=False))
        self.last = nn.Conv1d(channels[-1], embedding_dim, 3, stride=2, padding=1)

    def forward(self, features: Tensor, num_frames: Tensor) -> Tensor:
        return F.normalize(mean_of_halvings(features, num_frames, self.blocks, self.last), dim=1)
