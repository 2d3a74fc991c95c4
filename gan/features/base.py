"""The contract of a feature front end: waveform -> what the encoder reads."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from gan.data.corpus import NO_SOUND, SAMPLE_RATE_HZ, Corpus


class Features(nn.Module, ABC):
    """Deterministic, without trained parameters.

    num_channels: channels of the output (1 for a waveform, mel bins for a mel spectrogram, 2 for a complex one).
    reads: `waveform`, or `face` for a front end of face-to-face systems, whose forward gets faces (B, 3, H, W), RGB in [0, 1],
    and their rows in the corpus (B,), -1 where unknown.
    made: where frames that others computed may take the place of a waveform, all that such frames must agree in with its own: the
    keys of a section of features, hop_ms among them. Empty where only sound will do.
    """

    num_channels: int
    reads: str = "waveform"
    made: Mapping[str, Any] = MappingProxyType({})

    @abstractmethod
    def samples(self, frames: int) -> int:
        """Length of the waveform that gives this many frames."""

    @abstractmethod
    def forward(self, waveform: Tensor, num_samples: Tensor) -> tuple[Tensor, Tensor]:
        """waveform: (B, S) float32 in [-1, 1], zero beyond each item's num_samples (B,), 16 kHz. Where `made` allows it also
        frames of others, (B, F, M), zero beyond each item's number of them.

        Returns features (B, C, F), a spectrogram's (B, C, F, bins), and the number of valid frames of each item (B,), int64.
        """


def check_hears(features: Features, corpus: Corpus) -> None:
    """That features can start from what a corpus keeps of speech. Raises ValueError naming the key and what came."""
    if not corpus.mels or features.reads == "face":
        return
    name = type(features).__module__.rpartition(".")[2]
    if not features.made:
        raise ValueError(f"features.name: {name} came, which reads waveforms, but {corpus.path} {NO_SOUND}")
    for key, value in corpus.mels.items():
        if features.made.get(key) != value:
            raise ValueError(
                f"features.{key}: {features.made.get(key)} came, but the mels of {corpus.path} were made with {value}. "
                "They must agree."
            )


def frames_of(features: Features, samples: int) -> int:
    """How many frames of others cover so many samples."""
    return round(samples * 1000 / SAMPLE_RATE_HZ / float(features.made["hop_ms"]))


def window_and_hop(window_ms: float, hop_ms: float, fft_size: int, sample_rate_hz: int) -> tuple[int, int]:
    """Both in samples. Raises ValueError if the window is empty or longer than the transform, or if the hop is empty."""
    window, hop = round(window_ms * sample_rate_hz / 1000), round(hop_ms * sample_rate_hz / 1000)
    if not 0 < window <= fft_size:
        raise ValueError(f"window_ms {window_ms} is {window} samples, 1 to fft_size {fft_size} are allowed.")
    if hop < 1:
        raise ValueError(f"hop_ms {hop_ms} is {hop} samples, at least 1 is needed.")
    return window, hop


def beyond(lengths: Tensor, size: int) -> Tensor:
    """(B,) -> (B, size), true where an item has ended."""
    return torch.arange(size, device=lengths.device) >= lengths[:, None]


def repeated(sequence: Tensor, lengths: Tensor, least: int) -> tuple[Tensor, Tensor]:
    """Items shorter than `least` repeated end to end and cut there; longer ones stay as they are.

    sequence: (B, ..., L), zero beyond each item's lengths (B,). Returns (B, ..., max(L, least)), zero beyond each item's new
    length, and the new lengths. An item of length 0 becomes `least` zeros.
    """
    size = max(sequence.shape[-1], least)
    index = torch.arange(size, device=sequence.device).expand(len(lengths), size)
    short = (lengths < least)[:, None]
    source = torch.where(short, index % lengths.clamp_min(1)[:, None], index.clamp_max(sequence.shape[-1] - 1))
    lengths = lengths.clamp_min(least)
    over = beyond(lengths, size)
    between = (1,) * (sequence.ndim - 2)
    source, over = (t.unflatten(1, (*between, size)).expand(*sequence.shape[:-1], size) for t in (source, over))
    return sequence.gather(-1, source).masked_fill_(over, 0.0), lengths
