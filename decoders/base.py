"""The contract of a face decoder: embedding -> faces."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
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

    def draw(self, embedding: Tensor) -> tuple[dict[int, Tensor], dict[str, Tensor]]:
        """(B, E) -> what forward returns, and by name the intermediate results that some losses compare; most have none."""
        return self(embedding), {}

    def settle(self, landmarks: Callable[[], np.ndarray]) -> None:
        """Called once before a new run trains. landmarks() returns those of the training faces, (N, 68, 2), x and y as fractions
        of the picture. It is slow: a decoder that needs none does not call it.
        """
