"""Steps per second on a CPU, beside steps that do the published amount of work.

    python -m benchmarks.step wav2pix-128
    python -m benchmarks.step sf2f-64

The reference steps are written here from the published facts of each method, on this framework's modules, with torch's spectral
norm and torch's default Adam: the ratios show what the step itself saves. They do what the papers' code did, no more: no picture
log, no validation.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from facenet_pytorch import InceptionResnetV1
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.record import RESULTS, interleaved, quartiles, ratios, record
from evaluation.face_nets.base import FaceNet
from evaluation.face_nets.inception import InceptionResnet
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.data.dataset import Batch
from gan.data.faces import from_pixel_space
from gan.losses.base import Losses
from gan.losses.embedding_identity import EmbeddingIdentity
from gan.losses.perceptual import Perceptual
from gan.model import Model, pixel_space
from gan.recipes import load
from gan.training.loop import Trainer

BATCH_SIZES = {"wav2pix-64": 8, "wav2pix-128": 8, "sf2f-64": 16}
BATCHES = 4  # different batches a contender goes round
OURS = "ours"
Adams = dict[str, torch.optim.Optimizer]


def wav2pix_reference(model: Model, losses: Losses, adams: Adams, batch: Batch, detach: bool) -> None:
    """Wav2Pix's step as published: two generator passes, five discriminator passes.

    The discriminator's loss goes back through the fake face and the embedding into the whole generator, and what arrives there
    is thrown away; with detach it stops at the discriminator. The generator's loss leaves gradients in the discriminator's
    weights, thrown away too. The discriminator's loss is summed, not halved; only its real target is smoothed.
    """
    (judge,), (size,) = model.discriminators.values(), model.generator.image_sizes
    head = losses["embedding_identity"]
    assert isinstance(head, EmbeddingIdentity)
    real, mismatched = batch.face, batch.mismatched_face

    model.discriminators.zero_grad()
    embedding, faces, _ = model.generator(model.generator.source(batch))
    fake = faces[size]
    if detach:
        embedding, fake = embedding.detach(), fake.detach()
    on_fake, on_real, on_mismatched = (judge(face, embedding).realness for face in (fake, real, mismatched))
    (on_fake.square().mean() + (on_real - 0.9).square().mean() + on_mismatched.square().mean()).backward()
    adams["discriminator"].step()

    model.generator.zero_grad()
    losses.zero_grad()
    embedding, faces, _ = model.generator(model.generator.source(batch))
    fake = faces[size]
    on_fake, on_real = judge(fake, embedding), judge(real, embedding)
    (
        F.mse_loss(on_fake.realness, torch.ones_like(on_fake.realness))
        + 100 * F.mse_loss(on_fake.features.mean(0), on_real.features.mean(0).detach())
        + 50 * F.l1_loss(fake, real)
        + 20 * F.cross_entropy(head.classifier(embedding), batch.voice_identity)
    ).backward()
    adams["generator"].step()


def sf2f_reference(model: Model, face_net: FaceNet, adams: Adams, batch: Batch) -> None:
    """SF2F's step (64 px, stage 1) as published: one generator pass, three passes of each discriminator.

    The frozen net is frozen only by not being optimised: the generator's loss computes gradients of its weights, and of the
    discriminators'. It sees the real faces again each step. One Adam a network.
    """
    image, identity = model.discriminators["image"], model.discriminators["identity"]
    real, label, space = batch.face, batch.voice_identity, pixel_space(model.generator.decoder)

    model.generator.zero_grad()
    embedding, faces, _ = model.generator(model.generator.source(batch))
    fake = faces[64]
    named = identity(fake, embedding)
    total = (
        10 * F.l1_loss(fake, real)
        + _bce(image(fake, embedding).realness, 1.0)
        + 0.05 * F.cross_entropy(named.identity_logits, label)
        + 0.05 * _bce(named.realness, 1.0)
    )
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
    (
        _bce(named.realness, 1.0) + _bce(identity(fake, embedding).realness, 0.0) + F.cross_entropy(named.identity_logits, label)
    ).backward()
    adams["identity"].step()


def _bce(scores: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))


@dataclass
class Contender:
    """step: one training step. against: the contender whose speed this one's is a ratio of."""

    step: Callable[[], object]
    against: str = OURS


def trainer(recipe: str, corpus: Corpus, overrides: list[str]) -> Trainer:
    """A run in memory, in training mode. Nothing is written: its folder is never made."""
    made = Trainer(load(recipe, overrides), corpus, Path("unused"), torch.device("cpu"))
    made.model.train()
    made.losses.train()
    return made


def plain_adams(made: Trainer, discriminators: dict[str, nn.Module]) -> Adams:
    """torch's default Adam, one for the generator with what the losses train, and one for each discriminator."""
    settings = made.config.optimizer
    own, theirs = settings.generator, settings.discriminator
    parameters = [*made.model.generator.parameters(), *made.losses.parameters()]
    adams: Adams = {"generator": torch.optim.Adam(parameters, own.learning_rate, (own.betas[0], own.betas[1]))}
    return adams | {
        name: torch.optim.Adam(module.parameters(), theirs.learning_rate, (theirs.betas[0], theirs.betas[1]))
        for name, module in discriminators.items()
    }


