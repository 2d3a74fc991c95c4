"""Raw-waveform encoder of Wav2Pix (ICASSP 2019), built like SEGAN's discriminator. Written from its published facts."""

from torch import Tensor, nn
from torch.nn import functional as F

from encoders.base import Encoder

KERNEL, STRIDE, PAD_LEFT, PAD_RIGHT = 15, 4, 6, 7


class Segan(Encoder):
    """Strided 1-D convolutions, flattened into three linear layers: (B, 1, num_samples) -> (B, embedding_dim).

    num_samples: the fixed length read, because the map is flattened; 16,000 is one second. A block's length is (L + 2) // 4.
    channels: one block each. hidden: widths of the linear layers before the last.
    """

    def __init__(
        self,
        num_channels: int = 1,
        num_samples: int = 16_000,
        embedding_dim: int = 128,
        channels: list[int] | None = None,
        hidden: list[int] | None = None,
    ):
        super().__init__()
        channels = channels or [16, 32, 128, 256, 512, 1024]
        hidden = hidden or [256, 128]
        self.embedding_dim = embedding_dim
        self.input_frames = num_samples
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, KERNEL, STRIDE) for a, b in zip([num_channels, *channels], channels, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(c) for c in channels)
        length = num_samples
        for _ in channels:
            length = (length + PAD_LEFT + PAD_RIGHT - KERNEL) // STRIDE + 1
        if length < 1:
            raise ValueError(f"num_samples {num_samples} is too short for {len(channels)} blocks of stride {STRIDE}.")
        widths = [channels[-1] * length, *hidden]
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self.last = nn.Linear(widths[-1], embedding_dim)

    def forward(self, features: Tensor, num_frames: Tensor) -> Tensor:
        if features.shape[2] != self.input_frames:
            raise ValueError(
                f"encoder: {features.shape[2]} samples came, segan reads {self.input_frames}. "
                "Set encoder.num_samples and data.clip_seconds to one length."
            )
        x = features
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.leaky_relu(norm(convolution(F.pad(x, (PAD_LEFT, PAD_RIGHT)))), 0.3)
        x = x.flatten(1)
        for linear in self.linears:
            x = F.relu(linear(x))
        return self.last(x)
