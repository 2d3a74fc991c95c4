from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import gan
from gan.config import Config, Data
from gan.data.corpus import SAMPLE_RATE_HZ, Corpus
from gan.experiments._study import Study
from gan.run import Run


def paint(waveform: np.ndarray) -> np.ndarray:
    """uint8 (64, 64, 3): a picture that tells two waveforms apart and says nothing else of them."""
    parts = [np.sqrt(np.square(part).mean()) if len(part) else 0.0 for part in np.array_split(waveform, 3)]
    colour = (np.array(parts) * 1e4).astype(int) % 256
    return np.broadcast_to(colour.astype(np.uint8), (64, 64, 3)).copy()


@dataclass
class Painter:
    """Stands in for a run whose faces are known: `paint`. drawn: what it was asked for, call by call."""

    seconds: float = 0.5
    input_frames: int | None = None
    drawn: list[list[np.ndarray]] = field(default_factory=list)
    path: Path = Path("runs/painter")
    step: int = 7

    def __post_init__(self) -> None:
        self.config = Config(data=Data(corpus="toy:tiny", clip_seconds=[self.seconds, self.seconds]))
        self.corpus: dict[str, str] = {}
        self.generator: Any = SimpleNamespace(
            image_sizes=(64,),
            fuser=None,
            decoder=object(),
            window_samples=round(self.seconds * SAMPLE_RATE_HZ),
            encoder=SimpleNamespace(input_frames=self.input_frames, min_frames=1),
            features=self,
            parameters=lambda: iter([torch.zeros(1)]),
        )

    reads = "waveform"

    def samples(self, frames: int) -> int:
        return frames

    def __call__(self, waveform: torch.Tensor, num_samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return waveform[:, None], num_samples

    def draw(self, waveforms: list[np.ndarray], batch_size: int, seed: int) -> np.ndarray:
        self.drawn.append(list(waveforms))
        return np.stack([paint(waveform) for waveform in waveforms])


@pytest.fixture
def painter(tiny: Corpus) -> Painter:
    made = Painter()
    made.corpus = {"name": tiny.name, "checksum": tiny.checksum}
    return made


def study(run: Any, corpus: Corpus, **given: Any) -> Study:
    return Study(run, corpus, **given)


@pytest.fixture(scope="session")
def loaded(runs: dict[str, Path]) -> dict[str, Run]:
    """The tiny runs by family: `segan` reads one length and draws noise, the other reads any length and draws none."""
    found: dict[str, Run] = {}
    for path in runs.values():
        run = gan.load(path, device="cpu")
        if run.generator.decoder is not None and run.generator.fuser is None and run.generator.features.reads == "waveform":
            found.setdefault("free" if run.generator.encoder.input_frames is None else "fixed", run)
    return found
