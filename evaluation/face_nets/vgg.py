"""A small VGG: stacks of 3x3 convolutions between 2x2 max poolings (Simonyan and Zisserman 2015), with batch norm.

The judge of identity accuracy. It stands for the fine-tuned VGG-Face of Wav2Pix where no weights can be had.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.face_nets.base import VectorNet


class Vgg(VectorNet):
    """Four blocks of convolutions, each halving the picture and doubling the channels, and two dense layers.

    width: channels of the first block. dense_dim: length of the penultimate layer.
    input_size: pixels, a multiple of 16.
    """

    def __init__(self, num_identities: int, width: int = 16, dense_dim: int = 256, dropout: float = 0.3, input_size: int = 64):
        super().__init__(num_identities, input_size)
        if input_size < 16 or input_size % 16:
            raise ValueError(f"input_size: {input_size}; a multiple of 16 pixels.")
        widths = [width, 2 * width, 4 * width, 8 * width]
        # One convolution in the first block, where pictures are largest and time goes.
        self.blocks = nn.ModuleList(
            _block(before, after, convolutions=1 if at == 0 else 2)
            for at, (before, after) in enumerate(zip([3, *widths], widths, strict=False))
        )
        self.vector_dim = dense_dim
        self.dense = nn.Linear(widths[-1] * (input_size // 16) ** 2, dense_dim)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(dense_dim, num_identities)

    def features(self, images: Tensor) -> list[Tensor]:
        """The four blocks' outputs and the penultimate layer (B, dense_dim), after its ReLU."""
        taps = self._maps(images)
        return [*taps, F.relu(self.dense(taps[-1].flatten(1)))]

    def vector(self, images: Tensor) -> Tensor:
        return self.dense(self._maps(images)[-1].flatten(1))

    def name(self, vector: Tensor) -> Tensor:
        return self.classify(self.dropout(vector))

    def _maps(self, images: Tensor) -> list[Tensor]:
        maps = []
        hidden = self.prepare(images)
        for block in self.blocks:
            hidden = block(hidden)
            maps.append(hidden)
        return maps


def _block(before: int, after: int, convolutions: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in [before, *[after] * (convolutions - 1)]:
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))
