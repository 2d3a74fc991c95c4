"""Upsampling decoder of SF2F (ACM MM 2022), one or two resolutions. Written from its published facts."""

from torch import Tensor, nn
from torch.nn import functional as F

from decoders.base import Decoder


class _UpBlock(nn.Module):
    """Nearest x2, 3x3 convolution to twice the channels, batch norm, gated linear unit."""

    def __init__(self, num_in: int, num_out: int):
        super().__init__()
        self.convolution = nn.Conv2d(num_in, 2 * num_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2 * num_out)

    def forward(self, x: Tensor) -> Tensor:
        return F.glu(self.norm(self.convolution(F.interpolate(x, scale_factor=2, mode="nearest"))), dim=1)


class _Head(nn.Sequential):
    """Feature map -> RGB in the pixel space; no squashing, as published."""

    def __init__(self, channels: int):
        super().__init__(nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.01), nn.Conv2d(channels, 3, 1))


class Upsample(Decoder):
    """(B, E) -> {size: (B, 3, size, size)} in ImageNet-standardised pixels: linear to 4x4, then an UpBlock a doubling.

    image_sizes: [64], [128] or [64, 128]; each has a head on the map of its size. width: channels at 4x4, halved at every block.
    """

    pixel_space = "imagenet"

    def __init__(self, embedding_dim: int, image_sizes: list[int] | None = None, width: int = 512):
        super().__init__()
        sizes = sorted(image_sizes or [64])
        levels = sizes[-1].bit_length() - 3
        if any(size < 8 or size & (size - 1) for size in sizes) or len(set(sizes)) < len(sizes):
            raise ValueError(f"image_sizes {image_sizes} came, different powers of two from 8 px are allowed.")
        if width % (1 << levels):
            raise ValueError(f"width {width} came, a multiple of {1 << levels} is allowed for {sizes[-1]} px.")
        self.image_sizes = tuple(sizes)
        self.width = width
        self.linear = nn.Linear(embedding_dim, 2 * width * 16, bias=False)
        self.norm = nn.BatchNorm1d(2 * width * 16)
        self.blocks = nn.ModuleList(_UpBlock(width >> level, width >> (level + 1)) for level in range(levels))
        self.heads = nn.ModuleDict({str(size): _Head(width >> (size.bit_length() - 3)) for size in sizes})

    def forward(self, embedding: Tensor) -> dict[int, Tensor]:
        x = F.glu(self.norm(self.linear(embedding)), dim=1).view(-1, self.width, 4, 4)
        faces = {}
        for block in self.blocks:
            x = block(x)
            if x.shape[2] in self.image_sizes:
                faces[x.shape[2]] = self.heads[str(x.shape[2])](x)
        return faces
