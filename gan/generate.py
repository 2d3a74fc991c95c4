"""A run, or an array of samples -> faces."""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gan import checkpoint
from gan.build import refuse_foreign_code
from gan.checkpoint import Checkpoint, load_part
from gan.config import Config, from_dict
from gan.data.audio import LARGEST_AMPLITUDE, SOUND, read_sound
from gan.data.corpus import SAMPLE_RATE_HZ
from gan.data.faces import PICTURES, read_picture, write_face
from gan.data.media import UNREAD_PICTURES, UNREAD_SOUND, below, unread
from gan.model import NO_DECODER, Generator, build_model

FEWEST_SAMPLES, FAINTEST = 400, 10 ** (-50 / 20)     # less than a window of 25 ms; -50 dB of full scale


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

    def generate_from(self, path: Path, seed: int = 0) -> np.ndarray:
        """A sound file (or a picture, if the run draws from faces) -> uint8 (H, W, 3). What is odd about it goes to stderr."""
        if self.generator.reads == "face":
            face, note = read_picture(path)
            drawn = self.generator.draw([face], seed)[0]
        else:
            waveform, note = read_sound(path)
            drawn = self.generate(waveform, seed)
            if len(waveform) < FEWEST_SAMPLES or np.abs(waveform).max() < FAINTEST:
                note = "; ".join(filter(None, [note, "silent, or too short to hear; the face is drawn all the same"]))
        if note:
            tqdm.write(f"{path}: {note}.", file=sys.stderr)
        return drawn

    def generate(self, waveform: np.ndarray | Tensor, seed: int = 0) -> np.ndarray:
        """Speech -> its face. (S,) -> uint8 (H, W, 3); (B, S) -> uint8 (B, H, W, 3).

        waveform: float in [-1, 1], 16 kHz, mono. seed: for decoders that draw noise.
        Raises ValueError for a run that draws from faces, an empty waveform, other shapes, integers, and values that are not
        finite or far too large.
        """
        if self.generator.reads == "face":
            raise ValueError(f"{self.path.name}: draws from faces, not from speech; give generate_from a picture file.")
        samples = waveform.detach().cpu().numpy() if isinstance(waveform, Tensor) else np.asarray(waveform)
        if samples.ndim not in (1, 2) or not samples.size:
            raise ValueError(f"waveform: shape {samples.shape} came, (samples,) or (batch, samples) is allowed.")
        if not np.issubdtype(samples.dtype, np.floating):
            raise ValueError(f"waveform: {samples.dtype} came, floats in [-1, 1] are read; divide int16 by 32768.")
        if not np.isfinite(samples).all():
            raise ValueError("waveform: holds NaN or infinite samples.")
        if np.abs(samples).max() > LARGEST_AMPLITUDE:
            raise ValueError(f"waveform: samples reach {np.abs(samples).max():g}, but sound lies in [-1, 1].")
        faces = self.generator.draw(list(np.atleast_2d(samples).astype(np.float32)), seed)
        return faces[0] if samples.ndim == 1 else faces

    def draw(self, waveforms: Sequence[np.ndarray], batch_size: int, seed: int = 0) -> np.ndarray:
        """Waveforms of any lengths -> uint8 (N, H, W, 3), batch by batch."""
        return np.concatenate([self.generator.draw(waveforms[start:start + batch_size], seed + start)
                               for start in range(0, len(waveforms), batch_size)])


def load(run: str | Path, device: str = "auto", allow_code: Sequence[str] = ()) -> Run:
    """The newest sound checkpoint of a run folder, or the one checkpoint folder given.

    allow_code: modules outside voxface whose classes the run's config may name.
    Raises ValueError, one line, if there is none or its config names foreign code.
    """
    path = Path(os.path.abspath(run))       # its last part names the run in tables; "." has none
    loaded = checkpoint.of_run(path)
    if loaded.path == path:
        path = path.parent.parent
    config = from_dict(loaded.info["config"])
    refuse_foreign_code(config, tuple(allow_code))
    return Run(path, loaded, config, choose_device(device))


def generate_files(run: Run, sources: Sequence[Path], out: Path, seed: int = 0) -> tuple[list[Path], list[str]]:
    """Draw a face for every sound file (or picture, if the run draws from faces); folders stand for the files below them.

    Writes out/<name>.png, in a folder's own structure. Returns the pictures written and one line for each file that could not
    be drawn, and for each folder with kinds of files that nothing here reads: the others are not held up by it.
    """
    if run.generator.decoder is None:
        raise ValueError(f"{run.path.name}: {NO_DECODER}")
    kind, suffixes, others = ("pictures", PICTURES, UNREAD_PICTURES) if run.generator.reads == "face" \
        else ("sound files", SOUND, UNREAD_SOUND)
    files, failed = [], []
    for source in sources:
        if source.is_dir():
            found = below(source, suffixes)
            files += [(path, path.relative_to(source)) for path in found]
            if left := below(source, others):
                failed.append(f"{source}: {unread(left, suffixes)}")
            if not found:
                failed.append(f"{source}: no {kind} in this folder. Looked for: {', '.join(suffixes)}.")
        else:
            files.append((source, Path(source.name)))
    files = list(dict.fromkeys(files))
    targets = [out / name for name in _picture_names([relative for _, relative in files])]
    written = []
    for (path, _), target in zip(tqdm(files, desc="draw", unit="file", disable=None), targets, strict=True):
        try:
            face = run.generate_from(path, seed)
        except ValueError as error:
            failed.append(str(error) if str(error).startswith(str(path)) else f"{path}: {error}")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        write_face(target, face)
        written.append(target)
    return written, failed


def _picture_names(sounds: Sequence[Path]) -> list[Path]:
    """a/b.wav -> a/b.png, but no two alike: where only the ending tells two apart both keep it, else they are numbered."""
    stems = Counter(sound.with_suffix("") for sound in sounds)
    names: dict[Path, None] = {}
    for sound in sounds:
        stem = sound.with_suffix("") if stems[sound.with_suffix("")] == 1 else sound
        name, number = stem.with_name(f"{stem.name}.png"), 2
        while name in names:
            name, number = stem.with_name(f"{stem.name}-{number}.png"), number + 1
        names[name] = None
    return list(names)


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


def sheet(rows: Sequence[np.ndarray], gap: int = 4) -> np.ndarray:
    """Rows of uint8 (N, H, W, 3) faces -> one picture, white between them."""
    height, width = rows[0].shape[1:3]
    columns = max(len(row) for row in rows)
    out = np.full((len(rows) * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, face in enumerate(row):
            top, left = gap + y * (height + gap), gap + x * (width + gap)
            out[top:top + height, left:left + width] = face
    return out


def middle(waveform: np.ndarray, seconds: float) -> np.ndarray:
    """The middle of a waveform, at most that long."""
    count = math.ceil(seconds * SAMPLE_RATE_HZ)
    return waveform[max(0, (len(waveform) - count) // 2):][:count]
