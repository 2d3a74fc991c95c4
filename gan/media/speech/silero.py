"""Silero's voice activity detector (Silero Team, MIT), the one of the three that tells speech from music.

The weights lie in the package silero-vad and are read from there, without importing it: importing it sets torch to one thread
for the whole process. Its model takes 32 ms at a time; only its recurrent layer needs that. The layers before it see many
frames at once here, which takes a tenth of the time and gives the same probabilities (to 1e-5).
"""

from __future__ import annotations

import functools
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan.media.speech.base import DEFAULT_SPANS, EXTRA, SpanSettings, Speech

CONTEXT = 64  # samples before a frame that the model sees with it
FRAMES_AT_ONCE = 1024  # 33 s: memory does not grow with the sound
# The net hears speech begin and end that many frames late. On toy voices under music 5 dB below, answers moved back by two frames
# find 97 % of the speech instead of 94 and keep 17 % of the pauses instead of 19.
LATE = 2
UNITS = 128  # of the recurrent layer


class Silero(Speech):
    """Frames of 32 ms that Silero's net calls speech. 0.001 times real time on a core.

    threshold: probability from which on speech starts; it stops below threshold - 0.15, as in Silero's package.
    settings: how frames become spans.
    Raises ValueError if the threshold is not between 0 and 1, and if silero-vad is not installed.
    """

    frame = 512

    def __init__(self, threshold: float = 0.5, settings: SpanSettings = DEFAULT_SPANS):
        if not 0 < threshold < 1:
            raise ValueError(f"threshold: {threshold} came. Allowed: above 0 and below 1.")
        self.threshold, self.settings = threshold, settings
        self.path = _weights()
        self.label = f"silero-vad {version('silero-vad')}, threshold {threshold:g}, {settings}"

    def voiced(self, waveform: np.ndarray) -> np.ndarray:
        probability = self.probability(waveform)
        start, stop = probability >= self.threshold, probability < max(self.threshold - 0.15, 0.01)
        # Between the two thresholds a frame is what the last clear one was.
        clear = np.maximum.accumulate(np.where(start | stop, np.arange(len(probability)), -1))
        found = np.where(clear >= 0, start[clear], False)
        return np.concatenate([found[LATE:], np.repeat(found[-1:], min(LATE, len(found)))])

    @torch.no_grad()
    def probability(self, waveform: np.ndarray) -> np.ndarray:
        """int16 (S,) -> float32 (F,): probability of speech in each frame of 512 samples, the last one filled up with zeros."""
        model, recurrent = _model(str(self.path))
        padded = np.pad(waveform, (CONTEXT, -len(waveform) % self.frame))
        frames = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + self.frame)[:: self.frame]
        state = (torch.zeros(1, UNITS), torch.zeros(1, UNITS))
        found = []
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            part = torch.from_numpy(frames[start : start + FRAMES_AT_ONCE].astype(np.float32) / 32_768)
            hidden, state = recurrent(model.encoder(model.stft(part)).squeeze(-1), state)
            found.append(model.decoder.decoder(hidden[..., None]).flatten().numpy())
        return np.concatenate(found)


def _weights() -> Path:
    spec = find_spec("silero_vad")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f'silero: needs silero-vad, which is not installed. Run: pip install "{EXTRA}"')
    return Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.jit"


@functools.cache
def _model(path: str) -> tuple[Any, torch.nn.LSTM]:
    """The net for 16 kHz, and its recurrent layer as one that takes a sequence. Read once a process."""
    model = torch.jit.load(path, map_location="cpu").eval()._model
    recurrent = torch.nn.LSTM(UNITS, UNITS).eval()
    recurrent.load_state_dict({f"{name}_l0": value for name, value in model.decoder.rnn.state_dict().items()})
    return model, recurrent
