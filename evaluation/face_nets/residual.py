"""A small residual net (He et al. 2016), for losses: never the net that judges, which is a VGG."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.face_nets.base import FaceNet


class Residual(FaceNet):
    """A strided stem and four residual blocks, the last three halving the picture and doubling the channels.

    width: channels of the stem. input_size: pixels.
    """

    def __init__(self, num_identities: int, width: int = 24, input_size: int = 64):
        super().__init__(num_identities, input_size)
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.stem = nn.Sequential(nn.Conv2d(3, width, 5, 2, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.blocks = nn.ModuleList(
            _Block(before, after, stride=1 if at == 0 else 2)
            for at, (before, after) in enumerate(zip([width, *widths], widths, strict=False))
        )
        self.classify = nn.Linear(widths[-1], num_identities)

    def features(self, images: Tensor) -> list[Tensor]:
        """The four blocks' outputs and their spatial mean, brought to unit length (B, 8 width)."""
        taps = []
        hidden = self.stem(self.prepare(images))
        for block in self.blocks:
            hidden = block(hidden)
            taps.append(hidden)
        return [*taps, F.normalize(hidden.mean((2, 3)))]

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.features(images)[-2].mean((2, 3)))


class _Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.straight = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.straight(x) + self.skip(x))
