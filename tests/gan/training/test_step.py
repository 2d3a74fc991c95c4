import pytest
import torch

from gan.data.corpus import Corpus
from gan.data.dataset import Batch
from gan.model import Model
from gan.recipes import load
from gan.training.loop import Trainer
from gan.training.step import discriminator_half, frozen, gan_step, generator_half
from tests.recipes import SMALL


def trainer(recipe: str, tiny: Corpus, tmp_path, *overrides: str) -> tuple[Trainer, Batch]:
    config = load(recipe, [*SMALL[recipe], "data.corpus=toy:tiny", "train.batch_size=4", *overrides])
    made = Trainer(config, tiny, tmp_path, torch.device("cpu"))
    made.model.train()
    made.losses.train()
    return made, made.batches[0]


def snapshot(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.detach().clone() for k, v in module.named_parameters()}


@pytest.mark.parametrize("recipe", sorted(SMALL))
def test_one_step_trains_every_part_on_one_generator_pass(recipe: str, tiny: Corpus, tmp_path) -> None:
    made, batch = trainer(recipe, tiny, tmp_path)
    passes = []
    made.model.generator.register_forward_hook(lambda *_: passes.append(1))
    before = snapshot(made.model) | {f"loss.{k}": v for k, v in snapshot(made.losses).items()}
    logs = gan_step(made.model, made.losses, made.optimizers, batch, made.config.train.update_order, measure=True)
    after = snapshot(made.model) | {f"loss.{k}": v for k, v in snapshot(made.losses).items()}
    assert len(passes) == 1
    for name, value in before.items():
        assert not torch.equal(value, after[name]), f"{name} did not move"
    assert {"loss/g", "loss/d", "gradient/g", "gradient/d"} <= set(logs)
    assert all(v.isfinite() and not v.requires_grad for v in logs.values())


@pytest.mark.parametrize("recipe", sorted(SMALL))
def test_each_half_leaves_the_other_alone(recipe: str, tiny: Corpus, tmp_path) -> None:

    made, batch = trainer(recipe, tiny, tmp_path)
    model = made.model
    drawing = model.generator(model.generator.source(batch))
    before = snapshot(model)
    discriminator_half(model, made.losses, made.optimizers, batch, drawing, False)
    assert all(p.grad is None for p in model.generator.parameters())
    middle = snapshot(model)
    assert all(torch.equal(before[k], middle[k]) for k in before if k.startswith("generator."))
    made.optimizers.discriminator.zero_grad(set_to_none=True)
    generator_half(model, made.losses, made.optimizers, batch, drawing, False)
    assert all(p.grad is None for p in model.discriminators.parameters())
    after = snapshot(model)
    assert all(torch.equal(middle[k], after[k]) for k in before if k.startswith("discriminators."))
    assert all(p.requires_grad for p in model.discriminators.parameters())


def test_generator_gradient_equals_a_step_written_out(tiny: Corpus, tmp_path) -> None:
    """Wav2Pix's generator loss, by its published formula, on the discriminator as updated: the same gradient, bit for bit
    up to float32's last digits."""
    made, batch = trainer("wav2pix-64", tiny, tmp_path, "decoder.dropout=0.0")
    model, losses = made.model, made.losses
    model.discriminators.eval()  # spectral norm stands still, so that both ways see one discriminator
    drawing = model.generator(model.generator.source(batch))
    embedding, fake, _ = drawing
    judge, classify = model.discriminators["conditional"], losses["embedding_identity"].classifier
    score, real = judge(fake[64], embedding), judge(batch.face, embedding)
    by_formula = (
        ((score.realness - 1) ** 2).mean()
        + 100 * ((score.features.mean(0) - real.features.mean(0).detach()) ** 2).mean()
        + 50 * (fake[64] - batch.face).abs().mean()
        + 20 * torch.nn.functional.cross_entropy(classify(embedding), batch.voice_identity)
    )
    parameters = dict(model.generator.named_parameters())
    expected = torch.autograd.grad(by_formula, list(parameters.values()), retain_graph=True)

    made.optimizers.generator = torch.optim.SGD(made.optimizers.generator.param_groups[0]["params"], lr=0.0)
    logs = generator_half(model, losses, made.optimizers, batch, drawing, False)
    assert logs["loss/g"].item() == pytest.approx(by_formula.item(), rel=1e-5)
    for (name, parameter), gradient in zip(parameters.items(), expected, strict=True):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-5), name


def test_joint_judging_equals_separate_passes(tiny: Corpus, tmp_path) -> None:
    made, batch = trainer("wav2pix-64", tiny, tmp_path)
    model: Model = made.model.eval()
    embedding, fake, _ = model.generator(model.generator.source(batch))
    faces = {"real": {64: batch.face}, "fake": fake, "mismatched": {64: batch.mismatched_face}}
    together = model.judge(faces, embedding)
    for which, by_size in faces.items():
        alone = model.judge({which: by_size}, embedding)[which]["conditional"]
        assert torch.allclose(alone.realness, together[which]["conditional"].realness, atol=1e-5)
        assert torch.allclose(alone.features, together[which]["conditional"].features, atol=1e-5)


def test_frozen_gives_gradients_back_even_after_an_error() -> None:
    layer = torch.nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    with pytest.raises(RuntimeError), frozen(layer):
        assert not layer.weight.requires_grad
        raise RuntimeError
    assert layer.weight.requires_grad
    assert not layer.bias.requires_grad


def test_gradients_are_clipped(tiny: Corpus, tmp_path) -> None:
    made, batch = trainer("wav2pix-64", tiny, tmp_path, "optimizer.clip_gradient=0.001")
    logs = gan_step(made.model, made.losses, made.optimizers, batch, made.config.train.update_order)
    assert logs["gradient/g"] > 0.001  # as it was before
    norm = torch.nn.utils.get_total_norm([p.grad for p in made.model.generator.parameters()])
    assert norm.item() <= 0.00101


def test_two_heads_are_judged_at_their_own_sizes(tiny: Corpus, tmp_path) -> None:
    names = [f"{kind}_{size}" for kind in ("image", "identity") for size in (64, 128)]
    config = load(
        "sf2f-128",
        [
            "encoder={name: inception1d, channels: [8], embedding_dim: 16}",
            "decoder.width=32",
            "data.clip_seconds=[0.3, 0.3]",
            "losses.perceptual=null",
            "train.batch_size=2",
            *(f"discriminators.{name}.width=4" for name in names),
        ],
    )
    made = Trainer(config, tiny, tmp_path, torch.device("cpu"))
    logs = gan_step(made.model, made.losses, made.optimizers, made.batches[0], config.train.update_order, measure=True)
    assert {f"score/{name}/{which}" for name in names for which in ("real", "fake")} <= set(logs)
    real = made.model.resolutions(made.batches[0].face)
    assert torch.equal(real[64], made.batches[0].face[..., ::2, ::2])
