"""The waveform itself, at its peak and pre-emphasised, as Wav2Pix reads it (its data loader; facts only)."""

import torch
from torch import Tensor

from gan.features.base import Features, beyond


class Raw(Features):
    """Each item divided by its largest magnitude, then y[0] = x[0], y[n] = x[n] - pre_emphasis * x[n-1].

    Silence stays silence. Output (B, 1, S); frames are samples.
    legacy_sign: the published code divides integers with rounding down, so the network is fed -1 for every negative sample,
    0 for every other but the positive peak, which is 1, before pre-emphasis.
    """

    num_channels = 1

    def __init__(self, pre_emphasis: float = 0.95, legacy_sign: bool = False):
        super().__init__()
        if not 0 <= pre_emphasis < 1:
            raise ValueError(f"pre_emphasis {pre_emphasis} came, 0 <= pre_emphasis < 1 is allowed.")
        self.pre_emphasis = pre_emphasis
        self.legacy_sign = legacy_sign

    def samples(self, frames: int) -> int:
        return frames

    def forward(self, waveform: Tensor, num_samples: Tensor) -> tuple[Tensor, Tensor]:
        peak = waveform.abs().amax(dim=1, keepdim=True)
        scaled = waveform / peak.clamp_min(torch.finfo(waveform.dtype).tiny)
        if self.legacy_sign:
            scaled = scaled.floor()
        emphasised = scaled.clone()
        emphasised[:, 1:] -= self.pre_emphasis * scaled[:, :-1]
        # The sample after an item's end would echo its last one; what is beyond the end is silence.
        return emphasised.masked_fill_(beyond(num_samples, waveform.shape[1]), 0.0)[:, None], num_samples
