from pathlib import Path

import numpy as np
import soundfile

from gan.data.audio import to_int16
from gan.data.corpus import SAMPLE_RATE_HZ


def write_wav(path: Path | str, waveform: np.ndarray) -> None:
    """int16 (S,), or float (S,) in [-1, 1] -> a mono 16-bit wav file of 16 kHz, whatever its name ends on."""
    samples = waveform if waveform.dtype == np.int16 else to_int16(waveform)
    soundfile.write(path, samples, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
