"""voxface: train, evaluate and compare GANs that draw a face from speech."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan.run import Run

__all__ = ["load"]

# Before torch is imported, which reads it once: a thread that waits for others sleeps. By default it turns in a loop, and a
# training beside other work, on as many threads as there are cores, comes to a near stop.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def load(run: str | Path, device: str = "auto", allow_code: Sequence[str] = ()) -> Run:
    """A trained run, ready to draw: gan.load("runs/...").generate("speech.wav"). See gan.run.load."""
    from gan.build import check_not_shadowed

    check_not_shadowed()
    from gan.run import load as load_run  # torch loads only when it is needed

    return load_run(run, device, allow_code)
