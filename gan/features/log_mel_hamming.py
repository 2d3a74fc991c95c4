"""64-band log-mel spectrogram, normalised per recording, as voice2face states it (NeurIPS 2019; facts only)."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gan.data.corpus import INT16_SCALE
from gan.features.base import Features, beyond, repeated, window_and_hop


def mel_filters(num_mels: int, fft_size: int, low_hz: float, high_hz: float, sample_rate_hz: int) -> np.ndarray:
    """(num_mels, fft_size // 2 + 1) triangles of about equal area: peak 2 / (right - left in Hz).

    Edges are equally spaced in 2595 log10(1 + f / 700) from low_hz to high_hz and rounded to the nearest bin.
    Raises ValueError where a triangle has no room.
    """
    if not 0 <= low_hz < high_hz <= sample_rate_hz / 2:
        raise ValueError(f"low_hz {low_hz}, high_hz {high_hz} came, 0 <= low_hz < high_hz <= {sample_rate_hz / 2} is allowed.")
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (low_hz, high_hz))
    hertz = 700 * (10 ** (np.linspace(low, high, num_mels + 2) / 2595) - 1)
    bin_hz = sample_rate_hz / fft_size
    edges = np.floor(hertz / bin_hz + 0.5)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    if (np.diff(edges) < 1).any():
        raise ValueError(f"num_mels {num_mels} leaves some of them no bin of an fft_size of {fft_size}.")
    bins = np.arange(fft_size // 2 + 1)
    slopes = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)).clip(0)
    return slopes * 2 / ((right - left) * bin_hz)


class LogMelHamming(Features):
    """Pre-emphasis within each frame, symmetric Hamming windows, power, mel bank, natural log of the int16-scale signal, floored.

    Output (B, num_mels, F), S // hop + 1 frames. Each short frame at the end is filled up with repeats of its own samples, an
    empty one with zeros. Each band is normalised by its mean and population deviation over the item's own frames. This is
    as published for a whole recording; a crop for training is normalised by itself. Frames beyond an item's own end are zero.
    repeat_to_seconds: the frames of anything shorter are repeated end to end and cut there, as published for whole recordings
    before they are stored; 0 or null, for training on shorter crops: as they are.
    legacy_pre_emphasis: a frame's first sample is emphasised against the last one of the frame before, as published, instead
    of the sample before it, 0 at the start. (The published state also passes from file to file; here each item starts anew.)
    Frames of others are voice2face's arrays, normalised already, over the whole recording.
    """

    def __init__(
        self,
        num_mels: int = 64,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        fft_size: int = 1024,
        low_hz: float = 20.0,
        high_hz: float = 7200.0,
        pre_emphasis: float = 0.97,
        floor: float = 1e-5,
        repeat_to_seconds: float | None = 10.0,
        legacy_pre_emphasis: bool = False,
        sample_rate_hz: int = 16_000,
    ):
        super().__init__()
        if floor <= 0:
            raise ValueError(f"floor {floor} came, more than 0 is allowed.")
        if repeat_to_seconds is not None and repeat_to_seconds < 0:
            raise ValueError(f"repeat_to_seconds {repeat_to_seconds} came, 0 or more is allowed.")
        self.num_channels = num_mels
        # Not legacy_pre_emphasis, one sample a frame: published frames have it, our recipes have not.
        self.made = dict(
            name="log_mel_hamming",
            num_mels=num_mels,
            window_ms=window_ms,
            hop_ms=hop_ms,
            fft_size=fft_size,
            low_hz=low_hz,
            high_hz=high_hz,
            pre_emphasis=pre_emphasis,
            floor=floor,
        )
        self.window, self.hop = window_and_hop(window_ms, hop_ms, fft_size, sample_rate_hz)
        self.fft_size, self.pre_emphasis, self.floor = fft_size, pre_emphasis, floor
        self.least_frames = round((repeat_to_seconds or 0) * 1000 / hop_ms)
        self.legacy_pre_emphasis = legacy_pre_emphasis
        filters = mel_filters(num_mels, fft_size, low_hz, high_hz, sample_rate_hz)
        self.register_buffer("filters", torch.tensor(filters, dtype=torch.float32), persistent=False)
        self.register_buffer("hamming", torch.hamming_window(self.window, periodic=False), persistent=False)
        self.filters: Tensor
        self.hamming: Tensor

    def samples(self, frames: int) -> int:
        """As Features.samples, the longest; a waveform shorter than repeat_to_seconds gives the frames of that length instead."""
        return frames * self.hop - 1

    def _windows(self, signal: Tensor, num_samples: Tensor) -> Tensor:
        """Pre-emphasised frames under the window: (B, S), (B,) -> (B, F, window)."""
        frames_here = signal.shape[1] // self.hop + 1
        padded = F.pad(signal, (1, (frames_here - 1) * self.hop + self.window - signal.shape[1]))  # a 0 before the first
        raw = padded[:, 1:].unfold(1, self.window, self.hop).contiguous()
        # Only the last frames of an item can be short: each is gathered anew, turning back at the item's end.
        last = (num_samples // self.hop)[:, None] - torch.arange(-(-self.window // self.hop), device=signal.device)
        last = last.clamp_min(0)  # (B, at most so many)
        start = last * self.hop
        left = num_samples[:, None] - start
        within = torch.arange(self.window, device=signal.device) % left.clamp_min(1)[:, :, None]
        # An empty frame starts right after the item's end, where the signal is zero.
        filled = padded.gather(1, (1 + start[:, :, None] + within).flatten(1)).view(*last.shape, self.window)
        raw.scatter_(1, last[:, :, None].expand_as(filled), filled)
        before = F.pad(raw[:, :-1, -1], (1, 0)) if self.legacy_pre_emphasis else padded[:, : -self.window : self.hop]
        windows = raw * self.hamming
        windows[:, :, 1:] -= raw[:, :, :-1] * (self.pre_emphasis * self.hamming[1:])
        windows[:, :, 0] -= before * (self.pre_emphasis * self.hamming[0])
        return windows

    @torch.autocast("cpu", enabled=False)
    @torch.autocast("cuda", enabled=False)
    def forward(self, waveform: Tensor, num_samples: Tensor) -> tuple[Tensor, Tensor]:
        """As Features.forward; always float32, since bfloat16 cannot tell the bands of quiet speech apart."""
        if waveform.ndim == 3:
            normalised, num_frames = waveform.float().transpose(1, 2), num_samples
        else:
            normalised, num_frames = self._analyse(waveform, num_samples)
        return repeated(normalised, num_frames, self.least_frames) if self.least_frames else (normalised, num_frames)

    def _analyse(self, waveform: Tensor, num_samples: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S), (B,) -> (B, num_mels, F), (B,)."""
        spectrum = torch.fft.rfft(self._windows(waveform.float() / float(INT16_SCALE), num_samples), n=self.fft_size)
        power = spectrum.real.square() + spectrum.imag.square()  # (B, F, fft_size / 2 + 1)
        log_mel = (power @ self.filters.T).clamp_min(self.floor).log().transpose(1, 2)
        num_frames = num_samples // self.hop + 1
        over = beyond(num_frames, log_mel.shape[2])[:, None]
        # Less the first frame, a constant band is exactly 0: rounding of its mean would be divided by next to nothing.
        centred = (log_mel - log_mel[:, :, :1]).masked_fill(over, 0.0)
        each = num_frames[:, None, None]
        centred = (centred - centred.sum(2, keepdim=True) / each).masked_fill(over, 0.0)
        deviation = (centred.square().sum(2, keepdim=True) / each).sqrt()
        return centred / (deviation + torch.finfo(torch.float32).eps), num_frames
