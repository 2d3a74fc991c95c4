"""What a run tells: TensorBoard and metrics.jsonl, with the tag names in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from gan.config import Config, to_dict, to_yaml
from gan.data.corpus import SAMPLE_RATE_HZ


class Logger:
    """Opened at the step training goes on from: what an interrupted run logged after it is dropped, not doubled.

    Scalars: loss/g, loss/d, loss/g/NAME, loss/d/NAME (unweighted terms), score/DISCRIMINATOR/real|fake|mismatched,
    gradient/g, gradient/d, speed/samples_per_second, learning_rate/g, metric/NAME. Images: image/real, image/fake, image/ema.
    """

    def __init__(self, folder: Path, first_step: int):
        self.scalar_file = folder / "metrics.jsonl"
        kept = []
        if self.scalar_file.exists():
            for line in self.scalar_file.read_text(encoding="utf-8").splitlines():
                try:
                    if json.loads(line)["step"] <= first_step:
                        kept.append(line + "\n")
                except ValueError:
                    pass  # a line cut short by a kill
        self.scalar_file.write_text("".join(kept), encoding="utf-8")
        self.file = open(self.scalar_file, "a", encoding="utf-8")  # noqa: SIM115 - closed in close()
        self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1 if first_step else 0)

    def scalars(self, step: int, values: Mapping[str, Tensor | float]) -> dict[str, float]:
        """One fetch from the device for all. Returns the numbers."""
        tensors = {k: v for k, v in values.items() if isinstance(v, Tensor)}
        numbers = {k: v for k, v in values.items() if not isinstance(v, Tensor)}
        if tensors:
            fetched = torch.stack([t.float().reshape(()) for t in tensors.values()]).tolist()
            numbers |= dict(zip(tensors, fetched, strict=True))
        for tag, number in numbers.items():
            self.writer.add_scalar(tag, number, step)
        self.file.write(json.dumps({"step": step} | {k: float(f"{v:.6g}") for k, v in numbers.items()}) + "\n")
        self.file.flush()
        return numbers

    def images(self, step: int, grids: Mapping[str, np.ndarray]) -> None:
        """uint8 (N, H, W, 3) each, one row of faces a tag."""
        for tag, faces in grids.items():
            self.writer.add_image(tag, np.concatenate(list(faces), axis=1), step, dataformats="HWC")

    def voices(self, waveforms: Sequence[np.ndarray], names: Sequence[str]) -> None:
        for number, (waveform, name) in enumerate(zip(waveforms, names, strict=True)):
            self.writer.add_audio(f"voice/{number}-{name}", torch.from_numpy(waveform)[None], 0, SAMPLE_RATE_HZ)

    def config(self, config: Config) -> None:
        self.writer.add_text("config", "    " + to_yaml(config).replace("\n", "\n    "), 0)

    def embeddings(self, step: int, vectors: np.ndarray, names: Sequence[str], faces: np.ndarray) -> None:
        """(N, E) speech embeddings with the speakers' names and true faces, uint8 (N, H, W, 3)."""
        pictures = torch.from_numpy(faces).movedim(-1, 1).float() / 255
        self.writer.add_embedding(vectors, list(names), pictures, step, tag="embedding")

    def hparams(self, config: Config, metrics: Mapping[str, float]) -> None:
        """The run's settings beside its final metrics, for TensorBoard's comparison of runs."""
        flat: dict[str, str | float | bool] = {}

        def walk(value: object, key: str) -> None:
            if isinstance(value, dict):
                for inner, entry in value.items():
                    walk(entry, f"{key}.{inner}" if key else str(inner))
            else:
                flat[key] = value if isinstance(value, str | float | int | bool) else str(value)

        walk({k: v for k, v in to_dict(config).items() if k not in ("evaluation", "logging")}, "")
        self.writer.add_hparams(flat, {f"final/{k}": v for k, v in metrics.items()}, run_name=".")

    def close(self) -> None:
        self.writer.close()
        self.file.close()


def tell_cell(folder: Path, axes: Mapping[str, str | int], scores: Mapping[str, float]) -> None:
    """A sweep's cell for TensorBoard's comparison: its place on the axes beside its scores."""
    with SummaryWriter(str(folder)) as writer:
        writer.add_hparams(dict(axes), dict(scores), run_name=".")
