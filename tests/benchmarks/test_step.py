"""The reference steps train as the framework's own step does: else the ratios would compare different things."""

import json
from pathlib import Path

import pytest
import torch
from torch.optim import SGD

from benchmarks import step
from benchmarks.step import sf2f_reference, trainer, wav2pix_reference
from evaluation.face_nets.residual import Residual
from gan.data.corpus import Corpus
from gan.losses import perceptual
from gan.training.loop import Trainer
from gan.training.step import Optimizers, gan_step

WAV2PIX = [
    "encoder={name: segan, num_samples: 4096, channels: [4, 8], hidden: [8]}",
    "data.clip_seconds=[0.256, 0.256]",
    "decoder.width=4",
    "decoder.dropout=0.0",
    "discriminators.conditional.width=4",
    "train.batch_size=4",
]
SF2F = [
    "encoder={name: inception1d, channels: [8], embedding_dim: 16}",
    "data.clip_seconds=[0.3, 0.4]",
    "decoder.width=16",
    "discriminators.image.width=4",
    "discriminators.identity.width=4",
    "losses.perceptual.network=corpus",
    "train.batch_size=4",
]


@pytest.fixture(autouse=True)
def small_face_net(monkeypatch: pytest.MonkeyPatch) -> None:
    def network(*_: object) -> Residual:
        torch.manual_seed(0)
        return Residual(12, width=4).eval().requires_grad_(False)

    monkeypatch.setattr(perceptual, "picture_net", network)


def generator_parameters(made: Trainer) -> list[torch.nn.Parameter]:
    return [*made.model.generator.parameters(), *made.losses.parameters()]


def own_step(made: Trainer) -> None:
    """By plain gradient descent, since Adam's first step is a sign, which a gradient's last digit decides."""
    optimizers = Optimizers(SGD(generator_parameters(made), lr=1e-3), SGD(made.model.discriminators.parameters(), lr=1e-3))
    gan_step(made.model, made.losses, optimizers, made.batches[0], made.config.train.update_order)


@torch.no_grad()
def assert_moved_alike(start: Trainer, own: Trainer, reference: Trainer) -> None:
    before, theirs = dict(start.model.named_parameters()), dict(reference.model.named_parameters())
    moved = {name: weight - before[name] for name, weight in own.model.named_parameters()}
    # A bias in front of batch norm has no gradient but rounding.
    assert all(change.abs().max() > 0 for name, change in moved.items() if name.endswith("weight"))
    for name, change in moved.items():
        tolerance = 1e-7 + 0.01 * float(change.abs().max())
        assert torch.allclose(change, theirs[name] - before[name], rtol=0.0, atol=tolerance), name


@pytest.mark.parametrize("detach", [False, True])
def test_wav2pix_reference_equals_the_own_step(detach: bool, tiny: Corpus) -> None:
    start, own, reference = (trainer("wav2pix-64", tiny, WAV2PIX) for _ in range(3))
    for made in (own, reference):  # spectral norm stands still: else it would depend on the number of passes
        made.model.discriminators.eval()
        made.model.generator.decoder.eval()
    own_step(own)
    descents = {
        "generator": SGD(generator_parameters(reference), lr=1e-3),
        "discriminator": SGD(reference.model.discriminators.parameters(), lr=1e-3),
    }
    wav2pix_reference(reference.model, reference.losses, descents, reference.batches[0], detach)
    assert_moved_alike(start, own, reference)


def test_sf2f_reference_equals_the_own_step(tiny: Corpus) -> None:
    start, own, reference = (trainer("sf2f-64", tiny, SF2F) for _ in range(3))
    own_step(own)
    descents = {
        "generator": SGD(generator_parameters(reference), lr=1e-3),
        **{name: SGD(module.parameters(), lr=1e-3) for name, module in reference.model.discriminators.items()},
    }
    face_net = step._corpus_net(tiny).requires_grad_(True)
    sf2f_reference(reference.model, face_net, descents, reference.batches[0])
    assert_moved_alike(start, own, reference)
    assert face_net.stem[0].weight.grad is not None  # as published, and for nothing


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "overrides", "contenders"), [("wav2pix-64", WAV2PIX, 3), ("sf2f-64", SF2F, 7)])
def test_one_row_a_contender(
    recipe: str, overrides: list[str], contenders: int, tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "_random_facenet", step._corpus_net)  # FaceNet itself takes seconds
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    step.main([recipe, "data.corpus=toy:tiny", *overrides, "--repetitions", "1", "--results", str(tmp_path / "results.jsonl")])
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert len(rows) == len({row["contender"] for row in rows}) == contenders
    for row in rows:
        assert row["recipe"] == recipe
        assert row["batch_size"] == 4
        assert all(value > 0 for value in row["seconds"] + row["times_slower"])
        assert row["against"] in {other["contender"] for other in rows}
    assert not Path("unused").exists()
