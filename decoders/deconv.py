"""Transposed-convolution decoder of Wav2Pix (ICASSP 2019). Written from its published facts."""

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from decoders.base import Decoder


class _DropoutNoise(nn.Module):
    """Dropout that stays on in evaluation: it is the decoder's only source of variety, not a regulariser."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.probability, training=True)


class Deconv(Decoder):
    """(B, E) -> (B, 3, image_size, image_size) in [-1, 1]: 1x1 -> 4x4, then doubling; spectral norm, dropout, ReLU; tanh last.

    width: channels before the last layer; they double at every earlier one (512 at 4x4 for 64 px, 1024 for 128 px).
    Spectral norm sees a transposed convolution's weight as (input channels) x (rest), as published; torch's default would take
    output channels and give another sigma.
    """

    def __init__(self, embedding_dim: int, image_size: int = 64, width: int = 64, dropout: float = 0.5):
        super().__init__()
        levels = image_size.bit_length() - 3
        if image_size != 4 << levels or levels < 1:
            raise ValueError(f"image_size {image_size} came, a power of two from 8 px is allowed.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout {dropout} came, 0 <= dropout < 1 is allowed.")
        self.image_sizes = (image_size,)
        channels = [embedding_dim, *(width << level for level in reversed(range(levels))), 3]
        self.layers = nn.ModuleList(
            spectral_norm(nn.ConvTranspose2d(a, b, 4, *((1, 0) if first else (2, 1)), bias=False), dim=0)
            for a, b, first in zip(channels, channels[1:], [True] + [False] * levels, strict=False))
        self.noise = _DropoutNoise(dropout)

    def forward(self, embedding: Tensor) -> dict[int, Tensor]:
        x = embedding[:, :, None, None]
        *hidden, last = self.layers
        for layer in hidden:
            x = F.relu(self.noise(layer(x)), inplace=True)
        return {self.image_sizes[0]: last(x).tanh()}
