"""SF2F's released fuser (ACM MM 2022). Written from its published facts."""

from torch import Tensor
from torch.nn import functional as F

from encoders.fusers.base import AttentionLayer, Fuser, mean_of_valid, only_valid


class AttentionV1(Fuser):
    """(B, N, E) -> (B, E): one attention layer over the segments, the mean of its rows, L2 norm."""

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.layer = AttentionLayer(embedding_dim, embedding_dim)

    def forward(self, embeddings: Tensor, valid: Tensor) -> Tensor:
        rows = self.layer(only_valid(embeddings, valid), valid)
        return F.normalize(mean_of_valid(rows, valid), dim=1)
