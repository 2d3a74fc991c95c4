"""No encoder: the features are the embedding already, as Cole et al.'s face decoder reads them."""

from torch import Tensor

from encoders.base import Encoder, masked_mean


class Passthrough(Encoder):
    """(B, C, F) -> (B, C): the mean of each item's own frames. It has no parameters."""

    def __init__(self, num_channels: int):
        super().__init__()
        self.embedding_dim = num_channels

    def forward(self, features: Tensor, num_frames: Tensor) -> Tensor:
        return masked_mean(features, num_frames)
