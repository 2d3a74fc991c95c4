"""What happens before the first step: a config is checked and settled, its corpus opened, the stages before it trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from discriminators.base import Discriminator
from gan import checkpoint, distributed, recipes
from gan import config as configuration
from gan.build import find
from gan.config import Config, nearest
from gan.data.corpora import open_corpus
from gan.data.corpus import SAMPLE_RATE_HZ, Corpus
from gan.features.base import Features
from gan.frozen_nets import settle_network
from gan.losses.base import Loss, Losses
from gan.model import NO_DECODER, Model, Source, build_losses, build_model
from gan.run import choose_device
from gan.training.loop import Trainer


def train(config: Config, recipe: str, runs: Path = Path("runs")) -> Path:
    """Train a recipe, or go on with it, until train.steps. Returns the run's folder, runs/<recipe>-<hash>.

    Raises ValueError for what the config gets wrong, Diverged when a loss is not finite any more (the last good checkpoint
    stays), Stopped after SIGINT or SIGTERM (a checkpoint is saved first).
    """
    with distributed.joined():
        config, corpus, device = _prepared(config)
        initial = _initial(config, runs)
        run_hash = configuration.run_hash(config, corpus.checksum, None if initial is None else initial.weights_checksum)
        if not distributed.agree(int(run_hash, 16)):
            raise ValueError("train: processes see different corpora, weight files or runs to start from. Give them one disk.")
        trainer = _trainer(config, corpus, device, runs / f"{recipe}-{run_hash}", initial)
        trainer.train()
        trainer.tell_settings()
        return trainer.run


def train_at(config: Config, run: Path, initial: checkpoint.Checkpoint | None = None) -> Path:
    """The same in exactly that folder, from the parts of a checkpoint already at hand. Returns the folder."""
    with distributed.joined():
        return _trainer(*_prepared(config), run, initial).train()


def _prepared(config: Config) -> tuple[Config, Corpus, torch.device]:
    """Check a config, and settle what this machine decides of it: its networks, its corpus and the device."""
    device = distributed.own_device(choose_device(config.train.device))
    if config.train.threads is not None:
        torch.set_num_threads(config.train.threads)
    if config.train.batch_size % distributed.size():
        raise ValueError(
            f"train.batch_size: {config.train.batch_size} came with {distributed.size()} processes, which share it. "
            "Allowed: a multiple of their number."
        )
    check(config)
    with distributed.first():
        corpus = open_corpus(config.data.corpus)
    return settled(config), corpus, device


def _trainer(config: Config, corpus: Corpus, device: torch.device, run: Path, initial: checkpoint.Checkpoint | None) -> Trainer:
    with distributed.first():  # frozen nets are trained once
        return Trainer(config, corpus, run, device, initial)


def stage_of(config: Config) -> Config | None:
    """The recipe, shipped or a YAML file, that train.init_from names: a stage before this one, on the same corpus and with the
    same seed. None if it names a run's or a checkpoint's folder, or nothing.

    Raises ValueError if it names nothing there is.
    """
    name = config.train.init_from
    if name is None or Path(name).is_dir():
        return None
    if not (Path(name).is_file() and name.endswith((".yaml", ".yml"))) and name not in recipes.recipe_names():
        raise ValueError(
            f"train.init_from: {name} is neither a run, nor a checkpoint, nor a recipe." + nearest(name, recipes.recipe_names())
        )
    stage = recipes.load(name)
    stage.data.corpus, stage.data.workers = config.data.corpus, config.data.workers
    for key in ("seed", "device", "threads"):
        setattr(stage.train, key, getattr(config.train, key))
    return stage


def _initial(config: Config, runs: Path) -> checkpoint.Checkpoint | None:
    """The checkpoint train.init_from names; of a recipe there, that of its run, trained now unless it already was."""
    name, stage = config.train.init_from, stage_of(config)
    if name is None:
        return None
    path = Path(name) if stage is None else train(stage, Path(name).stem, runs)
    try:
        return checkpoint.of_run(path)
    except ValueError as error:
        raise ValueError(f"train.init_from: {error}") from None


def check(config: Config) -> Model:
    """Build every part without data, so that what a recipe gets wrong is said before a corpus is made or read.

    The parts that are trained are built later: how many people they name, and what frozen nets have learned, is the corpus's.
    """
    model = build_model(config, num_identities=2)
    losses = build_losses(config, model, num_identities=2, corpus=None)
    if not losses:
        raise ValueError("losses: none came, one or more is needed.")
    if not any(p.requires_grad for module in (model.generator, losses) for p in module.parameters()):
        raise ValueError(f"train.frozen: {config.train.frozen} leaves nothing to train.")
    if model.discriminators and "fake" not in losses.needs:
        raise ValueError(f"discriminators: {', '.join(model.discriminators)} came, but no loss looks at drawn faces.")
    if model.generator.decoder is None and config.train.validate_every is not None:
        raise ValueError(
            f"train.validate_every: {config.train.validate_every} came, but there are no faces to score: " + NO_DECODER
        )
    _check_stage(config, model)
    if config.train.batch_size == 1:
        _check_batch_of_one(config, model, losses)
    for name in config.train.validate_metrics if config.train.validate_every is not None else ():
        if name not in config.evaluation.metrics:
            raise ValueError(
                f"train.validate_metrics: evaluation.metrics has no {name}. Have: {', '.join(config.evaluation.metrics)}."
            )
    return model


@torch.no_grad()
def _check_batch_of_one(config: Config, model: Model, losses: Losses) -> None:
    """Raises ValueError if batch norm would see one number of each channel, and learn nothing from it.

    The maps of a single item are fine: there is a number for every place.
    """
    generator, samples = model.generator, round(config.data.clip_seconds[0] * SAMPLE_RATE_HZ)
    if config.train.freeze_norm_from == 0:
        generator.eval()
    for name in config.train.frozen:
        model.part(name, "train.frozen").eval()
    embedding = torch.zeros(1, generator.encoder.embedding_dim)
    try:
        if generator.reads == "waveform":
            generator.embed(Source(torch.zeros(1, samples), torch.tensor([samples])))
        if generator.decoder is not None:
            generator.decoder.draw(embedding)
        for judge in model.discriminators.values():
            assert isinstance(judge, Discriminator)
            judge(torch.zeros(1, 3, judge.image_size, judge.image_size), embedding)
        for layer in losses.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer(torch.zeros(1, layer.num_features))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            "train.batch_size: 1 came, but this recipe has batch norm, which compares the items of a batch. Allowed: 2 or more."
        ) from error


def _check_stage(config: Config, model: Model) -> None:
    """That the parts to be taken from a recipe fit, before it is trained for them.

    Raises ValueError naming the keys that differ.
    """
    name, stage = config.train.init_from, stage_of(config)
    if name is None or stage is None:
        return
    _check_ends(name, stage)
    before = build_model(stage, num_identities=2)
    for part in config.train.init_modules:
        ours, theirs = (
            {key: list(tensor.shape) for key, tensor in m.part(part, "train.init_modules").state_dict().items()}
            for m in (model, before)
        )
        if ours != theirs:
            section = part.partition(".")[0]
            asked, given = (_flat(configuration.to_dict(c).get(section, {}), section) for c in (config, stage))
            differing = [
                f"{key}: {asked.get(key, 'none')} came, {given.get(key, 'none')} there"
                for key in {**asked, **given}
                if asked.get(key) != given.get(key)
            ]
            raise ValueError(
                f"train.init_from: the {part} of {name} does not fit this recipe's. "
                f"{'; '.join(differing) or f'{section} is the same, but not what it reads or draws from'}."
            )


def _check_ends(name: str, stage: Config) -> None:
    """Raises ValueError if a stage, or one before it, is to start from itself."""
    seen: list[Path | str] = []
    following: Config | None = stage
    while following is not None:
        if (place := Path(name).resolve() if Path(name).is_file() else name) in seen:
            raise ValueError(f"train.init_from: {name} starts from itself. Name a run, or a recipe whose stages end.")
        seen.append(place)
        name, following = str(following.train.init_from), stage_of(following)


def _flat(section: Any, key: str) -> dict[str, Any]:
    if not isinstance(section, dict):
        return {key: section}
    return {name: entry for inner, value in section.items() for name, entry in _flat(value, f"{key}.{inner}").items()}


def settled(config: Config) -> Config:
    """The same, with the network that each `auto` stands for here, so that run hash and saved config name it.

    A class with an attribute `networks` takes a key `network`; the attribute lists what it may say.
    """

    def named(family: type, key: str, section: Any) -> Any:
        if not isinstance(section, dict) or not isinstance(section.get("name"), str):
            return section  # build says what is wrong with it
        allowed = getattr(find(family, section["name"], key), "networks", None)
        return (
            section | {"network": settle_network("auto", allowed)}
            if allowed and section.get("network", "auto") == "auto"
            else section
        )

    return replace(
        config,
        features=named(Features, "features", config.features),
        losses={name: named(Loss, f"losses.{name}", section) for name, section in config.losses.items()},
    )
