"""The loop round the step: schedule, moving average, log, save, go on exactly where it stopped."""

from __future__ import annotations

import json
import math
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from gan import checkpoint, distributed
from gan import config as configuration
from gan.config import Config, nearest
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus, write_atomically
from gan.data.dataset import INT16_SCALE, Batches, identity_labels, loader
from gan.frozen_nets import networks, settle_networks, training_landmarks
from gan.generate import choose_device, middle
from gan.model import NO_DECODER, Generator, Model, build_losses, build_model, initialise_normal, pixel_space
from gan.scoring.evaluate import evaluate_system
from gan.scoring.systems import Drawn
from gan.training.logger import Logger
from gan.training.step import Optimizers, gan_step

SEED_STRIDE = 0x9E3779B1    # between the noise of two training seeds; torch's CPU generator tells seeds apart by 32 bits only
ONE_STOP_SECONDS = 2.0  # signals so close together are one: a cluster sends its own, and torchrun hands it on


class Stopped(Exception):
    """Training was asked to stop, and saved first. signal: which one asked."""

    def __init__(self, number: int, step: int, run: Path):
        super().__init__(f"Stopped at step {step}; saved. The same command goes on from there: {run}")
        self.signal = number
        self.exit_code = 128 + number


class Diverged(ValueError):
    """A loss stopped being finite."""

    exit_code = 1


def train(config: Config, recipe: str, runs: Path = Path("runs")) -> Path:
    """Train a recipe, or go on with it, until train.steps. Returns the run's folder, runs/<recipe>-<hash>.

    Raises ValueError for what the config gets wrong, Diverged when a loss is not finite any more (the last good checkpoint
    stays), Stopped after SIGINT or SIGTERM (a checkpoint is saved first).
    """
    with distributed.joined():
        corpus = _prepare(config)
        initial = _initial(config, runs)
        run_hash = configuration.run_hash(config, corpus.checksum, None if initial is None else initial.weights_checksum)
        if not distributed.agree(int(run_hash, 16)):
            raise ValueError("train: processes see different corpora, weight files or runs to start from. Give them one disk.")
        trainer = _trainer(config, corpus, runs / f"{recipe}-{run_hash}", initial)
        trainer.train()
        trainer.tell_settings()
        return trainer.run


def train_at(config: Config, run: Path, initial: checkpoint.Checkpoint | None = None) -> Path:
    """The same in exactly that folder, from the parts of a checkpoint already at hand. Returns the folder."""
    with distributed.joined():
        return _trainer(config, _prepare(config), run, initial).train()


def _trainer(config: Config, corpus: Corpus, run: Path, initial: checkpoint.Checkpoint | None) -> Trainer:
    device = distributed.own_device(choose_device(config.train.device))
    with distributed.first():
        return Trainer(config, corpus, run, device, initial)


def stage_of(config: Config) -> Config | None:
    """The recipe, shipped or a YAML file, that train.init_from names: a stage before this one, on the same corpus and with the
    same seed. None if it names a run's or a checkpoint's folder, or nothing.

    Raises ValueError if it names nothing there is.
    """
    name, own = config.train.init_from, config.train
    if name is None or Path(name).is_dir():
        return None
    if not (Path(name).is_file() and name.endswith((".yaml", ".yml"))) and name not in configuration.recipes():
        raise ValueError(f"train.init_from: {name} is neither a run, nor a checkpoint, nor a recipe."
                         + nearest(name, configuration.recipes()))
    stage = configuration.load(name)
    stage.data.corpus, stage.data.workers = config.data.corpus, config.data.workers
    stage.train.seed, stage.train.device, stage.train.threads = own.seed, own.device, own.threads
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


def _prepare(config: Config) -> Corpus:
    """Check a config, and settle what this machine decides of it. Returns its corpus."""
    choose_device(config.train.device)
    if config.train.threads is not None:
        torch.set_num_threads(config.train.threads)
    if config.train.batch_size % distributed.size():
        raise ValueError(f"train.batch_size: {config.train.batch_size} came with {distributed.size()} processes, which share it. "
                         "Allowed: a multiple of their number.")
    check(config)
    with distributed.first():
        corpus = open_corpus(config.data.corpus)
    settle_networks(config)
    return corpus


