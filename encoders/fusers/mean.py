"""Plain mean of the segments' embeddings: what SF2F compares its fusers with. Written from its published facts."""

from torch import Tensor

from encoders.fusers.base import Fuser, mean_of_valid


class Mean(Fuser):
    """(B, N, E) -> (B, E). Nothing to train. As published not normalised again: the mean of unit vectors is shorter than one."""

    def __init__(self, embedding_dim: int):
        super().__init__()

    def forward(self, embeddings: Tensor, valid: Tensor) -> Tensor:
        return mean_of_valid(embeddings, valid)
