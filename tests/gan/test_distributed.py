"""Several processes train as one. Most of it is tried by real processes, which torchrun starts on this very file: see SCENES."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from gan import checkpoint, distributed
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.recipes import load
from gan.training.loop import Trainer
from gan.training.start import train

QUICK = ["data.corpus=toy:tiny", "train.device=cpu", "train.threads=1", "logging.num_images=2", "logging.embeddings=0"]
ALONE = ["train.init_from=null", "train.init_modules=[]", "train.frozen=[]"]
PENALTIES = [
    "losses.r1={name: r1, discriminators: [image]}",
    "losses.gp={name: gradient_penalty, discriminators: [image]}",
    "losses.perceptual=null",
]
TRANSFORMER = ["encoder={name: transformer, embedding_dim: 16}", "train.freeze_norm_from=null"]

SMOOTH = ["optimizer.generator.epsilon=0.01", "optimizer.discriminator.epsilon=0.01"]

# Recipe, what is changed of it, type of the numbers, steps. In float32 what one process and two compute differs by rounding, and
# Adam blows that up where a gradient is next to nothing, unless it is SMOOTH; in float64 every recipe can be compared to the end.
CASES: dict[str, tuple[str, list[str], torch.dtype, int]] = {
    "noise, in-batch statistics, logits' batch norm": ("wav2pix-64-tiny", [], torch.float64, 3),
    "batch norm in a discriminator, frozen norm": ("sf2f-64-tiny", ["losses.perceptual=null"], torch.float64, 3),
    "other speakers' faces, no batch norm": ("voice2face-tiny", ALONE, torch.float64, 3),
    "an encoder alone": ("voice2face-speaker-tiny", [], torch.float64, 3),
    "segments: not equally many each": ("sf2f-64-fuser-tiny", [*ALONE, "losses.perceptual=null"], torch.float64, 3),
    "attention's dropout": ("sf2f-64-tiny", [*TRANSFORMER, "losses.perceptual=null"], torch.float64, 3),
    "gradients of gradients through batch norm": ("sf2f-64-tiny", [*PENALTIES, *SMOOTH], torch.float32, 1),
    "clipped": ("roldan-tiny", ["optimizer.clip_gradient=0.1", *SMOOTH], torch.float32, 3),
}


_DRAWS: dict[Any, Callable[[torch.Tensor, torch.Generator, tuple], torch.Tensor]] = {
    torch.ops.aten.rand.default: lambda whole, generator, _: whole.uniform_(generator=generator),
    torch.ops.aten.randn_like.default: lambda whole, generator, _: whole.normal_(generator=generator),
    torch.ops.aten.bernoulli_.float: lambda whole, generator, args: whole.bernoulli_(*args[1:2], generator=generator),
}


class NoiseOfOneProcess(TorchDispatchMode):
    """Draws noise for the whole batch, as one process would, and keeps this process's rows of it."""

    rows = 0
    generator = torch.Generator()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        drawn = func(*args, **(kwargs or {}))
        if func in _DRAWS and len(drawn) == self.rows:
            # Laid out as it is: numbers are drawn in the order of the memory.
            order = sorted(range(drawn.ndim), key=drawn.stride, reverse=True)
            whole = torch.empty_permuted((distributed.size() * self.rows, *drawn.shape[1:]), order, dtype=drawn.dtype)
            _DRAWS[func](whole, self.generator, args)
            drawn.copy_(whole[distributed.rank() * self.rows :][: self.rows])
        return drawn


def draw_noise_as_one_process() -> None:
    """From here on, in this process: so that what several compute can be compared with what one does."""
    mode, one_step = NoiseOfOneProcess(), Trainer.one_step

    def step_with_noise_of_one(self: Trainer, batch: Any, measure: bool) -> dict[str, torch.Tensor]:
        mode.rows = len(batch.face)
        with mode:
            return one_step(self, batch, measure)

    distributed.seed_noise = mode.generator.manual_seed  # type: ignore[assignment]
    Trainer.one_step = step_with_noise_of_one  # type: ignore[method-assign]


