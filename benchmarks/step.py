"""Steps per second on a CPU, beside steps that do the published amount of work.

    python -m benchmarks.step

The reference steps below are written from the published facts of each method, with this framework's modules and losses, torch's
spectral norm and torch's default Adam, so that the ratios show the step alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.record import interleaved, quartiles, ratios
from evaluation.face_nets.base import FaceNet
from gan.config import load
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.data.dataset import Batch
from gan.data.faces import from_pixel_space
from gan.losses.base import Losses
from gan.model import Model
from gan.train import Trainer

BATCHES = 4     # different batches a contender goes round


def wav2pix_reference(model: Model, losses: Losses, adams: dict[str, torch.optim.Optimizer], batch: Batch, detach: bool) -> None:
    """Wav2Pix's step as published: two generator passes, five discriminator passes.

    The discriminator's loss goes back through the fake face and the embedding into the whole generator, and what arrives there
    is thrown away; with detach it stops at the discriminator. The generator's loss leaves gradients in the discriminator's
    weights, thrown away too. The discriminator's loss is summed, not halved; only its real target is smoothed.
    """
    (judge,), (size,) = model.discriminators.values(), model.generator.decoder.image_sizes
    classify = losses["embedding_identity"].classifier
    real, mismatched = batch.face, batch.mismatched_face

    model.discriminators.zero_grad()
    embedding, faces = model.generator(batch.waveform, batch.num_samples)
    fake = faces[size]
    if detach:
        embedding, fake = embedding.detach(), fake.detach()
    on_fake, on_real, on_mismatched = (judge(face, embedding).realness for face in (fake, real, mismatched))
    (on_fake.square().mean() + (on_real - 0.9).square().mean() + on_mismatched.square().mean()).backward()
    adams["discriminator"].step()

    model.generator.zero_grad()
    losses.zero_grad()
    embedding, faces = model.generator(batch.waveform, batch.num_samples)
    fake = faces[size]
    on_fake, on_real = judge(fake, embedding), judge(real, embedding)
    (F.mse_loss(on_fake.realness, torch.ones_like(on_fake.realness))
     + 100 * F.mse_loss(on_fake.features.mean(0), on_real.features.mean(0).detach())
     + 50 * F.l1_loss(fake, real)
     + 20 * F.cross_entropy(classify(embedding), batch.voice_identity)).backward()
    adams["generator"].step()


def sf2f_reference(model: Model, face_net: FaceNet, adams: dict[str, torch.optim.Optimizer], batch: Batch) -> None:
    """SF2F's step (64 px, stage 1) as published: one generator pass, three passes of each discriminator.

    The frozen net is frozen only by not being optimised: the generator's loss computes gradients of its weights, and of the
    discriminators'. It sees the real faces again each step. One Adam a network.
    """
    image, identity = model.discriminators["image"], model.discriminators["identity"]
    real, label, space = batch.face, batch.voice_identity, model.generator.decoder.pixel_space

    model.generator.zero_grad()
    embedding, faces = model.generator(batch.waveform, batch.num_samples)
    fake = faces[64]
    named = identity(fake, embedding)
    total = (10 * F.l1_loss(fake, real) + _bce(image(fake, embedding).realness, 1.0)
             + 0.05 * F.cross_entropy(named.identity_logits, label) + 0.05 * _bce(named.realness, 1.0))
    with torch.no_grad():
        wanted = face_net.features(from_pixel_space(real, space))
    drawn = face_net.features(from_pixel_space(fake, space))
    for depth, (a, b) in enumerate(zip(reversed(drawn), reversed(wanted), strict=True)):
        total = total + 100 * (0.5 ** (depth + 1) if depth else 1.0) * F.l1_loss(a, b)
    if total.isfinite():
        total.backward()
        adams["generator"].step()

    fake, embedding = fake.detach(), embedding.detach()
    image.zero_grad()
    (_bce(image(fake, embedding).realness, 0.0) + _bce(image(real, embedding).realness, 1.0)).backward()
    adams["image"].step()
    identity.zero_grad()
    named = identity(real, embedding)
    (_bce(named.realness, 1.0) + _bce(identity(fake, embedding).realness, 0.0)
     + F.cross_entropy(named.identity_logits, label)).backward()
    adams["identity"].step()


def _bce(scores: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))


def trainer(recipe: str, corpus: Corpus, overrides: list[str]) -> Trainer:
    """A run in memory, in training mode. Nothing is written: its folder is never made."""
    made = Trainer(load(recipe, overrides), corpus, Path("unused"), torch.device("cpu"))
    made.model.train()
    made.losses.train()
    return made


def plain_adams(made: Trainer, discriminators: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
    """torch's default Adam, one for the generator (with what the losses train) and one for each module named."""
    parts = {"generator": [*made.model.generator.parameters(), *made.losses.parameters()],
             **{name: list(module.parameters()) for name, module in discriminators.items()}}
    settings = made.config.optimizer
    return {name: torch.optim.Adam(parameters, lr=adam.learning_rate, betas=(adam.betas[0], adam.betas[1]))
            for name, parameters in parts.items()
            for adam in [settings.generator if name == "generator" else settings.discriminator]}


def going_round(made: Trainer, step: Callable[[Batch], object]) -> Callable[[], object]:
    """step, on one of a few batches after the other. The loader is timed by benchmarks.loader, not here."""
    batches = itertools.cycle([made.batches[number] for number in range(BATCHES)])
    return lambda: step(next(batches))


def ours(recipe: str, corpus: Corpus, overrides: list[str], face_net: FaceNet | None = None) -> Callable[[], object]:
    """The framework's own step; face_net takes the place of the perceptual loss's. Cached features are there already."""
    made = trainer(recipe, corpus, overrides)
    if face_net is not None:
        made.losses["perceptual"].network = face_net
    step = going_round(made, lambda batch: made.one_step(batch, measure=False))
    for _ in range(BATCHES):
        step()
    return step


def wav2pix(corpus: Corpus, size: int, overrides: list[str], repetitions: int) -> dict[str, list[float]]:
    recipe = f"wav2pix-{size}"

    def reference(detach: bool) -> Callable[[], object]:
        made = trainer(recipe, corpus, overrides)
        adams = plain_adams(made, {"discriminator": made.model.discriminators})
        return going_round(made, lambda batch: wav2pix_reference(made.model, made.losses, adams, batch, detach))

    return interleaved({"ours": ours(recipe, corpus, overrides), "published work": reference(detach=False),
                        "published, detached": reference(detach=True)}, repetitions)


def main(arguments: list[str] | None = None) -> None:
    torch.set_num_threads(2)
    corpus = open_corpus("/work/scratch/demo-corpus")
    seconds = wav2pix(corpus, 128, ["train.batch_size=8"], 12)
    for k, v in seconds.items():
        print(k, quartiles(v), ratios(seconds, "ours", k))


if __name__ == "__main__":
    main()
