"""1-D convolutional encoder of voice2face (NeurIPS 2019) on log-mel, also SF2F's baseline. Written from its published facts."""

from torch import Tensor, nn
from torch.nn import functional as F

from encoders.base import Encoder, mean_of_halvings


class _Block(nn.Module):
    """Convolution of stride 2 without bias, batch norm, ReLU: T frames become ceil(T / 2)."""

    def __init__(self, num_in: int, num_out: int):
        super().__init__()
        self.convolution = nn.Conv1d(num_in, num_out, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(num_out)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.convolution(x)))


class Cnn1d(Encoder):
    """(B, C, F) -> (B, embedding_dim): convolutions of stride 2, mean over time, L2 norm if normalise.

    SF2F: 40 bands, 512 wide, normalised. voice2face: 64 bands, 64 wide, the plain mean. channels: width after each block.
    """

    def __init__(self, num_channels: int, embedding_dim: int = 512, channels: list[int] | None = None, normalise: bool = True):
        super().__init__()
        channels = channels or [256, 384, 576, 864]
        self.embedding_dim = embedding_dim
        self.normalise = normalise
        self.blocks = nn.ModuleList(_Block(a, b) for a, b in zip([num_channels, *channels], channels, strict=False))
        self.last = nn.Conv1d(channels[-1], embedding_dim, 3, stride=2, padding=1)

    def forward(self, features: Tensor, num_frames: Tensor) -> Tensor:
        embedding = mean_of_halvings(features, num_frames, self.blocks, self.last)
        return F.normalize(embedding, dim=1) if self.normalise else embedding
