"""A trained run, loaded: speech -> faces."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evaluation.progress import Progress
from gan import checkpoint
from gan.build import refuse_foreign_code
from gan.checkpoint import Checkpoint, load_part
from gan.config import Config, from_dict
from gan.data.audio import HIGHEST_RATE_HZ, LARGEST_AMPLITUDE, LOWEST_RATE_HZ, SAMPLE_RATE_HZ, read_sound
from gan.data.pictures import read_picture
from gan.data.resampling import resample
from gan.model import NO_DECODER, Generator, build_model

MOST_CHANNELS = 32  # of a recording; a voice that short is none
FEWEST_SAMPLES, FAINTEST = 400, 10 ** (-50 / 20)  # less than a window of 25 ms; -50 dB of full scale


class Run:
    """A trained generator and where it came from.

    path: the run's folder; step: of the checkpoint; config: what it was trained with; num_identities: training speakers.
    corpora: those it and the runs it started from were trained on; inherited_networks: frozen nets that those were trained
    against.
    """

    def __init__(self, path: Path, loaded: Checkpoint, config: Config, device: torch.device):
        self.path, self.step, self.config = path, loaded.step, config
        self.corpus: dict[str, str] = loaded.info["corpus"]
        self.num_identities: int = loaded.info["num_identities"]
        self.weights_checksum: str = loaded.weights_checksum
        self.corpora: list[dict[str, str]] = checkpoint.corpora(loaded)
        self.inherited_networks: list[str] = loaded.info.get("inherited_networks", [])
        model = build_model(config, self.num_identities)
        load_part(model, loaded, "model")
        if config.train.ema_decay is not None:
            load_part(model.generator, loaded, "ema.module")
        self.generator: Generator = model.generator.to(device).eval()

    @property
    def face_size(self) -> int:
        """px of the faces it draws. Raises ValueError, naming the run, if it draws none."""
        if self.generator.decoder is None:
            raise ValueError(f"{self.path.name}: {NO_DECODER}")
        return self.generator.image_sizes[-1]

    def generate(self, speech: str | Path | np.ndarray | Tensor, seed: int = 0, sample_rate: int = SAMPLE_RATE_HZ) -> np.ndarray:
        """Speech -> its face, uint8 (H, W, 3); (B, S), a batch of waveforms, -> uint8 (B, H, W, 3).

        speech: a sound file; or a waveform (S,), mono, float in [-1, 1], of sample_rate in Hz; for a run that draws from faces a
        picture file. What is odd about a file goes to stderr. seed: for decoders that draw noise.
        Raises ValueError for a file that cannot be read, an empty waveform, other shapes, integers, and values that are not
        finite or far too large.
        """
        if isinstance(speech, str | Path):
            return self._generate_from(Path(speech), seed)
        if self.generator.reads == "face":
            raise ValueError(f"{self.path.name}: draws from faces, not from speech; give a picture file.")
        samples = _checked(speech.detach().cpu().numpy() if isinstance(speech, Tensor) else np.asarray(speech))
        if sample_rate != int(sample_rate) or not LOWEST_RATE_HZ <= sample_rate <= HIGHEST_RATE_HZ:
            raise ValueError(f"sample_rate: {sample_rate} came. Allowed: {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz.")
        waveforms = np.clip(resample(np.atleast_2d(samples).astype(np.float32), int(sample_rate)), -1, 1)
        drawn = self.generator.draw(list(waveforms), seed)
        return drawn[0] if samples.ndim == 1 else drawn

    def _generate_from(self, path: Path, seed: int) -> np.ndarray:
        """uint8 (H, W, 3) from a file. What is odd about it goes to stderr."""
        if self.generator.reads == "face":
            source, note = read_picture(path)
        else:
            source, note = read_sound(path)
            if len(source) < FEWEST_SAMPLES or np.abs(source).max() < FAINTEST:
                note = "; ".join(filter(None, [note, "silent, or too short to hear; the face is drawn all the same"]))
        drawn = self.generator.draw([source], seed)[0]
        if note:
            Progress.write(f"{path}: {note}.")
        return drawn

    def draw(self, waveforms: Sequence[np.ndarray], batch_size: int, seed: int = 0) -> np.ndarray:
        """Waveforms of any lengths -> uint8 (N, H, W, 3), batch by batch."""
        return np.concatenate(
            [
                self.generator.draw(waveforms[start : start + batch_size], seed + start)
                for start in range(0, len(waveforms), batch_size)
            ]
        )


def _checked(samples: np.ndarray) -> np.ndarray:
    """The same, if it is a waveform or a batch of them. Raises ValueError, one line, if not."""
    shape = samples.shape
    if samples.ndim not in (1, 2) or not samples.size:
        raise ValueError(f"waveform: shape {shape} came, (samples,) or (batch, samples) is allowed.")
    if samples.ndim == 2 and shape[1] <= MOST_CHANNELS and shape[1] < shape[0]:
        raise ValueError(
            f"waveform: shape {shape} came, which would be {shape[0]} voices of {shape[1]} samples. If these are "
            "channels, give their mean, waveform.mean(axis=1), or the sound file itself."
        )
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"waveform: {samples.dtype} came, floats in [-1, 1] are read; divide int16 by 32768.")
    if not np.isfinite(samples).all():
        raise ValueError("waveform: holds NaN or infinite samples.")
    if np.abs(samples).max() > LARGEST_AMPLITUDE:
        raise ValueError(f"waveform: samples reach {np.abs(samples).max():g}, but sound lies in [-1, 1].")
    return samples


def load(run: str | Path, device: str = "auto", allow_code: Sequence[str] = ()) -> Run:
    """The newest sound checkpoint of a run folder, or the one checkpoint folder given.

    allow_code: modules outside voxface whose classes the run's config may name.
    Raises ValueError, one line, if there is none or its config names foreign code.
    """
    path = Path(os.path.abspath(run))  # its last part names the run in tables; "." has none
    loaded = checkpoint.of_run(path)
    if loaded.path == path:
        path = path.parent.parent
    config = from_dict(loaded.info["config"])
    refuse_foreign_code(config, tuple(allow_code))
    return Run(path, loaded, config, choose_device(device))


def choose_device(name: str) -> torch.device:
    """auto: a GPU if there is one. Raises ValueError if the named device is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"train.device: {name} came. Allowed: auto, cpu, cuda, cuda:N.") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"train.device: {name} came, this machine has {torch.cuda.device_count()} GPUs. Use cpu or auto.")
    return device
