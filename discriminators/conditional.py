"""Discriminator of Wav2Pix (ICASSP 2019): is this a real face, and of this voice? Written from its published facts."""

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from discriminators.base import Discriminator, Judgement, tile


class Conditional(Discriminator):
    """Convolutions to a 4x4 map, the embedding tiled beside it, one last convolution to a score (B,).

    width: channels of the first layer, doubling at each. features: the 4x4 map before the embedding joins.
    spectral_norm: of every layer but the last, as published. The published matrix view is torch's here: output channels x rest.
    """

    items_independent = True

    def __init__(self, embedding_dim: int, image_size: int = 64, width: int = 64, spectral_norm: bool = True):
        super().__init__()
        levels = image_size.bit_length() - 3
        if image_size != 4 << levels or levels < 1:
            raise ValueError(f"image_size {image_size} came, a power of two from 8 px is allowed.")
        self.image_size = image_size
        channels = [3, *(width << level for level in range(levels))]
        layers = [nn.Conv2d(a, b, 4, 2, 1, bias=False) for a, b in zip(channels, channels[1:], strict=False)]
        self.layers = nn.ModuleList(map(parametrizations.spectral_norm, layers) if spectral_norm else layers)
        self.last = nn.Conv2d(channels[-1] + embedding_dim, 1, 4, bias=False)

    def forward(self, face: Tensor, embedding: Tensor) -> Judgement:
        x = face
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2, inplace=True)
        return Judgement(realness=self.last(tile(embedding, x)).flatten(), features=x)