def check(config: Config) -> Model:
    """Build every part once without data, so that what a recipe gets wrong is said before a corpus is made or read."""
    model = build_model(config, num_identities=2)
    losses = build_losses(config, model, num_identities=2, corpus=None)
    if not losses:
        raise ValueError("losses: none came, one or more is needed.")
    if not any(p.requires_grad for module in (model.generator, losses) for p in module.parameters()):
        raise ValueError(f"train.frozen: {config.train.frozen} leaves nothing to train.")
    if model.discriminators and "fake" not in losses.needs:
        raise ValueError(f"discriminators: {', '.join(model.discriminators)} came, but no loss looks at drawn faces.")
    if model.generator.decoder is None and config.train.validate_every is not None:
        raise ValueError(f"train.validate_every: {config.train.validate_every} came, but there are no faces to score: "
                         + NO_DECODER)
    _check_stage(config, model)
    for name in config.train.validate_metrics if config.train.validate_every is not None else ():
        if name not in config.evaluation.metrics:
            raise ValueError(f"train.validate_metrics: evaluation.metrics has no {name}. "
                             f"Have: {', '.join(config.evaluation.metrics)}.")
    return model


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
        own, its = ({key: list(tensor.shape) for key, tensor in m.part(part, "train.init_modules").state_dict().items()}
                    for m in (model, before))
        if own != its:
            section = part.partition(".")[0]
            here, there = (_flat(configuration.to_dict(c).get(section, {}), section) for c in (config, stage))
            differing = [f"{key}: {here.get(key, 'none')} came, {there.get(key, 'none')} there"
                         for key in {**here, **there} if here.get(key) != there.get(key)]
            raise ValueError(f"train.init_from: the {part} of {name} does not fit this recipe's. "
                             f"{'; '.join(differing) or f'{section} is the same, but not what it reads or draws from'}.")


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


