"""Sound files -> waveforms. Everything behind this file is mono, and 16 kHz unless it says otherwise.

Files are read with libsndfile (soundfile), which carries its own wav, flac, ogg, opus and mp3 decoders: no system FFmpeg is
needed. m4a, mp4, mkv, ... are read with PyAV (gan/data/films.py), where it is installed. Resampling is scipy's polyphase
filter, whose cost stays small at odd pairs of rates too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

from gan.data.channels import OPPOSITE, loudest_of_opposite, sums_of
from gan.data.corpus import INT16_SCALE, SAMPLE_RATE_HZ
from gan.data.films import Film
from gan.data.media import PACKED, UNREAD_SOUND
from gan.data.resampling import resample

SOUND: tuple[str, ...] = (".wav", ".flac", ".mp3", ".ogg", ".opus")
# Outside of these a header is damaged; inside, resampling to 16 kHz makes a file at most sixteen times longer.
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000
# Lossy decoders overshoot 1 by a little and are clipped; a file that goes beyond this holds another unit.
LARGEST_AMPLITUDE = 16.0
BLOCK_FRAMES = 1 << 20


def readable() -> tuple[str, ...]:
    """Endings of the sound files that are read here: SOUND, and what PyAV reads where it is installed."""
    return (*SOUND, *PACKED) if find_spec("av") else SOUND


def unreadable() -> tuple[str, ...]:
    """Endings of those that are not."""
    return tuple(ending for ending in UNREAD_SOUND if ending not in readable())


def read_waveform(path: str | Path, sample_rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """A sound file -> float32 (S,) mono in [-1, 1] at sample_rate_hz: channels averaged, resampled, clipped.

    Of channels that silence each other the loudest is taken.
    16-bit mono files at sample_rate_hz come back exactly: to_int16(read_waveform(path)) equals the stored samples.
    Silence and very short sounds are sound. Raises ValueError, one line that names the file and the reason, if it is
    missing, empty, not sound, without a sample, at an impossible rate, or holds NaN, infinite or out-of-range samples.
    """
    return read_sound(path, sample_rate_hz)[0]


def read_sound(path: str | Path, sample_rate_hz: int = SAMPLE_RATE_HZ) -> tuple[np.ndarray, str]:
    """read_waveform, and what a person is to be told of the channels: OPPOSITE or nothing."""
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file.")
    if not path.is_file():
        raise ValueError(f"{path}: not a file. Name one sound file ({', '.join(SOUND)}).")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty (0 bytes).")
    mono, rate_hz, sums = _read_mono(path)
    if not len(mono):
        content = path.read_bytes()
        start = content.find(b"data") + 8
        if content.startswith(b"RIFF") and content[start - 4 : start] == bytes(4) and len(content) > start:
            raise ValueError(
                f"{path}: its header says that no sound follows, but {len(content) - start} bytes do. It was "
                "written to a pipe, or not to its end; save it anew, as sox --ignore-length does."
            )
        raise ValueError(f"{path}: the file holds no samples.")
    if not np.isfinite(mono).all():
        raise ValueError(f"{path}: holds {int((~np.isfinite(mono)).sum())} samples that are NaN or infinite.")
    loudest = loudest_of_opposite(mono, sums)
    if loudest is not None:
        mono = _read_mono(path, loudest)[0]
    if np.abs(mono).max() > LARGEST_AMPLITUDE:
        raise ValueError(
            f"{path}: samples reach {np.abs(mono).max():g}, but sound lies in [-1, 1]. Scale it, or save it as 16-bit."
        )
    return np.clip(resample(mono, rate_hz, sample_rate_hz), -1, 1), "" if loudest is None else OPPOSITE


def _read_mono(path: Path, channel: int | None = None) -> tuple[np.ndarray, int, np.ndarray]:
    """(S,) float32, its rate, and (2, channels): sums of each one's samples and of their squares.

    channel: that one instead of the mean of all. Read in blocks, so that long files of many channels stay small in memory.
    """
    sums, blocks, rate_hz = np.zeros((2, 1)), list[np.ndarray](), SAMPLE_RATE_HZ
    for channels, here_hz in _blocks(path):
        more, rate_hz = sums_of(channels), here_hz
        sums = sums + more if sums.shape in (more.shape, (2, 1)) else sums  # (2, 1): of none so far, or of one channel
        with np.errstate(invalid="ignore", over="ignore"):
            mean = channels.mean(axis=0, dtype=np.float32) if len(channels) > 1 else channels[0]
        blocks.append(mean if channel is None else channels[min(channel, len(channels) - 1)].copy())
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32), rate_hz, sums


def _blocks(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """float32 (channels, S) and the rate, one after another."""
    if path.suffix.lower() in PACKED:
        with Film(path) as film:
            if not film.has_sound:
                raise ValueError(f"{path}: a film without a sound track.")
            yield from ((block.channels, block.rate_hz) for block in film.blocks())
        return
    try:
        with soundfile.SoundFile(path) as file:
            rate_hz = int(file.samplerate)
            if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
                raise ValueError(f"{path}: sample rate {rate_hz} Hz; read are {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ}.")
            while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
                yield block.T, rate_hz
    except PermissionError:
        raise ValueError(f"{path}: may not be read (permission denied).") from None
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError) as error:  # TypeError: headerless .raw
        # libsndfile's text reads "Error opening 'the path again': reason".
        reason = str(error).splitlines()[0].rsplit(": ", 1)[-1].rstrip(".")
        raise ValueError(f"{path}: not sound that can be read ({reason}). Give {', '.join(SOUND)}.") from None


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """float (S,) in [-1, 1] -> int16 (S,), rounded to nearest; what lies outside is clipped."""
    return np.clip(np.rint(np.asarray(waveform, np.float64) / INT16_SCALE), -32768, 32767).astype(np.int16)


def middle(waveform: np.ndarray, seconds: float, rate_hz: float = SAMPLE_RATE_HZ) -> np.ndarray:
    """The middle of a waveform, or of frames (F, ...), at most that long. rate_hz: samples or frames a second."""
    count = math.ceil(seconds * rate_hz)
    return waveform[max(0, (len(waveform) - count) // 2) :][:count]
