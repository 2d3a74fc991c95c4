"""Voice encoder of Speech2Face (CVPR 2019) on a complex spectrogram. Written from its published facts.

Numbers follow its Keras form: batch norm after the ReLU, eps 1e-3, momentum 0.99 (0.01 in torch's sense).
Dense weights brought from Keras need their input order changed, from bin * channels + channel to channel * bins + bin.
"""

from typing import TypeVar

from torch import Tensor, nn

from encoders.base import Encoder, frame_mask

KERNEL = 4
STRIDES = (1, 1, 1, 1, 1, 1, 1, 2, 2)
POOLED = (2, 3, 4, 5)  # halved in time after these blocks, counted from 0
EPS, MOMENTUM = 1e-3, 0.01
Length = TypeVar("Length", int, Tensor)


def _convolved(length: Length, stride: int) -> Length:
    """Length of a valid convolution's output."""
    return (length - KERNEL) // stride + 1


class _Block(nn.Module):
    """Valid convolution, ReLU, batch norm, and where pooled the maximum of each two frames; an odd last frame is dropped."""

    def __init__(self, num_in: int, num_out: int, stride: int, pooled: bool):
        super().__init__()
        self.stride = stride
        self.pooled = pooled
        self.convolution = nn.Conv2d(num_in, num_out, KERNEL, stride)
        self.norm = nn.BatchNorm2d(num_out, EPS, MOMENTUM)
        self.pool = nn.MaxPool2d((2, 1)) if pooled else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.norm(self.convolution(x).relu_()))

    def left(self, num_frames: Tensor) -> Tensor:
        """(B,) valid frames coming in -> (B,) going out."""
        num_frames = _convolved(num_frames, self.stride)
        return num_frames // 2 if self.pooled else num_frames


class Spectrogram2d(Encoder):
    """(B, num_channels, F, bins) -> (B, embedding_dim): nine 4x4 convolutions, mean over time, two linear layers.

    num_channels: 2, real and imaginary part. bins: frequencies of the spectrogram, kept apart up to the first linear layer.
    channels: width of each convolution. hidden: width of the first linear layer. final_relu: ReLU on the embedding, for targets
    taken after a ReLU. No convolution is padded, so an item's own frames never depend on the padding after them. Only
    their number must be followed through the blocks, and the mean stops there. min_frames: 259, about 2.6 s.
    """

    feature_axes = 4

    def __init__(
        self,
        num_channels: int = 2,
        embedding_dim: int = 4096,
        channels: list[int] | None = None,
        hidden: int = 4096,
        bins: int = 257,
        final_relu: bool = False,
    ):
        super().__init__()
        channels = channels or [64, 64, 128, 128, 128, 256, 512, 512, 512]
        if len(channels) != len(STRIDES):
            raise ValueError(f"channels {channels} came, a list of {len(STRIDES)} is allowed.")
        self.embedding_dim = embedding_dim
        self.bins = bins
        self.min_frames, min_bins, left = 1, 1, bins
        for block in reversed(range(len(STRIDES))):
            pool = 2 if block in POOLED else 1
            self.min_frames = (self.min_frames * pool - 1) * STRIDES[block] + KERNEL
            min_bins = (min_bins - 1) * STRIDES[block] + KERNEL
        if bins < min_bins:
            raise ValueError(f"bins {bins} came, {min_bins} or more are allowed.")
        for stride in STRIDES:
            left = _convolved(left, stride)
        widths = [num_channels, *channels]
        self.blocks = nn.ModuleList(_Block(widths[i], widths[i + 1], STRIDES[i], i in POOLED) for i in range(len(STRIDES) - 1))
        self.last = nn.Conv2d(widths[-2], widths[-1], KERNEL, STRIDES[-1])
        self.norm = nn.BatchNorm1d(widths[-1], EPS, MOMENTUM)
        self.hidden = nn.Linear(widths[-1] * left, hidden)
        self.out = nn.Linear(hidden, embedding_dim)
        self.final_relu = final_relu

    def forward(self, features: Tensor, num_frames: Tensor) -> Tensor:
        if features.dim() != 4 or features.shape[3] != self.bins:
            raise ValueError(
                f"encoder: features of shape {tuple(features.shape)} came, spectrogram2d reads "
                f"(B, C, F, {self.bins}). Set encoder.bins to the bins of the features."
            )
        shortest = int(num_frames.min())
        if shortest < self.min_frames:
            raise ValueError(
                f"encoder: {shortest} frames came, spectrogram2d reads {self.min_frames} or more. Give longer clips."
            )
        # Not needed in evaluation; in training it keeps whatever lies beyond the end out of the batch statistics.
        x = features.masked_fill(~frame_mask(num_frames, features.shape[2])[..., None], 0.0)
        for block in self.blocks:
            assert isinstance(block, _Block)
            x = block(x)
            num_frames = block.left(num_frames)
        x = self.last(x)
        num_frames = _convolved(num_frames, STRIDES[-1])
        x = x.masked_fill(~frame_mask(num_frames, x.shape[2])[..., None], 0.0).sum(2) / num_frames[:, None, None]
        x = self.norm(x.relu_()).flatten(1)
        embedding = self.out(self.hidden(x).relu_())
        return embedding.relu_() if self.final_relu else embedding
