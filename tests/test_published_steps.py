"""One step of a recipe, written out from the published formulas, equals gan_step: losses, gradients, and weights after it.

Networks are the recipe's own; formulas, order of updates and optimisers are written anew here.
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from decoders.cole import Cole
from evaluation.face_nets.residual import Residual
from evaluation.face_nets.vgg import Vgg
from gan import frozen_nets
from gan.data.corpus import Corpus
from gan.data.dataset import Batch
from gan.model import Model
from gan.recipes import load
from gan.training.loop import Trainer
from gan.training.step import gan_step

SEED = 5
PICTURE_SCALE = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)


@pytest.fixture(autouse=True)
def nets(monkeypatch: pytest.MonkeyPatch, tiny: Corpus) -> dict[str, nn.Module]:
    """The corpus's face nets, untrained, and landmarks at random places: their training would take longer than all else here."""
    torch.manual_seed(0)
    made: dict[str, nn.Module] = {"residual": Residual(12, width=4), "vgg": Vgg(12, dense_dim=16)}
    for net in made.values():
        net.eval().requires_grad_(False)
    near = torch.tensor(np.random.default_rng(0).normal(0, 0.01, (len(tiny.in_split(tiny.faces, "train")), 68, 2)))
    monkeypatch.setattr(frozen_nets, "_shared", WeakValueDictionary())
    monkeypatch.setattr(frozen_nets, "_trained", lambda name, *_, **__: made[name])
    monkeypatch.setattr(frozen_nets, "training_landmarks", lambda _: (_shape() + near).float().numpy())
    return made


def _shape() -> Tensor:
    return Cole(4, image_size=16, trunk=[4], landmark_hidden=[4], width=8).mean_landmarks


def bce(scores: Tensor, target: int) -> Tensor:
    """-log of the sigmoid, or of what it lacks to 1, mean over items and patches."""
    return -F.logsigmoid(scores if target else -scores).mean()


def adam(parameters: Iterable[Tensor], rate: float, *betas: float, eps: float = 1e-8) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=rate, betas=(betas[0], betas[1]), eps=eps)


def update(optimizers: Iterable[torch.optim.Optimizer], loss: Tensor) -> None:
    optimizers = list(optimizers)
    parameters = [p for o in optimizers for g in o.param_groups for p in g["params"]]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
        parameter.grad = gradient
    for optimizer in optimizers:
        optimizer.step()


By = Callable[[Model, dict[str, Any], Batch], dict[str, Tensor]]


def check(recipe: str, tiny: Corpus, tmp_path, by_hand: By, *overrides: str) -> None:
    config = load(recipe, ["data.corpus=toy:tiny", "train.batch_size=6", *overrides])
    made = Trainer(config, tiny, tmp_path, torch.device("cpu"))
    made.training_mode()
    for module in made.model.modules():  # spectral norm stands still: both ways see the same sigma
        if type(module).__name__ == "_SpectralNorm":
            module.eval()
    batch = made.batches[0]
    model, losses = copy.deepcopy(made.model), made.losses
    own = copy.deepcopy({name: loss for name, loss in losses.items() if list(loss.parameters())})  # Wav2Pix's classifier
    torch.manual_seed(SEED)
    expected = by_hand(model, own, batch)
    torch.manual_seed(SEED)
    made._schedule()
    logs = gan_step(made.model, losses, made.optimizers, batch, config.train.update_order)
    for name, value in expected.items():
        assert logs[name].item() == pytest.approx(value.item(), rel=1e-5), name
    parts = [
        (f"{kind}.{name}", theirs, ours)
        for kind, one, other in [
            ("model", model, made.model),
            *((f"losses.{name}", loss, losses[name]) for name, loss in own.items()),
        ]
        for (name, theirs), ours in zip(one.named_parameters(), other.parameters(), strict=True)
    ]
    for half in (False, True):
        of_half = [part for part in parts if ("discriminators" in part[0]) == half and part[1].grad is not None]
        largest = max((theirs.grad.abs().max().item() for _, theirs, _ in of_half), default=0.0)
        for name, theirs, ours in of_half:
            assert ours.grad is not None, name
            assert torch.allclose(ours.grad, theirs.grad, rtol=1e-3, atol=1e-4 * largest), name
            # Adam's first step is little more than a gradient's sign: where that is rounding, as of a bias before batch norm,
            # so is the step.
            clear = theirs.grad.abs() > 1e-3 * largest
            assert torch.allclose(ours[clear], theirs[clear], rtol=0, atol=1e-6), name
    for name, theirs, ours in parts:
        if theirs.grad is None:
            assert torch.equal(theirs, ours), f"{name} moved"


