"""SF2F's second fuser (ACM MM 2022, in none of its released configs). Written from its published facts.

The facts do not say how it ends; as the decoder reads unit vectors, it ends like the first: mean of the rows, L2 norm.
"""

from torch import Tensor
from torch.nn import functional as F

from encoders.fusers.base import AttentionLayer, Fuser, mean_of_valid, only_valid


class AttentionV2(Fuser):
    """(B, N, E) -> (B, E): two attention layers over the segments, tanh after the first, the mean of the rows, L2 norm."""

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.first = AttentionLayer(embedding_dim, embedding_dim, tanh=True)
        self.second = AttentionLayer(embedding_dim, embedding_dim)

    def forward(self, embeddings: Tensor, valid: Tensor) -> Tensor:
        rows = self.second(self.first(only_valid(embeddings, valid), valid), valid)
        return F.normalize(mean_of_valid(rows, valid), dim=1)
