"""Log-mel spectrogram, windows and filters exactly as SF2F states them (facts only; its speech preprocessing)."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gan.data.corpus import INT16_SCALE
from gan.features.base import Features, beyond, window_and_hop


def mel_filters(num_mels: int, fft_size: int, sample_rate_hz: int) -> np.ndarray:
    """(num_mels, fft_size // 2 + 1) triangles with integer-bin edges, peak 1, from 0 Hz to half the sample rate.

    Edges are equally spaced in 2595 log10(1 + f / 700) and floored to bins of (fft_size + 1) f / sample_rate.
    """
    top = 2595 * math.log10(1 + sample_rate_hz / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, num_mels + 2) / 2595) - 1)
    edges = np.floor((fft_size + 1) * hertz / sample_rate_hz).astype(int)
    filters = np.zeros((num_mels, fft_size // 2 + 1))
    for mel, (left, centre, right) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        filters[mel, left:centre] = (np.arange(left, centre) - left) / max(centre - left, 1)
        filters[mel, centre:right] = (right - np.arange(centre, right)) / max(right - centre, 1)
    return filters


class LogMel(Features):
    """Pre-emphasis, rectangular windows, power / fft_size, mel bank, natural log of the int16-scale signal, standardised.

    Output (B, num_mels, F), 1 + ceil((S - window) / hop) frames, the tail padded with zeros; one frame if S <= window.
    mean, std: the published global figures for 40 bands. Frames beyond an item's own end hold digital silence.
    legacy_padding: as published, they hold 0 before standardising (far above silence) and count as valid. An item's embedding
    then depends on how far its batch is padded.
    Frames of others are those of SF2F's pickles: natural log, not yet standardised.
    """

    def __init__(
        self,
        num_mels: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        fft_size: int = 512,
        pre_emphasis: float = 0.97,
        mean: float = 10.9915,
        std: float = 3.1661,
        legacy_padding: bool = False,
        sample_rate_hz: int = 16_000,
    ):
        super().__init__()
        self.num_channels = num_mels
        self.made = dict(
            name="log_mel", num_mels=num_mels, window_ms=window_ms, hop_ms=hop_ms, fft_size=fft_size, pre_emphasis=pre_emphasis
        )
        self.window, self.hop = window_and_hop(window_ms, hop_ms, fft_size, sample_rate_hz)
        self.fft_size, self.pre_emphasis, self.mean, self.std = fft_size, pre_emphasis, mean, std
        self.legacy_padding = legacy_padding
        filters = mel_filters(num_mels, fft_size, sample_rate_hz)
        self.register_buffer("filters", torch.tensor(filters, dtype=torch.float32), persistent=False)
        self.filters: Tensor

    def samples(self, frames: int) -> int:
        return self.window + (frames - 1) * self.hop

    def num_frames(self, num_samples: Tensor) -> Tensor:
        """(B,) samples -> (B,) frames."""
        return 1 + ((num_samples - self.window).clamp_min(0) + self.hop - 1) // self.hop

    @torch.autocast("cpu", enabled=False)
    @torch.autocast("cuda", enabled=False)
    def forward(self, waveform: Tensor, num_samples: Tensor) -> tuple[Tensor, Tensor]:
        """As Features.forward; always float32, since bfloat16 cannot tell the bands of quiet speech apart."""
        log_mel, num_frames = (waveform.float(), num_samples) if waveform.ndim == 3 else self._analyse(waveform, num_samples)
        if self.legacy_padding:
            log_mel = log_mel.masked_fill(beyond(num_frames, log_mel.shape[1])[:, :, None], 0.0)
            num_frames = torch.full_like(num_frames, log_mel.shape[1])
        return ((log_mel - self.mean) / self.std).transpose(1, 2), num_frames

    def _analyse(self, waveform: Tensor, num_samples: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S), (B,) -> (B, F, num_mels), (B,)."""
        signal = waveform.float() / float(INT16_SCALE)
        emphasised = signal.clone()
        emphasised[:, 1:] -= self.pre_emphasis * signal[:, :-1]
        # The sample after an item's end would echo its last one.
        emphasised.masked_fill_(beyond(num_samples, signal.shape[1]), 0.0)
        frames_here = int(self.num_frames(torch.tensor(signal.shape[1])))
        padded = F.pad(emphasised, (0, (frames_here - 1) * self.hop + self.window - signal.shape[1]))
        windows = padded.unfold(1, self.window, self.hop)  # (B, F, window)
        spectrum = torch.fft.rfft(windows, n=self.fft_size)
        power = (spectrum.real.square() + spectrum.imag.square()) / self.fft_size  # (B, F, fft_size / 2 + 1)
        mel = power @ self.filters.T
        # Zero energy becomes float64's epsilon before the log, as published.
        return torch.where(mel > 0, mel, torch.finfo(torch.float64).eps).log(), self.num_frames(num_samples)