def test_voice2face(tiny: Corpus, tmp_path) -> None:
    def by_hand(model: Model, losses: dict[str, Any], batch: Batch) -> dict[str, Tensor]:
        layers, trunk = model.generator.decoder.layers, model.discriminators["face"]
        with torch.no_grad():
            features, frames = model.generator.features(batch.waveform, batch.num_samples)
            assert not model.generator.encoder.training
            voice = model.generator.encoder(features, frames)
        code = voice / voice.norm(dim=1, keepdim=True)
        code = code + 0.05 * torch.randn_like(code)
        fake = (code / code.norm(dim=1, keepdim=True))[:, :, None, None]
        for at, layer in enumerate(layers):
            fake = layer(fake).relu() if at < len(layers) - 1 else layer(fake)

        def f(face: Tensor) -> Tensor:
            return trunk.trunk(face).flatten(1)

        d, c = trunk.realness, trunk.identity
        real, drawn = f(batch.face), f(fake.detach())
        loss_d = bce(d(real), 1) + bce(d(drawn), 0) + F.cross_entropy(c(real), batch.face_identity)
        update([adam(module.parameters(), 2e-4, 0.5, 0.999) for module in (trunk.trunk, d, c)], loss_d)
        seen = f(fake)
        loss_g = bce(d(seen), 1) + F.cross_entropy(c(seen), batch.voice_identity)
        update([adam(layers.parameters(), 2e-4, 0.5, 0.999)], loss_g)
        assert not torch.equal(batch.voice_identity, batch.face_identity)
        return {"loss/d": loss_d, "loss/g": loss_g}

    check("voice2face-tiny", tiny, tmp_path, by_hand)


def test_sf2f_v2f_baseline(tiny: Corpus, tmp_path) -> None:
    def by_hand(model: Model, losses: dict[str, Any], batch: Batch) -> dict[str, Tensor]:
        layers, net = model.generator.decoder.layers, model.discriminators["identity"]
        features, frames = model.generator.features(batch.waveform, batch.num_samples)
        voice = model.generator.encoder(features, frames)
        assert torch.allclose(voice.norm(dim=1), torch.ones(len(voice)))
        code = F.normalize(voice + 0.05 * torch.randn_like(voice))[:, :, None, None]
        fake = code
        for at, layer in enumerate(layers):
            fake = layer(fake).relu() if at < len(layers) - 1 else layer(fake)

        def judge(face: Tensor) -> tuple[Tensor, Tensor]:
            hidden = net.hidden(net.stack(face).mean((2, 3)))
            return net.realness(hidden), net.identity(hidden)

        score, names = judge(fake)
        loss_g = 100 * (fake - batch.face).abs().mean() + F.cross_entropy(names, batch.voice_identity) + bce(score, 1)
        update([adam(model.generator.parameters(), 5e-4, 0.9, 0.999)], loss_g)
        (real, named), (drawn, _) = judge(batch.face), judge(fake.detach())
        loss_d = bce(real, 1) + bce(drawn, 0) + F.cross_entropy(named, batch.face_identity)
        update([adam(net.parameters(), 5e-4, 0.9, 0.999)], loss_d)
        return {"loss/d": loss_d, "loss/g": loss_g}

    check("sf2f-v2f-baseline-tiny", tiny, tmp_path, by_hand)


