"""The contract of a speech detector: waveform in, spans of speech out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields

import numpy as np

from gan.data.corpus import SAMPLE_RATE_HZ

Span = tuple[float, float]
EXTRA = "voxface[media]"


@dataclass(frozen=True)
class SpanSettings:
    """How frames of speech become spans, in seconds; in this order.

    gap_seconds: spans with less than that between them become one. least_seconds: shorter spans are dropped.
    padding_seconds: what is added at both ends of a span, inside the waveform.
    The defaults were chosen on toy voices with Silero, of whose spans they make the most that keeps a fifth of the pauses at
    most. All 0 leaves the frames as they are, as the published rules have them.
    Raises ValueError for a negative value.
    """

    gap_seconds: float = 0.1
    least_seconds: float = 0.2
    padding_seconds: float = 0.02

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) >= 0:
                raise ValueError(f"{field.name}: {getattr(self, field.name)} came. Allowed: 0 or more.")


DEFAULT_SPANS = SpanSettings()


class Speech(ABC):
    """Finds speech in mono sound of 16 kHz.

    label: name, thresholds, version; one line. frame: samples of which `voiced` judges at once.
    """

    label: str
    frame: int
    settings: SpanSettings

    def spans(self, waveform: np.ndarray) -> list[Span]:
        """int16 (S,) at 16 kHz, of any length -> (start, end) of each span in seconds, in order, none touching the next.

        Raises ValueError if the waveform is of another kind.
        """
        if waveform.dtype != np.int16 or waveform.ndim != 1:
            raise ValueError(f"waveform: {waveform.dtype} {waveform.shape} came. Allowed: int16 (S,), mono, 16 kHz.")
        if not len(waveform):
            return []
        voiced = self.voiced(waveform)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]])))
        seconds = edges.reshape(-1, 2) * (self.frame / SAMPLE_RATE_HZ)
        return _spans(seconds.tolist(), len(waveform) / SAMPLE_RATE_HZ, self.settings)

    @abstractmethod
    def voiced(self, waveform: np.ndarray) -> np.ndarray:
        """int16 (S,), S >= 1 -> bool (F,): is there speech in each frame? The last frame is filled up with zeros."""


def _spans(found: list[list[float]], seconds: float, settings: SpanSettings) -> list[Span]:
    """Runs of frames -> spans inside a waveform of that many seconds."""
    long = [span for span in _merged(found, settings.gap_seconds) if span[1] - span[0] >= settings.least_seconds]
    padding = settings.padding_seconds
    padded = [[max(0.0, start - padding), min(seconds, end + padding)] for start, end in long]
    return [(start, end) for start, end in _merged(padded, 0.0)]


def _merged(spans: list[list[float]], gap: float) -> list[list[float]]:
    merged: list[list[float]] = []
    for start, end in spans:
        if merged and (start <= merged[-1][1] or start - merged[-1][1] < gap):
            merged[-1][1] = max(end, merged[-1][1])
        else:
            merged.append([start, end])
    return merged
