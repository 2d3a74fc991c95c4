import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan.data.corpus import Corpus
from gan.recipes import load
from gan.sweep.folder import Place, place
from gan.sweep.plan import Plan, Task, plan

# Nothing but L1 is trained on or scored: what a sweep does with cells does not depend on what is in them.
QUICK: dict[str, Any] = {
    "base": "sf2f-64-tiny",
    "set": {
        "data.corpus": "toy:tiny",
        "losses.perceptual": None,
        "train.steps": 6,
        "train.device": "cpu",
        "logging.embeddings": 0,
        "logging.num_images": 2,
        "logging.scalars_every": 1,
    },
    "evaluate": {
        "runs": 1,
        "seconds": [0.5],
        **{f"metrics.{name}": None for name in load("sf2f-64-tiny").evaluation.metrics if name != "l1"},
    },
}


@pytest.fixture(scope="session")
def quick(tiny: Corpus) -> Callable[..., Plan]:
    """A sweep of tiny cells; sections given are merged over those of QUICK."""

    def made(folder: Path = Path(), **sections: Any) -> Plan:
        values = QUICK | sections
        for key in ("set", "evaluate"):
            values[key] = QUICK[key] | sections.get(key, {})
        return plan(values, "quick", folder)

    return made


def row(system: str, control: bool = False, **changes: Any) -> dict[str, Any]:
    """A results row as an evaluation within a task writes it."""
    return (
        dict(
            system=system,
            recipe=system,
            control=control,
            run="run",
            step=6,
            weights="w",
            training_seed=0,
            trained_against=[],
            corpus="toy:tiny",
            corpus_checksum="c",
            split="unseen_speech",
            results_version=1,
            protocol=dict(name="default", runs=1, seconds=0.5, seed=0, face_size=64, speakers=3, num_faces=3, gallery=3),
            metric="l1",
            value=0.5,
            interval=[0.4, 0.6],
            chance=None,
            upper=None,
            extractor="pixels",
            note="",
            higher_is_better=False,
        )
        | changes
    )


def finish(folder: Path, task: Task, value: float = 0.5) -> Place:
    """A task's folder as it is once the task is done."""
    here = place(folder, task)
    here.write(task)
    if task.kind == "stage":
        here.finish(train_seconds=3.0)
        return here
    systems = [("run", False), ("shuffled run", True)] if task.kind == "cell" else [("noise", True)]
    (here.results / "scores").mkdir(parents=True)
    for name, _ in systems:
        np.savez(
            here.results / "scores" / f"{name}.npz",
            speaker=np.arange(3),
            clip=np.arange(3),
            run=np.zeros(3),
            value=np.arange(3.0),
        )
    (here.results / "results.jsonl").write_text(
        "".join(
            json.dumps(row(name, control, value=value, training_seed=task.seed, scores=f"scores/{name}.npz")) + "\n"
            for name, control in systems
        ),
        encoding="utf-8",
    )
    here.finish(train_seconds=7.0, evaluate_seconds=60.0)
    return here


def log_steps(here: Place, steps: int, samples_per_second: float = 8.0) -> None:
    """As far as a training has come."""
    here.run.mkdir(parents=True, exist_ok=True)
    (here.run / "metrics.jsonl").write_text(
        "".join(
            json.dumps({"step": step, "loss/g": 1.0, "speed/samples_per_second": samples_per_second}) + "\n"
            for step in range(1, steps + 1)
        ),
        encoding="utf-8",
    )