def going_round(made: Trainer, step: Callable[[Batch], object]) -> Callable[[], object]:
    """step, on one of a few batches after the other. benchmarks.loader times the loader; here the batches are ready."""
    batches = itertools.cycle([made.batches[number] for number in range(BATCHES)])
    return lambda: step(next(batches))


def ours(recipe: str, corpus: Corpus, overrides: list[str], face_net: FaceNet | None = None) -> Callable[[], object]:
    """The framework's own step. face_net: takes the place of the perceptual loss's. What it caches is cached already."""
    made = trainer(recipe, corpus, overrides)
    if face_net is not None:
        loss = made.losses["perceptual"]
        assert isinstance(loss, Perceptual)
        loss._network[0] = face_net  # by a back door: the loss itself takes no random weights
    step = going_round(made, lambda batch: made.one_step(batch, measure=False))
    for _ in range(BATCHES):
        step()
    return step


def wav2pix(recipe: str, corpus: Corpus, overrides: list[str]) -> dict[str, Contender]:
    def reference(detach: bool) -> Callable[[], object]:
        made = trainer(recipe, corpus, overrides)
        adams = plain_adams(made, {"discriminator": made.model.discriminators})
        return going_round(made, lambda batch: wav2pix_reference(made.model, made.losses, adams, batch, detach))

    return {
        OURS: Contender(ours(recipe, corpus, overrides)),
        "published amount of work": Contender(reference(detach=False)),
        "published, but detached": Contender(reference(detach=True)),
    }


def sf2f(recipe: str, corpus: Corpus, overrides: list[str]) -> dict[str, Contender]:
    """With each face net, what caching real faces' features brings; and what is left without the perceptual loss."""
    overrides = ["losses.perceptual.network=corpus", *overrides]

    def reference(face_net: FaceNet) -> Callable[[], object]:
        made = trainer(recipe, corpus, overrides)
        adams = plain_adams(made, dict(made.model.discriminators.items()))
        face_net.requires_grad_(True)
        return going_round(made, lambda batch: sf2f_reference(made.model, face_net, adams, batch))

    contenders: dict[str, Contender] = {}
    for name, make in (("corpus net", lambda: _corpus_net(corpus)), ("FaceNet", lambda: _random_facenet(corpus))):
        cached = f"{OURS}, {name}, cached"
        contenders |= {
            cached: Contender(ours(recipe, corpus, overrides, make()), cached),
            f"{OURS}, {name}, not cached": Contender(
                ours(recipe, corpus, [*overrides, "losses.perceptual.cache_mb=0"], make()), cached
            ),
            f"published amount of work, {name}": Contender(reference(make()), cached),
        }
    without = f"{OURS}, no perceptual loss"
    return contenders | {without: Contender(ours(recipe, corpus, [*overrides, "losses.perceptual=null"]), without)}


def _corpus_net(corpus: Corpus) -> FaceNet:
    network = Perceptual(1.0, "imagenet", corpus, "corpus")._network[0]
    assert isinstance(network, FaceNet)
    return network


def _random_facenet(corpus: Corpus) -> FaceNet:
    """FaceNet as it is shaped, with random weights: the published ones are the user's to add, and cost the same time."""
    with tempfile.TemporaryDirectory() as folder:
        torch.save(InceptionResnetV1(classify=True, num_classes=8631).state_dict(), f"{folder}/random.pt")
        return InceptionResnet(f"{folder}/random.pt", corpus.face_box)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", choices=sorted(BATCH_SIZES))
    parser.add_argument(
        "overrides",
        nargs="*",
        help="as of voxface train; the recipe's full size is the default, "
        "with batches of " + ", ".join(f"{size} ({name})" for name, size in sorted(BATCH_SIZES.items())),
    )
    parser.add_argument("--repetitions", type=int, default=20, help="of every contender, taking turns (default %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of torch (default %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to append to (default: benchmarks/results.jsonl)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    overrides = [f"train.batch_size={BATCH_SIZES[options.recipe]}", *options.overrides]
    config = load(options.recipe, overrides)
    family = sf2f if options.recipe.startswith("sf2f") else wav2pix
    contenders = family(options.recipe, open_corpus(config.data.corpus), overrides)
    seconds = interleaved({name: contender.step for name, contender in contenders.items()}, options.repetitions)
    for name, contender in contenders.items():
        record(
            "step",
            dict(
                recipe=options.recipe,
                batch_size=config.train.batch_size,
                contender=name,
                repetitions=options.repetitions,
                seconds=quartiles(seconds[name]),
                against=contender.against,
                times_slower=ratios(seconds, of=contender.against, to=name),
            ),
            options.results,
        )


if __name__ == "__main__":
    main()
