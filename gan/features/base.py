"""The contract of a feature front end: waveform -> what the encoder reads."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Features(nn.Module, ABC):
    """Deterministic, without trained parameters.

    num_channels: channels of the output (1 for a waveform, mel bins for a spectrogram).
    """

    num_channels: int

    @abstractmethod
    def samples(self, frames: int) -> int:
        """Length of the waveform that gives this many frames."""

    @abstractmethod
    def forward(self, waveform: Tensor, num_samples: Tensor) -> tuple[Tensor, Tensor]:
        """waveform: (B, S) float32 in [-1, 1], zero beyond each item's num_samples (B,), 16 kHz.

        Returns features (B, C, F) and the number of valid frames of each item (B,), int64.
        """
