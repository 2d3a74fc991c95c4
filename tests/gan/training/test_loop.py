import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan import checkpoint
from gan.config import Config, from_dict
from gan.data.corpus import Corpus
from gan.recipes import load
from gan.signals import Stopped
from gan.training.loop import Diverged, Trainer
from gan.training.start import train
from tests.recipes import SMALL


def config(recipe: str = "wav2pix-64", *overrides: str) -> Config:
    return load(
        recipe,
        [
            *SMALL[recipe],
            "data.corpus=toy:tiny",
            "train.batch_size=4",
            "train.steps=7",
            "train.save_every=2",
            "train.device=cpu",
            "logging.images_every=3",
            "logging.num_images=2",
            "logging.embeddings=5",
            *overrides,
        ],
    )


def final_weights(run: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(checkpoint.steps(run / "checkpoints")[-1] / "weights.safetensors")


def same(a: Path, b: Path) -> bool:
    first, second = final_weights(a), final_weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def broken_at(step: int, monkeypatch: pytest.MonkeyPatch, action) -> None:
    """Training runs into `action` in place of the given step, once."""
    original = Trainer.one_step

    def one_step(self: Trainer, batch, measure: bool):
        if self.step == step:
            monkeypatch.setattr(Trainer, "one_step", original)
            action()
        return original(self, batch, measure)

    monkeypatch.setattr(Trainer, "one_step", one_step)


@pytest.mark.floor
@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        ("wav2pix-64", ["train.ema_decay=0.9"]),
        ("sf2f-64", ["optimizer.decay_from=2", "train.freeze_norm_from=4", "train.initialisation=normal"]),
    ],
)
@pytest.mark.parametrize("at", [1, 3, 6])
def test_a_resumed_run_equals_an_undisturbed_one(
    recipe: str, overrides: list[str], at: int, tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(config(recipe, *overrides), "r", tmp_path / "whole")

    def crash() -> None:
        raise RuntimeError("killed")

    broken_at(at, monkeypatch, crash)
    with pytest.raises(RuntimeError, match="killed"):
        train(config(recipe, *overrides), "r", tmp_path / "broken")
    resumed = train(config(recipe, *overrides), "r", tmp_path / "broken")
    assert same(whole, resumed)
    logged = [json.loads(line)["step"] for line in (resumed / "metrics.jsonl").read_text().splitlines()]
    assert logged == sorted(set(logged))


KILLED = """
import os, signal
from pathlib import Path
from gan.training.loop import Trainer
from gan.training.start import train
from tests.gan.training.test_loop import config
original = Trainer.one_step
def one_step(self, batch, measure):
    if self.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, batch, measure)
Trainer.one_step = one_step
train(config(), "r", Path({runs!r}))
"""


@pytest.mark.floor
@pytest.mark.slow
def test_kill_9_and_resume(tiny: Corpus, tmp_path: Path) -> None:
    whole = train(config("wav2pix-64", f"train.threads={torch.get_num_threads()}"), "r", tmp_path / "whole")
    script = KILLED.format(runs=str(tmp_path / "killed"))
    killed = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, cwd=Path(__file__).parents[3])
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    resumed = train(config("wav2pix-64", f"train.threads={torch.get_num_threads()}"), "r", tmp_path / "killed")
    assert same(whole, resumed)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_save_and_stop(number: signal.Signals, tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(number)
    broken_at(2, monkeypatch, lambda: signal.raise_signal(number))
    with pytest.raises(Stopped) as stopped:
        train(config("wav2pix-64", "train.save_every=100"), "r", tmp_path / "stopped")
    assert stopped.value.signal == number
    assert signal.getsignal(number) == before
    run = next((tmp_path / "stopped").iterdir())
    assert [p.name for p in checkpoint.steps(run / "checkpoints")] == ["step-00000003"]
    whole = train(config(), "r", tmp_path / "whole")
    assert same(whole, train(config(), "r", tmp_path / "stopped"))


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_and_is_never_saved(
    tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Trainer.one_step

    def one_step(self: Trainer, batch, measure: bool):
        if self.step == 3:
            batch = batch._replace(face=batch.face * float("nan"))
        return original(self, batch, measure)

    monkeypatch.setattr(Trainer, "one_step", one_step)
    with pytest.raises(Diverged, match=r"step 4.*checkpoint: .*step-00000002") as error:
        train(config(), "r", tmp_path)
    assert "\n" not in str(error.value)
    run = next(tmp_path.iterdir())
    saved = checkpoint.load_latest(run / "checkpoints")
    assert saved.step == 2
    assert all(w.isfinite().all() for w in saved.weights.values())


@pytest.mark.slow
def test_more_steps_go_on_and_the_same_steps_do_nothing(tiny: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = train(config("wav2pix-64", "train.steps=3"), "r", tmp_path)
    longer = train(config("wav2pix-64", "train.steps=7"), "r", tmp_path)
    assert short == longer
    assert same(longer, train(config(), "r", tmp_path / "whole"))
    train(config("wav2pix-64", "train.steps=7"), "r", tmp_path)
    assert "Already at step 7" in capsys.readouterr().out


@pytest.mark.floor
@pytest.mark.slow
def test_what_a_run_leaves(tiny: Corpus, tmp_path: Path) -> None:
    run = train(
        config("wav2pix-64", "train.ema_decay=0.9", "train.validate_every=4", "evaluation.runs=1", "train.keep_last=1"),
        "r",
        tmp_path,
    )
    assert from_dict(yaml.safe_load((run / "config.yaml").read_text())).train.ema_decay == 0.9
    assert {"torch", "commit", "threads"} <= set(json.loads((run / "environment.json").read_text()))
    best = json.loads((run / "best.json").read_text())
    assert best["step"] == 4
    assert best["metric"] == "l1"
    assert [p.name for p in checkpoint.steps(run / "checkpoints")] == ["step-00000004", "step-00000007"]
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "audio": 0})
    events.Reload()
    tags = events.Tags()
    assert {
        "loss/g",
        "loss/d",
        "loss/g/pixel",
        "score/conditional/real",
        "score/conditional/fake",
        "gradient/g",
        "score/conditional/mismatched",
        "gradient/d",
        "speed/samples_per_second",
        "metric/l1",
    } <= set(tags["scalars"])
    assert {"image/real", "image/fake", "image/ema"} <= set(tags["images"])
    assert len(tags["audio"]) == 2
    assert any(tag.startswith("config") for tag in tags["tensors"])
    assert list((run / "tensorboard").rglob("*.tsv"))
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 7


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["train.best.metric=nothing", "train.validate_every=1"], "train.best.metric"),
        (["train.validate_metrics=[nothing]", "train.validate_every=1"], "train.validate_metrics"),
        (["optimizer.decay_spares=[nobody]"], "no discriminator nobody"),
        (["train.device=cuda:99"], "train.device: cuda:99"),
        (["train.device=abacus"], "train.device: abacus"),
        (["data.corpus=nowhere"], "nowhere has no corpus.json"),
        (["data.corpus=toy:tinny"], "Did you mean tiny?"),
        (["losses.adversarial.discriminators=[image]"], "losses.adversarial.discriminators: no discriminator image"),
        (["discriminators.conditional.image_size=128"], "decoder.image_size is 64 px"),
        (["data.clip_seconds=[1.0, 1.0]"], "encoder.num_samples is 4096"),
    ],
)
def test_mistakes_are_named(overrides: list[str], said: str, tiny: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as error:
        train(config("wav2pix-64", *overrides), "r", tmp_path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "steps", "factors"),
    [
        ([], [0, 1, 6, 99], [1, 1, 1, 1]),
        # From step 2 of 10 down to a fifth: each step a tenth less.
        (["optimizer.decay_from=2", "optimizer.decay_to=0.2"], [0, 2, 3, 6, 9, 10], [1, 1, 0.9, 0.6, 0.3, 0.2]),
        (["optimizer.decay_from=0"], [0, 5, 10], [1, 0.5005, 0.001]),
        (["optimizer.decay_from=10"], [0, 9, 10], [1, 1, 1]),
        (["optimizer.inverse_decay=0.5"], [0, 1, 2, 6, 18], [1, 2 / 3, 0.5, 0.25, 0.1]),
        (["optimizer.step_decay=[0.5, 3]"], [0, 2, 3, 5, 6, 9], [1, 1, 0.5, 0.5, 0.25, 0.125]),
        (["optimizer.step_decay=[0.95, 1]"], [0, 1, 2], [1, 0.95, 0.9025]),
    ],
)
def test_learning_rates_by_hand(
    overrides: list[str], steps: list[int], factors: list[float], tiny: Corpus, tmp_path: Path
) -> None:
    """Of both halves, in any order of steps (a run goes on anywhere); a spared discriminator keeps its own."""
    made = Trainer(
        config(
            "sf2f-64",
            "train.steps=10",
            "optimizer.generator.learning_rate=0.4",
            "optimizer.discriminator.learning_rate=0.8",
            "optimizer.decay_spares=[identity]",
            "optimizer.decay_from=null",
            *overrides,
        ),
        tiny,
        tmp_path,
        torch.device("cpu"),
    )
    names = list(made.model.discriminators)
    for step, factor in [*zip(steps, factors, strict=True), (steps[0], factors[0])]:
        made.step = step
        made._schedule()
        assert [group["lr"] for group in made.optimizers.generator.param_groups] == pytest.approx([0.4 * factor])
        rates = dict(zip(names, (group["lr"] for group in made.optimizers.discriminator.param_groups), strict=True))
        assert rates == pytest.approx({"image": 0.8 * factor, "identity": 0.8})


