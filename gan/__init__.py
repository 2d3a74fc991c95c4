"""voxface: train, evaluate and compare GANs that draw a face from speech."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan.run import Run

__all__ = ["load"]


def load(run: str | Path, device: str = "auto", allow_code: Sequence[str] = ()) -> Run:
    """A trained run, ready to draw: gan.load("runs/...").generate(waveform). See gan.run.load."""
    from gan.build import check_not_shadowed

    check_not_shadowed()
    from gan.run import load as load_run  # torch loads only when it is needed

    return load_run(run, device, allow_code)
