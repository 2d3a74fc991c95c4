"""The contract of a face decoder: embedding -> faces."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Decoder(nn.Module, ABC):
    """embedding_dim (a constructor argument): width of the embedding it reads.

    image_sizes: px of the faces it draws, ascending. pixel_space: what its values mean, `unit` or `imagenet`.
    """

    image_sizes: tuple[int, ...]
    pixel_space: str = "unit"

    @abstractmethod
    def forward(self, embedding: Tensor) -> dict[int, Tensor]:
        """embedding: (B, E). Returns {size: (B, 3, size, size)} for every size, in the pixel space."""