@pytest.mark.parametrize(
    "schedules",
    [
        ["decay_from=2", "inverse_decay=0.5"],
        ["decay_from=0", "step_decay=[0.5, 3]"],
        ["inverse_decay=0.0", "step_decay=[0.5, 3]"],
        ["decay_from=2", "inverse_decay=0.5", "step_decay=[0.5, 3]"],
    ],
)
def test_schedules_exclude_each_other(schedules: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^optimizer: decay_from, inverse_decay and step_decay") as error:
        config("sf2f-64", "optimizer.decay_from=null", *(f"optimizer.{schedule}" for schedule in schedules))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("came", ["[0.5]", "[0.5, 3, 1]", "[0.5, 0]", "[]"])
def test_a_step_decay_is_a_factor_and_a_number_of_steps(came: str) -> None:
    with pytest.raises(ValueError, match=r"^optimizer.step_decay: .*\[factor, steps\]"):
        config("sf2f-64", "optimizer.decay_from=null", f"optimizer.step_decay={came}")


@pytest.mark.filterwarnings("ignore")  # the compiler's own
@pytest.mark.parametrize(
    ("recipe", "key"),
    [
        ("sf2f-64", "train.precision=bfloat16"),
        ("sf2f-64", "train.channels_last=true"),
        pytest.param(
            "wav2pix-64",
            "train.compile=true",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler"),
            ],
        ),
    ],
)
def test_fast_paths_learn_the_same(recipe: str, key: str, tiny: Corpus, tmp_path: Path) -> None:
    """These keys are other roundings of the same training: losses agree to a few percent after some steps."""
    # Nothing is drawn in between: that would be compiled once more, in evaluation mode.
    still = ["decoder.dropout=0.0"] if recipe == "wav2pix-64" else []

    def losses(*extra: str) -> list[float]:
        silent = ["logging.scalars_every=7", "logging.num_images=0", "logging.embeddings=0"]
        run = train(config(recipe, *silent, *still, *extra), "r", tmp_path / "-".join(extra or ["plain"]))
        last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
        return [last["loss/g/pixel"], last["loss/d"]]

    assert losses(key) == pytest.approx(losses(), rel=0.05)


