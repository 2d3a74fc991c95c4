"""Transposed-convolution decoder in three published forms. Written from their published facts.

Wav2Pix (ICASSP 2019): the defaults. voice2face (NeurIPS 2019): {head: 1x1, output: linear, bias: true, dropout: 0,
spectral_norm: null, noise: 0.05}. SF2F's baseline (ACM MM 2022): the same in the imagenet pixel space, with
noise_in_evaluation, and batch_norm as its option.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from decoders.base import Decoder

# The axis of a transposed convolution's weight that spectral norm keeps as rows. Published: input channels x rest; torch's own
# default takes output channels and gives another sigma.
_ROWS = {"published": 0, "torch": 1}


class _DropoutNoise(nn.Module):
    """Dropout that stays on in evaluation: it is the decoder's only source of variety, not a regulariser."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.probability, training=True)


class Deconv(Decoder):
    """(B, E) -> {image_size: (B, 3, image_size, image_size)}: 1x1 -> 4x4, then doubling, ReLU between.

    width: channels before the last layer; they double at every earlier one.
    dropout: before every ReLU, in training and evaluation alike; 0 for none.
    spectral_norm: `published`, `torch` (the two differ in the matrix view of a weight, see _ROWS) or null for none.
    batch_norm: after every ReLU, where SF2F has it. bias: of every layer.
    head: `deconv`, the last doubling draws the picture; or `1x1`, a 1x1 layer draws it from a map of full size.
    output: `tanh` or `linear`. pixel_space: `unit`, or `imagenet`, which only a linear output can reach.
    noise: the embedding is scaled to length 1, noise * N(0, 1) is added to every value, and it is scaled to length 1 again; 0
    leaves the embedding as it came. noise_in_evaluation: evaluation adds it too; otherwise it only scales.
    """

    def __init__(
        self,
        embedding_dim: int,
        image_size: int = 64,
        width: int = 64,
        dropout: float = 0.5,
        spectral_norm: str | None = "published",
        batch_norm: bool = False,
        bias: bool = False,
        head: str = "deconv",
        output: str = "tanh",
        pixel_space: str = "unit",
        noise: float = 0.0,
        noise_in_evaluation: bool = False,
    ):
        super().__init__()
        doublings = image_size.bit_length() - 3
        if image_size != 4 << doublings or doublings < 1:
            raise ValueError(f"image_size {image_size} came, a power of two from 8 px is allowed.")
        if width < 1:
            raise ValueError(f"width {width} came, 1 or more channels are allowed.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout {dropout} came, 0 <= dropout < 1 is allowed.")
        _one_of("spectral_norm", spectral_norm, [*_ROWS, None])
        _one_of("head", head, ["deconv", "1x1"])
        _one_of("output", output, ["tanh", "linear"])
        _one_of("pixel_space", pixel_space, ["unit", "imagenet"])
        if pixel_space == "imagenet" and output == "tanh":
            raise ValueError("pixel_space imagenet came with output tanh, which cannot leave [-1, 1]: output linear is allowed.")
        if not 0 <= noise < float("inf"):
            raise ValueError(f"noise {noise} came, 0 or more is allowed.")
        if noise_in_evaluation and not noise:
            raise ValueError("noise_in_evaluation true came with noise 0: noise above 0 is allowed.")
        self.image_sizes = (image_size,)
        self.pixel_space = pixel_space
        self.output = output
        self.embedding_noise, self.noise_in_evaluation = noise, noise_in_evaluation

        hidden = doublings + (head == "1x1")  # layers with a ReLU
        channels = [embedding_dim, *(width << level for level in reversed(range(hidden))), 3]
        # Kernel, stride, padding.
        shapes: list[tuple[int, int, int]] = [(4, 1, 0), *[(4, 2, 1)] * doublings, *([(1, 1, 0)] if head == "1x1" else [])]
        # Layers and, behind each hidden one, its norm, in the order in which SF2F registers them.
        self.layers = nn.ModuleList()
        for index, shape in enumerate(shapes):
            layer: nn.Module = nn.ConvTranspose2d(channels[index], channels[index + 1], *shape, bias=bias)
            if spectral_norm:
                layer = parametrizations.spectral_norm(layer, dim=_ROWS[spectral_norm])
            self.layers.append(layer)
            if batch_norm and index < hidden:
                self.layers.append(nn.BatchNorm2d(channels[index + 1]))
        self.noise = _DropoutNoise(dropout)

    def forward(self, embedding: Tensor) -> dict[int, Tensor]:
        x = self._vary(embedding)[:, :, None, None]
        *hidden, last = self.layers
        for layer in hidden:
            x = layer(x) if isinstance(layer, nn.BatchNorm2d) else F.relu(self.noise(layer(x)), inplace=True)
        x = last(x)
        return {self.image_sizes[0]: x.tanh() if self.output == "tanh" else x}

    def _vary(self, embedding: Tensor) -> Tensor:
        """The embedding with its noise, (B, E)."""
        if not self.embedding_noise:
            return embedding
        embedding = F.normalize(embedding)
        if self.training or self.noise_in_evaluation:
            embedding = F.normalize(embedding + self.embedding_noise * torch.randn_like(embedding))
        return embedding


def _one_of(name: str, value: Any, allowed: Sequence[str | None]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} {value} came, {', '.join(str(a) for a in allowed)} are allowed.")
