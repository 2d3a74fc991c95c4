"""Complex spectrogram, compressed by a power law, as Speech2Face states it (CVPR 2019; written from its published facts)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from gan.features.base import Features, beyond, repeated, window_and_hop


def compress(values: Tensor, exponent: float) -> Tensor:
    """sign(x) |x|^exponent of each value, any shape: 8 becomes 1.866 with 0.3."""
    return values.sign() * values.abs().pow(exponent)


class ComplexSpectrogram(Features):
    """Output (B, 2, F, fft_size / 2 + 1): the compressed real and imaginary part of each bin.

    1 + (S - window) // hop frames of a periodic Hann window, not centred, zero-padded at their end for the transform: 598 of
    6 s. Samples after the last full frame are left out; an item shorter than a window gives one frame, padded with zeros.
    Frames beyond an item's own end are zero.
    channels: `real_imag`, or `mag_phase`: compressed magnitude and the angle in radians, as one implementation feeds them.
    repeat_to_seconds: a shorter waveform is repeated end to end and cut there; 0 or null: as it is.
    rms_dbfs: each item is first brought to this level (-23 in one implementation, none in the paper), 0 dB being an RMS of 1.
    """

    num_channels = 2

    def __init__(
        self,
        channels: str = "real_imag",
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        fft_size: int = 512,
        exponent: float = 0.3,
        repeat_to_seconds: float | None = 6.0,
        rms_dbfs: float | None = None,
        sample_rate_hz: int = 16_000,
    ):
        super().__init__()
        if channels not in ("real_imag", "mag_phase"):
            raise ValueError(f"channels {channels!r} came, real_imag or mag_phase is allowed.")
        if exponent <= 0:
            raise ValueError(f"exponent {exponent} came, more than 0 is allowed.")
        if repeat_to_seconds is not None and repeat_to_seconds < 0:
            raise ValueError(f"repeat_to_seconds {repeat_to_seconds} came, 0 or more is allowed.")
        self.channels, self.fft_size, self.exponent, self.rms_dbfs = channels, fft_size, exponent, rms_dbfs
        self.window, self.hop = window_and_hop(window_ms, hop_ms, fft_size, sample_rate_hz)
        self.least_samples = round((repeat_to_seconds or 0) * sample_rate_hz)
        self.register_buffer("hann", torch.hann_window(self.window), persistent=False)
        self.hann: Tensor

    def samples(self, frames: int) -> int:
        """As Features.samples; a waveform shorter than repeat_to_seconds gives the frames of that length instead."""
        return self.window + (frames - 1) * self.hop

    @torch.autocast("cpu", enabled=False)
    @torch.autocast("cuda", enabled=False)
    def forward(self, waveform: Tensor, num_samples: Tensor) -> tuple[Tensor, Tensor]:
        signal = waveform.float()
        if self.rms_dbfs is not None:
            power = signal.square().sum(1) / num_samples.clamp_min(1)
            gain = 10 ** (self.rms_dbfs / 20) / power.sqrt()
            signal = signal * torch.where(power > 0, gain, 1.0)[:, None]  # silence stays silence
        if self.least_samples:
            signal, num_samples = repeated(signal, num_samples, self.least_samples)
        frames_here = 1 + max(signal.shape[1] - self.window, 0) // self.hop
        padded = F.pad(signal, (0, max(self.window - signal.shape[1], 0)))
        windows = padded.unfold(1, self.window, self.hop) * self.hann  # (B, F, window)
        spectrum = torch.fft.rfft(windows, n=self.fft_size)
        num_frames = 1 + (num_samples - self.window).clamp_min(0) // self.hop
        spectrum.masked_fill_(beyond(num_frames, frames_here)[:, :, None], 0.0)
        if self.channels == "real_imag":
            return compress(torch.stack([spectrum.real, spectrum.imag], 1), self.exponent), num_frames
        return torch.stack([spectrum.abs().pow(self.exponent), spectrum.angle()], 1), num_frames
