"""SF2F's third fuser (ACM MM 2022, in none of its released configs). Written from its published facts.

The facts end at the mean of the rows; as the decoder reads unit vectors, it is normalised like the first fuser's.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from encoders.fusers.base import AttentionLayer, Fuser, mean_of_valid, only_valid


class AttentionV3(Fuser):
    """(B, N, E) -> (B, E): a layer (tanh, unit rows), a second on its rows beside the embeddings, their mean, L2 norm."""

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.first = AttentionLayer(embedding_dim, embedding_dim, tanh=True)
        self.second = AttentionLayer(2 * embedding_dim, embedding_dim)

    def forward(self, embeddings: Tensor, valid: Tensor) -> Tensor:
        embeddings = only_valid(embeddings, valid)
        attended = F.normalize(self.first(embeddings, valid), dim=2)
        rows = self.second(torch.cat([attended, embeddings], dim=2), valid)
        return F.normalize(mean_of_valid(rows, valid), dim=1)