@pytest.mark.slow
@pytest.mark.floor
@pytest.mark.parametrize(
    ("recipe", "sizes", "pixel_weight"),
    [("sf2f-64-tiny", [64], 10), ("sf2f-128-tiny", [64, 128], 10), ("sf2f-128-released-tiny", [64, 128], 100)],
)
def test_sf2f(recipe: str, sizes: list[int], pixel_weight: int, nets: dict[str, nn.Module], tiny: Corpus, tmp_path) -> None:
    std, mean = PICTURE_SCALE

    def by_hand(model: Model, losses: dict[str, Any], batch: Batch) -> dict[str, Tensor]:
        features, frames = model.generator.features(batch.waveform, batch.num_samples)
        fake = model.generator.decoder(model.generator.encoder(features, frames))
        real = {size: batch.face[..., :: sizes[-1] // size, :: sizes[-1] // size] for size in sizes}
        ends = {64: "", 128: ""} if len(sizes) == 1 else {64: "_64", 128: "_128"}

        def patches(face: Tensor, size: int) -> Tensor:
            net = model.discriminators[f"image{ends[size]}"]
            scores = net.last(net.stack(face))
            assert scores.shape[2:] == (6, 6)
            return scores

        def judge(face: Tensor, size: int) -> tuple[Tensor, Tensor]:
            net = model.discriminators[f"identity{ends[size]}"]
            hidden = net.hidden(net.stack(face).mean((2, 3)))
            return net.realness(hidden), net.identity(hidden)

        def taps(face: Tensor) -> list[Tensor]:
            return nets["residual"].features((face * std + mean).clamp(0, 1))  # type: ignore[operator]

        loss_g = torch.zeros(())
        for size in sizes:
            score, names = judge(fake[size], size)
            drawn, true = taps(fake[size]), taps(real[size])
            weights = [2.0**-power for power in range(len(true), 1, -1)] + [1.0]
            perceptual = sum(w * (a - b).abs().mean() for w, a, b in zip(weights, drawn, true, strict=True))
            loss_g = (
                loss_g
                + pixel_weight * (fake[size] - real[size]).abs().mean()
                + bce(patches(fake[size], size), 1)
                + 0.05 * F.cross_entropy(names, batch.voice_identity)
                + 0.05 * bce(score, 1)
                + 100 * perceptual
            )
        update([adam(model.generator.parameters(), 5e-4, 0.9, 0.999)], loss_g)
        loss_d = torch.zeros(())
        for size in sizes:
            drawn = fake[size].detach()
            loss_d = loss_d + bce(patches(real[size], size), 1) + bce(patches(drawn, size), 0)
            (score, names), (low, _) = judge(real[size], size), judge(drawn, size)
            loss_d = loss_d + bce(score, 1) + bce(low, 0) + F.cross_entropy(names, batch.face_identity)
        update([adam(net.parameters(), 5e-4, 0.9, 0.999) for net in model.discriminators.values()], loss_d)
        return {"loss/d": loss_d, "loss/g": loss_g}

    check(recipe, tiny, tmp_path, by_hand)


@pytest.mark.parametrize("recipe", ["roldan-tiny", "wav2pix-64-tiny", "wav2pix-128-tiny"])
def test_wav2pix_and_the_version_before_it(recipe: str, tiny: Corpus, tmp_path) -> None:
    wav2pix = recipe.startswith("wav2pix")

    def by_hand(model: Model, losses: dict[str, Any], batch: Batch) -> dict[str, Tensor]:
        judge = model.discriminators["conditional"]
        features, _ = model.generator.features(batch.waveform, batch.num_samples)
        z = model.generator.encoder(features, batch.num_samples)
        (fake,) = model.generator.decoder(z).values()

        def seen(face: Tensor, voice: Tensor) -> tuple[Tensor, Tensor]:
            map_ = face
            for layer in judge.layers:
                map_ = F.leaky_relu(layer(map_), 0.2)
            assert map_.shape[2:] == (4, 4)
            return judge.last(torch.cat([map_, voice[:, :, None, None].expand(-1, -1, 4, 4)], 1)).flatten(), map_

        loss_d = ((seen(batch.face, z.detach())[0] - 0.9) ** 2).mean() + (seen(fake.detach(), z.detach())[0] ** 2).mean()
        if wav2pix:
            loss_d = loss_d + (seen(batch.mismatched_face, z.detach())[0] ** 2).mean()
        update([adam(judge.parameters(), 4e-4, 0.5, 0.999)], loss_d)
        (score, drawn), (_, true) = seen(fake, z), seen(batch.face, z)
        loss_g = (
            ((score - 1) ** 2).mean()
            + 100 * ((drawn.mean(0) - true.mean(0).detach()) ** 2).mean()
            + 50 * (fake - batch.face).abs().mean()
        )
        trained = list(model.generator.parameters())
        if wav2pix:
            classifier = losses["embedding_identity"].classifier
            loss_g = loss_g + 20 * F.cross_entropy(classifier(z), batch.voice_identity)
            trained += list(classifier.parameters())
        update([adam(trained, 1e-4, 0.5, 0.999)], loss_g)
        return {"loss/d": loss_d, "loss/g": loss_g}

    check(recipe, tiny, tmp_path, by_hand)


@pytest.mark.parametrize("paper", [False, True])
def test_speech2face(paper: bool, nets: dict[str, nn.Module], tiny: Corpus, tmp_path) -> None:
    net = nets["vgg"]

    def by_hand(model: Model, losses: dict[str, Any], batch: Batch) -> dict[str, Tensor]:
        features, frames = model.generator.features(batch.waveform, batch.num_samples)
        spoken = model.generator.encoder(features, frames)
        pictures = torch.from_numpy(tiny.pixels(batch.face_index.numpy(), 64)).movedim(-1, 1).float() / 255
        true = net.vector(pictures).relu()  # type: ignore[operator]
        cosine = (true * spoken).sum(1) / (true.norm(dim=1) * spoken.norm(dim=1))
        loss = (2 - 2 * cosine).mean()
        if paper:
            a, b = net.classify(true) / 2, net.classify(spoken) / 2  # type: ignore[operator]
            distillation = -(a.softmax(1) * b.log_softmax(1)).sum(1).mean()
            first = model.generator.decoder.trunk[0][0]
            decoded = (first(true).relu() - first(spoken).relu()).abs().sum(1).mean()
            loss = 0.025 * loss + 200 * distillation + decoded
        update([adam(model.generator.encoder.parameters(), 1e-3, 0.5, 0.999, eps=1e-4 if paper else 1e-8)], loss)
        return {"loss/g": loss}

    check("speech2face-paper-tiny" if paper else "speech2face-tiny", tiny, tmp_path, by_hand)


@pytest.mark.parametrize("released", [False, True])
def test_cole(released: bool, nets: dict[str, nn.Module], tiny: Corpus, tmp_path) -> None:
    """The released form in its own units: squared pixels of a 224 px picture, textures in [0, 1]."""

    def by_hand(model: Model, losses: dict[str, Any], batch: Batch) -> dict[str, Tensor]:
        decoder = model.generator.decoder
        pictures = torch.from_numpy(tiny.pixels(batch.face_index.numpy(), 64)).movedim(-1, 1).float() / 255
        vector = nets["vgg"].vector(pictures).relu()  # type: ignore[operator]
        faces, parts = decoder.draw(vector)
        table = torch.from_numpy(frozen_nets.training_landmarks(tiny))
        rows = np.searchsorted(tiny.in_split(tiny.faces, "train"), batch.face_index.numpy())
        true = table[torch.from_numpy(rows)]
        photo = pictures * 2 - 1
        assert torch.allclose(photo, batch.face, atol=1e-5)
        if released:
            loss = (224 * (parts["landmarks"] - true)).square().mean() + 100 * (parts["texture"] / 2 - photo / 2).abs().mean()
        else:
            registered = decoder.register(photo, true)
            face = nets["residual"].features(((faces[64] + 1) / 2).clamp(0, 1))[-1].flatten(1)
            own = nets["residual"].features(pictures)[-1].flatten(1)  # type: ignore[operator]
            loss = (
                (parts["texture"] - registered).abs().mean()
                + 500 * (parts["landmarks"] - true).square().mean()
                + (1 - F.cosine_similarity(face, own)).mean()
            )
        update([adam(decoder.parameters(), 1e-3, 0.9, 0.999)], loss)
        return {"loss/g": loss}

    check("cole-released-tiny" if released else "cole-tiny", tiny, tmp_path, by_hand)