class Trainer:
    """One run in memory: model, losses, optimisers, moving average, at a step."""

    def __init__(self, config: Config, corpus: Corpus, run: Path, device: torch.device,
                 initial: checkpoint.Checkpoint | None = None):
        self.config, self.corpus, self.run, self.device = config, corpus, run, device
        settings = config.train
        torch.manual_seed(settings.seed)
        self.num_identities = int(identity_labels(corpus).max()) + 1
        self.model: Model = build_model(config, self.num_identities, corpus)
        generator = self.model.generator
        sizes = (min(corpus.face_sizes),) if generator.decoder is None else generator.image_sizes
        self.losses = build_losses(config, self.model, self.num_identities, corpus)
        if settings.initialisation == "normal":
            initialise_normal(self.model)
            initialise_normal(self.losses)
        self.initial = initial
        self.frozen = [self.model.part(name, "train.frozen") for name in settings.frozen]
        distributed.share_batch_norm(self.model, self.losses)
        self.model.to(device)
        if settings.channels_last:
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.losses.to(device)
        self.average: _Average | None = None
        if settings.ema_decay is not None:
            self.average = _Average(self.model.generator, multi_avg_fn=get_ema_multi_avg_fn(settings.ema_decay))
        self.optimizers = self._optimizers()
        self.batches = Batches(
            corpus, pairing=config.data.pairing, clip_seconds=(config.data.clip_seconds[0], config.data.clip_seconds[1]),
            batch_size=settings.batch_size, seed=settings.seed, face_size=max(sizes),
            pixel_space=pixel_space(generator.decoder), segments=config.data.segments,
            mismatched="mismatched" in self.losses.needs,
            flip=config.data.flip, share=(distributed.rank(), distributed.size()))
        self.step = 0
        self.last: dict[str, float] = {}    # scores, or else losses, of the last step that was logged
        if settings.compile:
            # Compiled code has no second derivative, which gradient penalties take through the discriminators.
            twice = self.losses.needs & {"real_gradient", "interpolated"}
            for module in (generator.encoder, generator.decoder, *(() if twice else self.model.discriminators.values())):
                if module is not None:
                    module.compile()

    def _optimizers(self) -> Optimizers:
        return Optimizers(self._generator_adam(), self._discriminator_adam(), self.config.optimizer.clip_gradient)

    def _generator_adam(self) -> torch.optim.Optimizer:
        adam = self.config.optimizer.generator
        parameters = [p for module in (self.model.generator, self.losses) for p in module.parameters() if p.requires_grad]
        return torch.optim.Adam([{"params": parameters, "spared": False}], lr=adam.learning_rate,
                                betas=(adam.betas[0], adam.betas[1]), eps=adam.epsilon, fused=True)

    def _discriminator_adam(self) -> torch.optim.Optimizer | None:
        adam, spares = self.config.optimizer.discriminator, self.config.optimizer.decay_spares
        groups = [{"params": parameters, "spared": name in spares} for name, module in self.model.discriminators.items()
                  if (parameters := [p for p in module.parameters() if p.requires_grad])]
        if not groups:
            return None
        for name in spares:
            if name not in self.model.discriminators:
                raise ValueError(f"optimizer.decay_spares: no discriminator {name}. "
                                 f"Have: {', '.join(self.model.discriminators)}.")
        return torch.optim.Adam(groups, lr=adam.learning_rate, betas=(adam.betas[0], adam.betas[1]), eps=adam.epsilon,
                                fused=True)

    # -- saving and going on ------------------------------------------------------------------------------------------

    def weights(self) -> dict[str, torch.Tensor]:
        parts: dict[str, nn.Module] = {"model": self.model, "losses": self.losses}
        if self.average is not None:
            parts["ema"] = self.average
        return {f"{name}.{key}": value for name, module in parts.items() for key, value in module.state_dict().items()}

    def save(self) -> None:
        state = {"generator": self.optimizers.generator.state_dict()}
        if self.optimizers.discriminator is not None:
            state["discriminator"] = self.optimizers.discriminator.state_dict()
        checkpoint.save(self.run / "checkpoints", self.step, self.weights(), state,
                        config=configuration.to_dict(self.config), num_identities=self.num_identities,
                        corpus={"name": self.corpus.name, "checksum": self.corpus.checksum},
                        inherited_networks=self._inherited_networks(), inherited_corpora=self._inherited_corpora(),
                        results_version=configuration.RESULTS_VERSION)

    def _inherited_networks(self) -> list[str]:
        """The frozen nets that the run this one starts from, and those before it, were trained against."""
        if self.initial is None:
            return []
        info = self.initial.info
        return sorted(networks(configuration.from_dict(info["config"])).union(info.get("inherited_networks", [])))

    def _inherited_corpora(self) -> list[dict[str, str]]:
        """The corpora that the run this one starts from, and those before it, were trained on: name, checksum and path."""
        return [] if self.initial is None else checkpoint.corpora(self.initial)

    def restore(self, saved: checkpoint.Checkpoint) -> None:
        checkpoint.load_part(self.model, saved, "model")
        checkpoint.load_part(self.losses, saved, "losses")
        if self.average is not None:
            checkpoint.load_part(self.average, saved, "ema")
        self.optimizers.generator.load_state_dict(saved.state["generator"])
        if self.optimizers.discriminator is not None:
            self.optimizers.discriminator.load_state_dict(saved.state["discriminator"])
        self.step = saved.step

    def _start(self) -> None:
        """A new run: what the corpus settles, and the parts another run has trained."""
        generator, taken = self.model.generator, self.config.train.init_modules
        if generator.decoder is not None and "decoder" not in taken:
            generator.decoder.settle(lambda: training_landmarks(self.corpus))
        for name in taken:
            assert self.initial is not None
            checkpoint.load_trained(self.model.part(name, "train.init_modules"), self.initial, name)
        if self.average is not None:        # it started as a copy of what has just been replaced
            self.average.generator.load_state_dict(generator.state_dict())

    # -- the loop -----------------------------------------------------------------------------------------------------

    def train(self) -> Path:
        settings = self.config.train
        with distributed.first():
            saved = checkpoint.load_latest(self.run / "checkpoints")
            if saved is not None:
                self.restore(saved)
            else:
                self._start()
        if not distributed.agree(self.step):
            raise ValueError(f"{self.run}: the processes found different checkpoints. Keep runs on a disk that all of them see.")
        distributed.take_from_first(self.model, self.losses, self.average)
        if distributed.rank() == 0:
            self.run.mkdir(parents=True, exist_ok=True)
        self._describe(resumed=saved is not None)
        if self.step >= settings.steps:
            print(f"Already at step {self.step}. A larger train.steps goes on from there.")
            return self.run
        if distributed.rank() > 0:
            self._loop(None)
            return self.run
        write_atomically(self.run / "config.yaml", configuration.to_yaml(self.config).encode())
        write_atomically(self.run / "environment.json", json.dumps(_environment(), indent=1).encode())
        with closing(Logger(self.run, self.step)) as logger:
            self._loop(logger)
        return self.run

    def _loop(self, logger: Logger | None) -> None:
        """logger: None in all processes but the first, the one that writes."""
        settings, logging = self.config.train, self.config.logging
        voices = _FixedVoices(self.corpus, self.config, self.model.generator)
        if logger is not None and self.step == 0:
            logger.config(self.config)
            if self.model.generator.reads == "waveform":
                logger.voices(voices.items, voices.names)
        self.training_mode()
        first_bad = torch.full((), settings.steps + 1, device=self.device)
        scores: dict[str, float] = {}
        numbers: dict[str, float] = {}
        batches = loader(self.batches, self.step, settings.steps, self.config.data.workers, self.device.type == "cuda")
        since, since_step = time.perf_counter(), self.step
        with stop_signals() as stop, tqdm(total=settings.steps, initial=self.step, desc="train", unit="step",
                                          disable=None if logger is not None else True) as progress:
            for batch in batches:
                logged = (self.step + 1) % logging.scalars_every == 0 or self.step + 1 == settings.steps
                logs = self.one_step(batch.to(self.device), measure=logged)
                # Kept on the device: asking each step whether a loss is finite would wait for the GPU each step.
                finite = torch.stack([v for k, v in logs.items() if k in ("loss/g", "loss/d")]).isfinite().all()
                first_bad = torch.where(finite, first_bad, first_bad.clamp_max(self.step))
                progress.update()
                stopped_by = distributed.highest(stop[0] if stop else 0)
                validate = settings.validate_every is not None and self.step % settings.validate_every == 0
                save = validate or bool(stopped_by) or self.step % settings.save_every == 0 or self.step == settings.steps
                if logged or save:
                    self._check_finite(distributed.lowest(int(first_bad)))
                if logged:
                    logs = distributed.means(logs)
                if logged and logger is not None:
                    seconds = max(time.perf_counter() - since, 1e-9)
                    numbers = logger.scalars(self.step, logs | {
                        "speed/samples_per_second": (self.step - since_step) * settings.batch_size / seconds,
                        "learning_rate/g": self.optimizers.generator.param_groups[0]["lr"]})
                    progress.set_postfix({k: f"{v:.3g}" for k, v in numbers.items() if k in ("loss/g", "loss/d")})
                    since, since_step = time.perf_counter(), self.step
                if logger is not None and voices.shown and (self.step % logging.images_every == 0
                                                              or self.step == settings.steps):
                    logger.images(self.step, voices.faces(self.model.generator, self.average))
                if save and logger is not None:
                    # First: killed in between, a run that goes on from this step would not come to validate it any more.
                    scores = self._validate(logger) if validate else scores
                    self.save()
                    checkpoint.prune(self.run / "checkpoints", settings.keep_last, self._best().get("step"))
                if save:
                    distributed.wait()      # on the host, until it is written: no GPU need turn in vain, no process ends early
                if stopped_by:
                    raise Stopped(stopped_by, self.step, self.run)
        if logger is None:
            return
        voices.project(logger, self.step, self.model.generator, logging.embeddings)
        self.last = scores or {k: v for k, v in numbers.items() if k.startswith("loss/")}

    def tell_settings(self) -> None:
        """The run's settings beside its last numbers, for TensorBoard to compare runs by; once it has been trained."""
        if self.last and distributed.rank() == 0:
            with closing(Logger(self.run, self.step)) as logger:
                logger.hparams(self.config, self.last)

    def training_mode(self) -> None:
        """Everything in training mode, but for what is frozen: its batch norm does not move."""
        self.model.train()
        self.losses.train()
        for module in self.frozen:
            module.eval()

    def one_step(self, batch: Any, measure: bool) -> dict[str, torch.Tensor]:
        """One optimiser step of each half; self.step counts it."""
        settings = self.config.train
        self._schedule()
        if settings.channels_last:
            batch = batch._replace(face=batch.face.contiguous(memory_format=torch.channels_last))
        # Noise, too, is drawn from (seed, step): a resumed run needs no saved random state.
        with distributed.noise((settings.seed * SEED_STRIDE + self.step) % 2 ** 32, len(batch.face), self.device), \
                torch.autocast(self.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
            logs = gan_step(self.model, self.losses, self.optimizers, batch, settings.update_order, measure)
        if self.average is not None:
            self.average.update_parameters(self.model.generator)
        self.step += 1
        return logs

    def _schedule(self) -> None:
        """Learning rates of this step, and the point from which the generator's batch norm stays as it is."""
        plan, settings = self.config.optimizer, self.config.train
        factor = 1.0
        if plan.decay_from is not None and self.step > plan.decay_from:
            done = (self.step - plan.decay_from) / max(settings.steps - plan.decay_from, 1)
            factor = 1 + (plan.decay_to - 1) * done
        elif plan.inverse_decay is not None:
            factor = 1 / (1 + plan.inverse_decay * self.step)
        elif plan.step_decay is not None:
            factor = plan.step_decay[0] ** (self.step // plan.step_decay[1])
        if settings.freeze_norm_from is not None and self.step >= settings.freeze_norm_from:
            if self.step == settings.freeze_norm_from:
                self.optimizers.generator = self._generator_adam()
            for layer in self.model.generator.modules():
                if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                    layer.eval()
        for optimizer, adam in ((self.optimizers.generator, plan.generator), (self.optimizers.discriminator, plan.discriminator)):
            for group in optimizer.param_groups if optimizer is not None else ():
                group["lr"] = adam.learning_rate * (1.0 if group["spared"] else factor)

    def _check_finite(self, first_bad: int) -> None:
        if first_bad <= self.config.train.steps:
            kept = checkpoint.steps(self.run / "checkpoints")
            raise Diverged(f"A loss was not finite at step {first_bad}; nothing after it was saved. "
                           + (f"Last good checkpoint: {kept[-1]}." if kept else "No checkpoint had been saved yet.")
                           + " Try a lower optimizer.generator.learning_rate, or optimizer.clip_gradient=1.")

    def _validate(self, logger: Logger) -> dict[str, float]:
        """Score the generator on train.best.split, which must be a val_* split, and remember the best step."""
        best, settings = self.config.train.best, self.config.evaluation
        chosen = replace(settings, metrics={name: settings.metrics[name] for name in self.config.train.validate_metrics})
        generator = self.average.generator if self.average is not None else self.model.generator
        scores = evaluate_system(Drawn(generator), self.corpus, chosen, best.split, chosen.seconds[0]).scores
        values = {score.metric: score.value for score in scores if not score.skipped}
        logger.scalars(self.step, {f"metric/{name}": value for name, value in values.items()})
        if best.metric not in values:
            raise ValueError(f"train.best.metric: no score {best.metric} on {best.split}. Have: {', '.join(values) or 'none'}.")
        value, before = values[best.metric], self._best().get("value", math.nan)
        if math.isnan(before) or (value < before if best.mode == "min" else value > before):
            content = dict(step=self.step, metric=best.metric, split=best.split, value=value)
            write_atomically(self.run / "best.json", json.dumps(content).encode())
        return values

    def _best(self) -> dict[str, Any]:
        path = self.run / "best.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def _describe(self, resumed: bool) -> None:
        def count(*modules: nn.Module | None, trained: bool = True) -> int:
            return sum(p.numel() for m in modules if m is not None for p in m.parameters() if p.requires_grad or not trained)

        generator, discriminators = self.model.generator, self.model.discriminators
        where = f"{self.device}" if distributed.size() == 1 else f"{distributed.size()} processes on {self.device.type}"
        # Adam keeps two numbers for each that is trained.
        megabytes = 4e-6 * (count(self.model, self.losses, self.average, trained=False) + 2 * count(self.model, self.losses))
        print(f"{'Going on with' if resumed else 'Training'} {self.run}: step {self.step} of {self.config.train.steps}, "
              f"generator {count(generator):,} trained parameters, discriminators {count(discriminators):,}, "
              f"{self.num_identities} identities, {where}; a checkpoint is about {megabytes:,.0f} MB", flush=True)


class _Average(AveragedModel):
    """A moving average of the generator's weights; its batch-norm statistics are the generator's own."""

    @property
    def generator(self) -> Generator:
        assert isinstance(self.module, Generator)
        return self.module


class _FixedVoices:
    """The same few voices (or faces, where the model reads faces) all through training, of held-out recordings if there are some.

    shown: whether the model draws faces at all.
    """

    def __init__(self, corpus: Corpus, config: Config, generator: Generator):
        split = next((s for s in ("val_speech", "train") if len(corpus.in_split(corpus.clips, s))), "train")
        clips, faces = corpus.in_split(corpus.clips, split), corpus.in_split(corpus.faces, split)
        speakers, first = np.unique(corpus.clips["speaker"][clips], return_index=True)
        chosen = clips[first[np.isin(speakers, corpus.faces["speaker"][faces])][:config.logging.num_images]]
        self.corpus, self.shown, self.seconds = corpus, generator.decoder is not None, config.data.clip_seconds[1]
        self.reads = generator.reads
        of_speaker = [faces[corpus.faces["speaker"][faces] == corpus.clips["speaker"][clip]][0] for clip in chosen]
        self.real = corpus.pixels(of_speaker, max(generator.image_sizes if self.shown else corpus.face_sizes))
        self.items = self._items(chosen.tolist(), of_speaker)
        self.names = [corpus.speakers[corpus.clips["speaker"][clip]]["speaker"] for clip in chosen]

    def _items(self, clips: Sequence[int], faces: Sequence[int]) -> list[np.ndarray]:
        if self.reads == "face":
            return list(self.corpus.pixels(faces, max(self.corpus.face_sizes)))
        return [middle(self.corpus.waveform(clip) * INT16_SCALE, self.seconds) for clip in clips]

    def faces(self, generator: Generator, average: _Average | None) -> dict[str, np.ndarray]:
        drawn = {"image/real": self.real, "image/fake": generator.draw(self.items)}
        return drawn | ({"image/ema": average.generator.draw(self.items)} if average is not None else {})

    def project(self, logger: Logger, step: int, generator: Generator, count: int) -> None:
        """Up to count training voices into TensorBoard's projector."""
        clips = self.corpus.in_split(self.corpus.clips, "train")
        faces = self.corpus.in_split(self.corpus.faces, "train")
        clips = clips[np.isin(self.corpus.clips["speaker"][clips], self.corpus.faces["speaker"][faces])]
        clips = clips[np.linspace(0, len(clips) - 1, min(count, len(clips))).astype(int)]
        if not len(clips):
            return
        speakers = self.corpus.clips["speaker"][clips]
        first = {s: faces[self.corpus.faces["speaker"][faces] == s][0] for s in np.unique(speakers)}
        shown = [first[s] for s in speakers]
        logger.embeddings(step, generator.embeddings(self._items(clips.tolist(), shown)),
                          [self.corpus.speakers[s]["speaker"] for s in speakers],
                          self.corpus.pixels(shown, min(self.corpus.face_sizes)))


@contextmanager
def stop_signals(said: str = "Stopping after this step, saving first.") -> Iterator[list[int]]:
    """Within, SIGINT and SIGTERM only append their number to the list; a later one ends the process as usual.

    said: what is printed when one comes.
    """
    received: list[int] = []
    before: dict[int, Any] = {}
    first = 0.0

    def note(number: int, _: object) -> None:
        nonlocal first
        if not received:
            first = time.monotonic()
            if distributed.rank() == 0:
                print(f"\n{said} Once more to stop at once.", file=sys.stderr)
        elif time.monotonic() - first > ONE_STOP_SECONDS:
            signal.signal(number, before[number])
            signal.raise_signal(number)
        received.append(number)

    for number in (int(signal.SIGINT), int(signal.SIGTERM)):
        before[number] = signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment() -> dict[str, Any]:
    """For environment.json: the commit this code is at, if it is a checkout, the versions, the hardware."""
    home = Path(__file__).resolve().parent
    commit = subprocess.run(["git", "-C", str(home), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return checkpoint.environment() | dict(commit=commit.stdout.strip() or None, platform=platform.platform(),
                                           processes=distributed.size())