@pytest.mark.slow
def test_overfits_four_pairs(tiny: Corpus, tmp_path: Path) -> None:
    """The machinery learns: pixel loss on a handful of speakers falls far below its start."""
    run = train(
        config(
            "sf2f-64",
            "train.steps=60",
            "train.save_every=60",
            "logging.images_every=60",
            "decoder.width=64",
            "optimizer.generator.learning_rate=0.01",
        ),
        "r",
        tmp_path,
    )
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["loss/g/pixel"] < 0.6 * lines[0]["loss/g/pixel"]


@pytest.mark.slow
def test_a_step_is_validated_before_it_is_saved(tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in between, a run that went on from it would have no value of it."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_validate", killed)
    with pytest.raises(KeyboardInterrupt):
        train(config("wav2pix-64", "train.validate_every=2"), "wav2pix-64", tmp_path)
    assert not list(tmp_path.glob("*/checkpoints/step-*"))


def test_every_training_seed_draws_its_own_noise(tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[int, list[float]] = {}
    for seed in (0, 1, 2):
        made = Trainer(config("wav2pix-64", f"train.seed={seed}"), tiny, tmp_path, torch.device("cpu"))
        values = drawn.setdefault(seed, [])
        monkeypatch.setattr("gan.training.loop.gan_step", lambda *_, values=values: values.append(float(torch.rand(()))) or {})
        for step in range(3):
            made.one_step(made.batches[step], measure=False)
    assert len({value for values in drawn.values() for value in values}) == 9
