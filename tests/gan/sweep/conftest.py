from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan.config import load
from gan.data.corpus import Corpus
from gan.sweep.plan import Plan, plan

# Nothing but L1 is trained on or scored: what a sweep does with cells does not depend on what is in them.
QUICK: dict[str, Any] = {
    "base": "sf2f-64-tiny",
    "set": {"data.corpus": "toy:tiny", "losses.perceptual": None, "train.steps": 6, "train.device": "cpu", "logging.embeddings": 0,
            "logging.num_images": 2, "logging.scalars_every": 1},
    "evaluate": {"runs": 1, "seconds": [0.5],
                 **{f"metrics.{name}": None for name in load("sf2f-64-tiny").evaluation.metrics if name != "l1"}}}


@pytest.fixture(scope="session")
def quick(tiny: Corpus) -> Callable[..., Plan]:
    """A sweep of tiny cells; sections given are merged over those of QUICK."""
    def made(folder: Path = Path(), **sections: Any) -> Plan:
        values = QUICK | sections
        for key in ("set", "evaluate"):
            values[key] = QUICK[key] | sections.get(key, {})
        return plan(values, "quick", folder)
    return made
