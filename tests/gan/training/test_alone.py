"""Two trainings never write to one run: the second is refused in one line, and what a killed one left is free at once."""

import json
import math
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from gan.__main__ import main
from gan.lease import Lease
from gan.recipes import load
from gan.signals import Stopped
from gan.training.loop import Diverged, Trainer
from gan.training.start import train, train_at

ROOT = Path(__file__).parents[3]
MADE = ROOT / "tests" / "fixtures" / "33ff0c6"
RUN = Path("trained/recipe-abcbf983")  # at step 2
TRAIN = ["train", "recipe.yaml", "--runs", "trained"]


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(MADE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def started(*words: str, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "gan", *TRAIN, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def steps_logged() -> list[int]:
    return [json.loads(line)["step"] for line in (RUN / "metrics.jsonl").read_text().splitlines()]


def left() -> list[Path]:
    return [path for path in RUN.rglob("*") if "lease" in path.name]


def until(what) -> None:
    deadline = time.monotonic() + 60
    while not what() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert what()


@pytest.mark.slow
def test_the_second_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    lease = Lease.take(RUN / "lease.json")
    assert lease is not None
    with lease:
        assert main([*TRAIN, "train.steps=4"]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert re.fullmatch(
            rf"voxface: {RUN}: process {os.getpid()} on {platform.node()} trains it, since \d{{4}}-\S+\. "
            r"Wait for it, or stop it; if it is there no more, try again in 60 s\.\n",
            said.err,
        )
        assert steps_logged() == [1, 2]
        assert main(TRAIN) == 0  # a finished run is nobody's
        assert "Already at step 2" in capsys.readouterr().out
    assert main([*TRAIN, "train.steps=4"]) == 0
    assert steps_logged() == [1, 2, 3, 4]
    assert not left()


@pytest.mark.slow
def test_of_two_that_start_together_one_trains() -> None:
    shutil.rmtree(RUN)
    both = [started("train.steps=40") for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    codes = [process.returncode for process in both]
    # The loser is refused; or, if it was that late, finds the run trained.
    assert sorted(codes) in ([0, 0], [0, 2]), said
    assert sum("Training trained" in out for out, _ in said) == 1
    assert steps_logged() == list(range(1, 41))
    assert not left()


@pytest.mark.slow
def test_a_killed_one_is_gone_on_with_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    process = started("train.steps=1000000", "train.save_every=5")
    until(lambda: len(list(RUN.glob("checkpoints/step-*"))) > 1 or process.poll() is not None)
    process.kill()
    process.communicate()
    assert (RUN / "lease.json").exists()
    step = max(int(path.name[5:]) for path in RUN.glob("checkpoints/step-*"))
    assert main([*TRAIN, f"train.steps={step + 2}"]) == 0
    assert f"Going on with {RUN}: step {step} of {step + 2}" in capsys.readouterr().out
    assert not left()


@pytest.mark.parametrize("end", ["stopped", "diverged", "broken"])
def test_it_is_free_however_it_ends(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    true = Trainer.one_step

    def one_step(self: Trainer, batch: Any, measure: bool) -> dict[str, torch.Tensor]:
        logs = true(self, batch, measure)
        assert (self.run / "lease.json").exists()
        if end == "stopped":
            signal.raise_signal(signal.SIGTERM)
        if end == "broken":
            raise RuntimeError("a bug")
        return logs | {"loss/g": torch.tensor(math.nan)} if end == "diverged" else logs

    monkeypatch.setattr(Trainer, "one_step", one_step)
    with pytest.raises((Stopped, Diverged, RuntimeError)):
        train(load("recipe.yaml", ["train.steps=9"]), "recipe", Path("trained"))
    assert not left()


def test_train_at_holds_its_folder_too() -> None:
    lease = Lease.take(RUN / "lease.json")
    assert lease is not None
    with lease, pytest.raises(ValueError, match="trains it, since"):
        train_at(load("recipe.yaml", ["train.steps=4"]), RUN)
    assert train_at(load("recipe.yaml", ["train.steps=4"]), RUN) == RUN
    assert not left()


@pytest.mark.slow
def test_several_processes_are_one_training() -> None:
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3")
    lease = Lease.take(RUN / "lease.json")
    assert lease is not None
    with lease:
        refused = started("train.steps=4", launcher=torchrun)
        _, said = refused.communicate(timeout=120)
    assert refused.returncode != 0
    assert [line for line in said.splitlines() if line.startswith("voxface: ")] == [
        line for line in said.splitlines() if "trains it, since" in line
    ]
    assert said.count("trains it, since") == 1
    assert steps_logged() == [1, 2]
    going_on = started("train.steps=4", launcher=torchrun)
    _, said = going_on.communicate(timeout=120)
    assert going_on.returncode == 0, said
    assert steps_logged() == [1, 2, 3, 4]
    assert not left()
