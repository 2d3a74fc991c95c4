"""Everything a run needs to go on exactly: written whole or not at all, verified when read, never unpickled.

step-00000500/weights.safetensors   generator, discriminators, losses with parameters, moving average
step-00000500/state.pt              optimisers (read with weights_only=True)
step-00000500/checkpoint.json       step, checksums, corpus, versions, resolved config
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import shutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from gan.files import sha256

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read back: weights by name, the optimisers' state, and what checkpoint.json says."""

    path: Path
    weights: dict[str, Tensor]
    state: dict[str, Any]
    info: dict[str, Any]

    @property
    def step(self) -> int:
        return int(self.info["step"])

    @property
    def weights_checksum(self) -> str:
        return str(self.info["checksums"]["weights.safetensors"])


def environment() -> dict[str, Any]:
    """Versions and hardware on which torch's results depend."""
    return dict(
        python=platform.python_version(),
        torch=torch.__version__,
        numpy=numpy.__version__,
        machine=platform.machine(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    )


def save(folder: Path, step: int, weights: dict[str, Tensor], state: dict[str, Any], **info: Any) -> Path:
    """Write folder/step-XXXXXXXX: under a temporary name, flushed to the disk, then renamed. Returns its path.

    Raises OSError (a full disk, say) leaving nothing behind; earlier checkpoints are untouched.
    """
    path = folder / f"step-{step:08d}"
    partial = folder / f".{path.name}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        # Clones: safetensors refuses tensors that share memory, and a GPU's are copied to the CPU anyway. Written here, as its
        # save_file would keep the file to its owner, whatever the umask says.
        content = safetensors.torch.save({k: v.detach().cpu().contiguous().clone() for k, v in weights.items()})
        (partial / "weights.safetensors").write_bytes(content)
        torch.save(state, partial / "state.pt")
        checksums = {name: sha256(partial / name) for name in ("weights.safetensors", "state.pt")}
        about = dict(schema_version=SCHEMA_VERSION, step=step, checksums=checksums, environment=environment(), **info)
        (partial / "checkpoint.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        for file in [*partial.iterdir(), partial]:
            _flush(file)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(partial, path)
        _flush(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return path


def load(path: Path) -> Checkpoint:
    """Read and verify one checkpoint.

    Raises ValueError, one line, if a file is missing, cut short or altered; PermissionError if this user may not read it, which
    says nothing against it.
    """
    try:
        info = json.loads((path / "checkpoint.json").read_text(encoding="utf-8"))
        if info["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {info['schema_version']}, this voxface reads {SCHEMA_VERSION}")
        for name, expected in info["checksums"].items():
            if sha256(path / name) != expected:
                raise ValueError("checksum differs from the recorded one")
        weights = safetensors.torch.load_file(path / "weights.safetensors")
        state = torch.load(path / "state.pt", map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise PermissionError(
            error.errno,
            "may not be read (permission denied). Let its owner run chmod -R a+rX on the run",
            error.filename or str(path),
        ) from None
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: damaged checkpoint ({str(error).splitlines()[0]}).") from None
    return Checkpoint(path, weights, state, info)


def part(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights below a prefix, the prefix taken off."""
    return {name.removeprefix(f"{prefix}."): w for name, w in weights.items() if name.startswith(f"{prefix}.")}


def load_part(module: nn.Module, saved: Checkpoint, prefix: str) -> None:
    """Put the weights below a prefix into a module. Raises ValueError, one line, if they are not this module's."""
    try:
        module.load_state_dict(part(saved.weights, prefix))
    except RuntimeError:
        raise ValueError(
            f"{saved.path}: its weights ({prefix}) do not fit the modules its config names; their code has changed "
            "since. Use the version it was trained with, or train anew."
        ) from None


def load_trained(module: nn.Module, saved: Checkpoint, name: str) -> None:
    """Put a trained part of another run into the same part of this model: its moving average, where the run kept one.

    name: encoder, decoder, discriminators.image, ... Raises ValueError, one line, if the run has no such part or another shape.
    """
    prefixes = (f"ema.module.{name}", f"model.generator.{name}", f"model.{name}")
    found = next((weights for prefix in prefixes if (weights := part(saved.weights, prefix))), None)
    if found is None and module.state_dict():
        raise ValueError(f"train.init_modules: {saved.path} has no {name}. Take what it has, or another run.")
    try:
        module.load_state_dict(found or {})
    except RuntimeError as error:
        first = shorten(" ".join(str(error).splitlines()[1:2]), 120)
        raise ValueError(
            f"train.init_modules: {name} of {saved.path} does not fit this recipe's ({first}). "
            "Use one architecture, and for discriminators that name identities the same corpus."
        ) from None


def corpora(saved: Checkpoint) -> list[dict[str, str]]:
    """The corpora it was trained on, its own first, then those of the runs it started from: name, checksum, path."""
    return [saved.info["corpus"] | {"path": saved.info["config"]["data"]["corpus"]}, *saved.info.get("inherited_corpora", [])]


def of_run(path: Path) -> Checkpoint:
    """The newest sound checkpoint of a run's folder, or the one checkpoint's folder given. Raises ValueError if there is none."""
    if (path / "checkpoint.json").is_file():
        return load(path)
    if not (path / "checkpoints").is_dir():
        raise ValueError(f"{path}: not a run (no checkpoints folder in it). Runs are made by voxface train.")
    loaded = load_latest(path / "checkpoints")
    if loaded is None:
        raise ValueError(f"{path}: no sound checkpoint in it. Train it further with voxface train.")
    return loaded


def load_latest(folder: Path) -> Checkpoint | None:
    """The newest sound checkpoint, or None. A damaged newer one is passed over with a warning."""
    for path in reversed(steps(folder)):
        try:
            return load(path)
        except ValueError as error:
            warnings.warn(f"{error} Falling back to the one before it.", stacklevel=2)
    return None


def steps(folder: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first."""
    there = folder.iterdir() if folder.is_dir() else ()  # glob would take a folder that may not be read for an empty one
    return sorted(path for path in there if path.name.startswith("step-") and (path / "checkpoint.json").is_file())


def prune(folder: Path, keep_last: int, best: int | None) -> None:
    """Delete all but the last keep_last checkpoints and the best one's step."""
    for path in steps(folder)[:-keep_last]:
        if best is None or path.name != f"step-{best:08d}":
            shutil.rmtree(path)


def _flush(path: Path) -> None:
    """Push a file, or a folder's entries, to the disk."""
    if sys.platform == "win32" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
