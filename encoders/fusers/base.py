"""The contract of a fuser: the embeddings of several segments of one speaker -> one embedding."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Fuser(nn.Module, ABC):
    """embedding_dim (a constructor argument): width of the embeddings, in and out."""

    @abstractmethod
    def forward(self, embeddings: Tensor, valid: Tensor) -> Tensor:
        """embeddings: (B, N, E) of N segments; valid: (B, N), false where a speaker has fewer. Returns (B, E).

        Segments that are not valid must change nothing. Every item has at least one valid segment.
        """


class AttentionLayer(nn.Module):
    """One attention layer of SF2F's fusers: (B, N, dim_in) -> (B, N, dim_out); no bias, no scaling of the scores.

    The projected rows are the queries. The rows themselves are both keys and values. The output layer reads the attention's
    result beside the projected query. tanh: applied to the output.
    """

    def __init__(self, dim_in: int, dim_out: int, tanh: bool = False):
        super().__init__()
        self.query = nn.Linear(dim_in, dim_in, bias=False)
        self.out = nn.Linear(2 * dim_in, dim_out, bias=False)
        self.tanh = tanh

    def forward(self, rows: Tensor, valid: Tensor) -> Tensor:
        """rows: (B, N, dim_in); valid: (B, N). Rows that are not valid must be finite; no other row attends to them."""
        query = self.query(rows)
        scores = (query @ rows.transpose(1, 2)).masked_fill(~valid[:, None], float("-inf"))
        out = self.out(torch.cat([scores.softmax(dim=2) @ rows, query], dim=2))
        return out.tanh() if self.tanh else out


def only_valid(rows: Tensor, valid: Tensor) -> Tensor:
    """(B, N, E), (B, N) -> (B, N, E): zero in place of rows that are not valid, even of NaN."""
    return rows.masked_fill(~valid[..., None], 0.0)


def mean_of_valid(rows: Tensor, valid: Tensor) -> Tensor:
    """Mean over each item's valid rows: (B, N, E), (B, N) -> (B, E)."""
    return only_valid(rows, valid).sum(1) / valid.sum(1, keepdim=True)
