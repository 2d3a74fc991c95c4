"""Transformer encoder of SF2F (ACM MM 2022, in none of its released configs) on log-mel. Written from its published facts.

Departure: the published one hands (batch, time, width) to layers that read time first, so its items attend to each other.
Here each item attends over its own frames.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.base import Encoder, frame_mask, masked_mean

POSITIONS, POSITION_DIM = 2000, 8  # the learned table: rows, channels joined to the features


def sine_code(frames: int, width: int, device: torch.device | None = None) -> Tensor:
    """(frames, width) position code: sines in the even columns, cosines in the odd, wavelengths from 2 pi to 20,000 pi."""
    rate = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10_000.0) / width))
    angle = torch.arange(frames, device=device)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


class Transformer(Encoder):
    """(B, C, F) -> (B, embedding_dim) unit vectors: convolutions of stride 2, attention over time, mean over time, L2 norm.

    convolutions: width after each, the last embedding_dim (default: one). depth, num_heads, feed_forward, dropout: of the
    attention layers (norm after, ReLU). position: `sine`, a code added before them, under the same dropout; `learned`, a table of
    8 channels joined to the features, for up to 2,000 frames; None.
    Frames beyond an item's end are zeroed after every convolution, attended to by none and left out of the mean.
    """

    def __init__(
        self,
        num_channels: int,
        embedding_dim: int = 512,
        convolutions: list[int] | None = None,
        depth: int = 3,
        num_heads: int = 8,
        feed_forward: int = 512,
        dropout: float = 0.1,
        position: str | None = "sine",
    ):
        super().__init__()
        convolutions = convolutions or [embedding_dim]
        if convolutions[-1] != embedding_dim:
            raise ValueError(f"convolutions {convolutions} came, the last must be embedding_dim, {embedding_dim}.")
        if embedding_dim % num_heads or embedding_dim % 2:
            raise ValueError(f"embedding_dim {embedding_dim} came, even multiples of num_heads, {num_heads}, are allowed.")
        if depth < 1:
            raise ValueError(f"depth {depth} came, 1 or more is allowed.")
        if position not in ("sine", "learned", None):
            raise ValueError(f"position {position!r} came. Allowed: sine, learned, null.")
        self.embedding_dim = embedding_dim
        self.sine = position == "sine"
        self.table = nn.Embedding(POSITIONS, POSITION_DIM) if position == "learned" else None
        widths = [num_channels + (POSITION_DIM if self.table else 0), *convolutions]
        self.convolutions = nn.ModuleList(
            nn.Sequential(nn.Conv1d(a, b, 3, stride=2, padding=1, bias=False), nn.BatchNorm1d(b), nn.ReLU())
            for a, b in zip(widths, convolutions, strict=False)
        )
        self.dropout = nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(embedding_dim, num_heads, feed_forward, dropout, batch_first=True)
        self.attention = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, features: Tensor, num_frames: Tensor) -> Tensor:
        x = features
        if self.table is not None:
            if x.shape[2] > POSITIONS:
                raise ValueError(
                    f"encoder: {x.shape[2]} frames came, a learned position reads up to {POSITIONS}. "
                    "Set encoder.position to sine or read shorter clips."
                )
            x = torch.cat([x, self.table.weight[: x.shape[2]].T.expand(len(x), -1, -1)], dim=1)
        x = x.masked_fill(~frame_mask(num_frames, x.shape[2]), 0.0)
        for convolution in self.convolutions:
            x = convolution(x)
            num_frames = (num_frames + 1) // 2
            x = x.masked_fill(~frame_mask(num_frames, x.shape[2]), 0.0)
        sequence = x.transpose(1, 2)  # (B, F, E)
        if self.sine:
            sequence = self.dropout(sequence + sine_code(sequence.shape[1], sequence.shape[2], sequence.device))
        padding = ~frame_mask(num_frames, sequence.shape[1])[:, 0]
        sequence = self.attention(sequence, src_key_padding_mask=padding)
        return F.normalize(masked_mean(sequence.transpose(1, 2), num_frames), dim=1)