def steps_of(recipe: str, overrides: list[str], dtype: torch.dtype, steps: int) -> dict[str, dict[str, torch.Tensor]]:
    """Some steps of a recipe: every gradient, the log's means, and the weights and statistics after them."""
    config = load(recipe, [*QUICK, *overrides])
    trainer = Trainer(config, open_corpus("toy:tiny"), Path("nowhere"), torch.device("cpu"))
    generator = trainer.model.generator
    if dtype == torch.float64:  # features stay as they are: they are each item's own
        for part in (generator.encoder, generator.fuser, generator.decoder, trainer.model.discriminators, trainer.losses):
            if part is not None:
                part.double()
        generator.features.register_forward_hook(lambda _, __, found: (found[0].double(), found[1]))
    gradients: dict[str, torch.Tensor] = {}

    def remember(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        half = "generator" if optimizer is trainer.optimizers.generator else "discriminator"
        for number, parameter in enumerate(p for group in optimizer.param_groups for p in group["params"]):
            if parameter.grad is not None:
                gradients[f"{half}, step {trainer.step}, {number}"] = parameter.grad.clone()

    for optimizer in (trainer.optimizers.generator, trainer.optimizers.discriminator):
        if optimizer is not None:
            optimizer.register_step_pre_hook(remember)
    trainer.training_mode()
    for step in range(steps):
        batch = trainer.batches[step]
        logs = trainer.one_step(batch._replace(face=batch.face.to(dtype), mismatched_face=batch.mismatched_face.to(dtype)), True)
    return {"gradients": gradients, "logs": distributed.means(logs), "weights": trainer.weights()}


# -- what the processes do ---------------------------------------------------------------------------------------------


def compare(folder: Path) -> None:
    draw_noise_as_one_process()
    with distributed.joined():
        assert distributed.size() == 2
        with distributed.first():
            assert (folder / "first").exists() is bool(distributed.rank())
            (folder / "first").touch()
        found = {name: steps_of(*case) for name, case in CASES.items()}
        torch.save(found, folder / f"{distributed.rank()}.pt")
        with distributed.joined():  # a stage's training within a training
            assert distributed.size() == 2
        train(resumed(3), "r", folder / "runs")
        print("one line")
    assert distributed.size() == 1


def go_on(folder: Path) -> None:
    draw_noise_as_one_process()
    with distributed.joined():
        train(resumed(7), "r", folder / "runs")


def resumed(steps: int):
    """A run whose float32 rounding stays rounding."""
    return load(
        "sf2f-v2f-baseline-tiny",
        [*QUICK, *SMOOTH, f"train.steps={steps}", "train.save_every=2", "logging.scalars_every=1", "optimizer.decay_from=null"],
    )


def disturbed(folder: Path) -> None:
    """Something befalls the second process at step 3."""
    from gan.__main__ import main

    original = Trainer.one_step

    def one_step(self: Trainer, batch: Any, measure: bool) -> dict[str, torch.Tensor]:
        if self.step == 3 and distributed.rank() == 1:
            match folder.name:
                case "damage":
                    raise ValueError("clip 7 is damaged.")
                case "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "stop":
                    os.kill(os.getpid(), signal.SIGTERM)
                case "launcher":
                    os.kill(os.getppid(), signal.SIGTERM)
                case "nan":
                    batch = batch._replace(waveform=batch.waveform * float("nan"))
        return original(self, batch, measure)

    Trainer.one_step = one_step  # type: ignore[method-assign]
    sys.exit(
        main(
            [
                "train",
                "voice2face-speaker-tiny",
                "--runs",
                str(folder / "runs"),
                *QUICK,
                "train.steps=6",
                "train.save_every=2",
                f"train.batch_size={3 if folder.name == 'odd' else 4}",
            ]
        )
    )


SCENES = {scene.__name__: scene for scene in (compare, go_on, disturbed)}


# -- the tests ---------------------------------------------------------------------------------------------------------


def torchrun(scene: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            "-m",
            "tests.gan.test_distributed",
            scene,
            str(folder),
        ],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def together(tiny: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes left what `compare` finds."""
    folder = tmp_path_factory.mktemp("together")
    ended = torchrun("compare", folder)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("one line") == 1  # only the first process speaks
    return folder


def close(found: torch.Tensor, expected: torch.Tensor, largest: float | None = None) -> bool:
    """Within 1e-5; where there are numbers above 1, within that part of the largest, or of what is given as such."""
    scale = max(1.0, float(expected.double().abs().max()) if largest is None else largest)
    return bool((found.double() - expected.double()).abs().max() <= 1e-5 * scale)


@pytest.fixture
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.floor
@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_processes_step_as_one(name: str, together: Path, one_thread: None) -> None:
    """Gradients, logs, weights and statistics, noise included; and what the two hold is the same to the bit."""
    alone = steps_of(*CASES[name])
    first, second = (torch.load(together / f"{rank}.pt")[name] for rank in (0, 1))
    for kind in alone:
        assert alone[kind].keys() == first[kind].keys() == second[kind].keys()
        for key, expected in alone[kind].items():
            assert torch.equal(first[kind][key], second[kind][key]), key
            # A bias before batch norm has a gradient of nothing but the rounding of those it goes on to.
            half = key.rpartition(", ")[0]
            assert close(first[kind][key], expected, largest_of(alone[kind], half) if kind == "gradients" else None), key


def largest_of(gradients: dict[str, torch.Tensor], half: str) -> float:
    return max(float(gradient.abs().max()) for key, gradient in gradients.items() if key.startswith(f"{half}, "))


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(together: Path, tmp_path: Path, one_thread: None) -> None:
    """Two processes, then one, then two: as one all through."""
    (run,) = (together / "runs").iterdir()
    assert json.loads((run / "environment.json").read_text())["processes"] == 2
    assert train(resumed(5), "r", together / "runs") == run
    assert json.loads((run / "environment.json").read_text())["processes"] == 1
    ended = torchrun("go_on", together)
    assert ended.returncode == 0, ended.stderr
    whole = train(resumed(7), "r", tmp_path)
    assert whole.name == run.name
    expected, found = (checkpoint.of_run(path) for path in (whole, run))
    assert found.step == 7
    assert all(close(found.weights[k], expected.weights[k]) for k in expected.weights)
    told, unbroken = ([json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()] for path in (run, whole))
    assert [line["step"] for line in told] == list(range(1, 8))
    assert [line["loss/g"] for line in told] == pytest.approx([line["loss/g"] for line in unbroken], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "said", "saved"),
    [
        ("damage", "clip 7 is damaged.", 2),
        ("kill", "A process of this training was killed.*", 2),
        ("nan", "A loss was not finite at step 4; nothing after it was saved.*", 2),
        ("stop", "Stopped at step 4; saved.*", 4),
        ("launcher", "Stopped at step 4; saved.*", 4),
        ("odd", r"train\.batch_size: 3 came with 2 processes, which share it\. Allowed: a multiple of their number\.", 0),
    ],
)
def test_what_befalls_one_ends_all_with_one_message(what: str, said: str, saved: int, tiny: Corpus, tmp_path: Path) -> None:
    ended = torchrun("disturbed", tmp_path / what)
    assert ended.returncode == 1
    assert re.fullmatch(said, "\n".join(re.findall("^voxface: (.*)$", ended.stderr, re.MULTILINE))), ended.stderr
    steps = [path.name for path in sorted((tmp_path / what).glob("runs/*/checkpoints/step-*"))]
    assert steps[-1:] == ([f"step-{saved:08d}"] if saved else [])


@pytest.fixture(params=[0, 1])
def one_of_two(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """This process believes to be the first, or the second, of two."""
    monkeypatch.setattr(distributed, "size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: request.param)
    return request.param


def test_noise_differs_from_process_to_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """And from step to step, but not from run to run."""
    monkeypatch.setattr(distributed, "size", lambda: 2)
    drawn = []
    for rank, seed in ((0, 7), (1, 7), (0, 8), (0, 7)):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        distributed.seed_noise(seed)
        drawn.append(tuple(torch.rand(50).tolist()))
    assert len(set(drawn[:3])) == 3
    assert drawn[3] == drawn[0]


def test_one_process_draws_what_torch_draws_from_the_seed() -> None:
    distributed.seed_noise(7)
    assert torch.equal(torch.randn(9), torch.randn(9, generator=torch.Generator().manual_seed(7)))


def test_batch_norm_that_cannot_be_shared_is_refused(one_of_two: int) -> None:
    shared = nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm2d(3))
    distributed.share_batch_norm(shared)
    assert isinstance(shared[1], nn.BatchNorm2d)  # a component may ask
    for layer in (nn.BatchNorm3d(3), nn.SyncBatchNorm(3), nn.LazyBatchNorm2d(), nn.BatchNorm2d(3, track_running_stats=False)):
        with pytest.raises(ValueError, match=f"^{type(layer).__name__} .*several processes"):
            distributed.share_batch_norm(nn.Sequential(layer))


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("cuda:1", r"train\.device: cuda:1 .*2 processes.*cuda or auto"),
        ("cuda", r"train\.device: 2 processes .*1 GPUs.*--nproc-per-node 1"),
    ],
)
def test_each_process_needs_a_gpu(device: str, said: str, one_of_two: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match=said):
        distributed.own_device(torch.device(device))
    assert distributed.own_device(torch.device("cpu")) == torch.device("cpu")


if __name__ == "__main__":
    SCENES[sys.argv[1]](Path(sys.argv[2]))
