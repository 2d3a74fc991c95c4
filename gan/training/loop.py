"""The loop round the step: log, validate, save, go on exactly where it stopped."""

from __future__ import annotations

import json
import math
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from evaluation.progress import Progress
from gan import checkpoint, distributed
from gan import config as configuration
from gan.config import Config
from gan.data.corpus import Corpus
from gan.data.dataset import Batches, identity_labels, loader, people
from gan.files import write_atomically
from gan.frozen_nets import networks, training_landmarks
from gan.lease import STALE_SECONDS, Lease, holder
from gan.model import Model, build_losses, build_model, initialise_normal, names_people, pixel_space
from gan.scoring.evaluate import evaluate_system
from gan.scoring.requests import Condition
from gan.scoring.systems import Drawn
from gan.signals import Stopped, stop_signals
from gan.training.logger import Logger
from gan.training.optimisers import Average, generator_adam, make_optimizers, set_rates
from gan.training.step import gan_step
from gan.training.voices import FixedVoices

SEED_STRIDE = 0x9E3779B1  # between the noise of two training seeds; torch's CPU generator tells seeds apart by 32 bits only


class Diverged(ValueError):
    """A loss stopped being finite."""

    exit_code = 1


class Trainer:
    """One run in memory: model, losses, optimisers, moving average, at a step."""

    def __init__(
        self, config: Config, corpus: Corpus, run: Path, device: torch.device, initial: checkpoint.Checkpoint | None = None
    ):
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
        self.average: Average | None = None
        if settings.ema_decay is not None:
            self.average = Average(self.model.generator, multi_avg_fn=get_ema_multi_avg_fn(settings.ema_decay))
        self.optimizers = make_optimizers(config.optimizer, self.model, self.losses)
        self.batches = Batches(
            corpus,
            pairing=config.data.pairing,
            clip_seconds=(config.data.clip_seconds[0], config.data.clip_seconds[1]),
            batch_size=settings.batch_size,
            seed=settings.seed,
            face_size=max(sizes),
            pixel_space=pixel_space(generator.decoder),
            segments=config.data.segments,
            mismatched="mismatched" in self.losses.needs,
            flip=config.data.flip,
            share=(distributed.rank(), distributed.size()),
        )
        self.step = 0
        self.last: dict[str, float] = {}  # scores, or else losses, of the last step that was logged
        if settings.compile:
            # Compiled code has no second derivative, which gradient penalties take through the discriminators.
            twice = self.losses.needs & {"real_gradient", "interpolated"}
            for module in (generator.encoder, generator.decoder, *(() if twice else self.model.discriminators.values())):
                if module is not None:
                    module.compile()

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
        checkpoint.save(
            self.run / "checkpoints",
            self.step,
            self.weights(),
            state,
            config=configuration.to_dict(self.config),
            num_identities=self.num_identities,
            corpus={"name": self.corpus.name, "checksum": self.corpus.checksum},
            people=people(self.corpus),
            inherited_networks=self._inherited_networks(),
            inherited_corpora=self._inherited_corpora(),
            results_version=configuration.RESULTS_VERSION,
        )

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
            self._check_people(name, self.initial)
            checkpoint.load_trained(self.model.part(name, "train.init_modules"), self.initial, name)
        if self.average is not None:  # it started as a copy of what has just been replaced
            self.average.generator.load_state_dict(generator.state_dict())

    def _check_people(self, part: str, initial: checkpoint.Checkpoint) -> None:
        """Raises ValueError if a part knows people by their number, and these are others."""
        theirs, known = initial.info["corpus"], "people" in initial.info
        # Older checkpoints do not know their people and go by their corpus.
        same = initial.info["people"] == people(self.corpus) if known else theirs.get("checksum") in (self.corpus.checksum, None)
        if not same and names_people(self.config, part):
            raise ValueError(
                f"train.init_modules: {part} of {initial.path} names the people of corpus {theirs['name']}; those "
                f"of data.corpus, {self.corpus.name}, {'are' if known else 'may be'} others. Leave {part} out, or "
                f"train on {theirs['name']}."
            )

    # -- the loop -----------------------------------------------------------------------------------------------------

    def train(self) -> Path:
        known = self._load()
        if self._finished():
            return self.run
        with self._alone():
            # Until just now another process may have trained it.
            if distributed.highest(int(distributed.rank() == 0 and checkpoint.steps(self.run / "checkpoints") != known)):
                self._load()
                if self._finished():
                    return self.run
            self._describe()
            if distributed.rank() > 0:
                self._loop(None)
                return self.run
            write_atomically(self.run / "config.yaml", configuration.to_yaml(self.config).encode())
            write_atomically(self.run / "environment.json", json.dumps(_environment(), indent=1).encode())
            with closing(Logger(self.run, self.step)) as logger:
                self._loop(logger)
        return self.run

    def _load(self) -> list[Path]:
        """The last sound checkpoint of the run, or what it starts from, in all processes. Returns the checkpoints there were."""
        known = checkpoint.steps(self.run / "checkpoints")
        with distributed.first():
            saved = checkpoint.load_latest(self.run / "checkpoints")
            if saved is not None:
                self.restore(saved)
            else:
                self._start()
        if not distributed.agree(self.step):
            raise ValueError(f"{self.run}: the processes found different checkpoints. Keep runs on a disk that all of them see.")
        distributed.take_from_first(self.model, self.losses, self.average)
        return known

    def _finished(self) -> bool:
        if self.step < self.config.train.steps:
            return False
        self._describe()
        print(f"Already at step {self.step}. A larger train.steps goes on from there.")
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Within, no other training writes to the run's folder: two would mix their steps. The first process holds it for all.

        Raises ValueError saying who does.
        """
        file, lease = self.run / "lease.json", None
        if distributed.rank() == 0:
            self.run.mkdir(parents=True, exist_ok=True)
            lease = Lease.take(file)
        if not distributed.highest(int(lease is not None)):
            owner = holder(file) or {}
            raise ValueError(
                f"{self.run}: process {owner.get('pid')} on {owner.get('host')} trains it, since "
                f"{owner.get('since')}. Wait for it, or stop it; if it is there no more, try again in "
                f"{STALE_SECONDS:g} s."
            )
        with lease or nullcontext():
            yield

    def _loop(self, logger: Logger | None) -> None:
        """logger: None in all processes but the first, the one that writes."""
        settings, logging = self.config.train, self.config.logging
        voices = FixedVoices(self.corpus, self.config, self.model.generator)
        if logger is not None and self.step == 0:
            logger.config(self.config)
            if voices.audible:
                logger.voices(voices.items, voices.names)
        self.training_mode()
        first_bad = torch.full((), settings.steps + 1, device=self.device)
        scores: dict[str, float] = {}
        numbers: dict[str, float] = {}
        batches = loader(self.batches, self.step, settings.steps, self.config.data.workers, self.device.type == "cuda")
        since, since_step = time.perf_counter(), self.step
        with (
            stop_signals() as stop,
            Progress(total=settings.steps, initial=self.step, desc="train", unit="step", disable=logger is None) as progress,
        ):
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
                    numbers = logger.scalars(
                        self.step,
                        logs
                        | {
                            "speed/samples_per_second": (self.step - since_step) * settings.batch_size / seconds,
                            "learning_rate/g": self.optimizers.generator.param_groups[0]["lr"],
                        },
                    )
                    progress.set_postfix({k: f"{v:.3g}" for k, v in numbers.items() if k in ("loss/g", "loss/d")}, refresh=False)
                    since, since_step = time.perf_counter(), self.step
                if logger is not None and voices.shown and (self.step % logging.images_every == 0 or self.step == settings.steps):
                    logger.images(self.step, voices.faces(self.model.generator, self.average))
                if save and logger is not None:
                    # First: killed in between, a run that goes on from this step would not come to validate it any more.
                    scores = self._validate(logger) if validate else scores
                    self.save()
                    checkpoint.prune(self.run / "checkpoints", settings.keep_last, self._best().get("step"))
                if save:
                    distributed.wait()  # on the host, until it is written: no GPU need turn in vain, no process ends early
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
        distributed.seed_noise((settings.seed * SEED_STRIDE + self.step) % 2**32)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
            logs = gan_step(self.model, self.losses, self.optimizers, batch, settings.update_order, measure)
        if self.average is not None:
            self.average.update_parameters(self.model.generator)
        self.step += 1
        return logs

    def _schedule(self) -> None:
        """Learning rates of this step, and the point from which the generator's batch norm stays as it is."""
        plan, settings = self.config.optimizer, self.config.train
        if settings.freeze_norm_from is not None and self.step >= settings.freeze_norm_from:
            if self.step == settings.freeze_norm_from:
                self.optimizers.generator = generator_adam(plan, self.model, self.losses)
            for layer in self.model.generator.modules():
                if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                    layer.eval()
        set_rates(plan, self.optimizers, self.step, settings.steps)

    def _check_finite(self, first_bad: int) -> None:
        if first_bad <= self.config.train.steps:
            kept = checkpoint.steps(self.run / "checkpoints")
            raise Diverged(
                f"A loss was not finite at step {first_bad}; nothing after it was saved. "
                + (f"Last good checkpoint: {kept[-1]}." if kept else "No checkpoint had been saved yet.")
                + " Try a lower optimizer.generator.learning_rate, or optimizer.clip_gradient=1."
            )

    def _validate(self, logger: Logger) -> dict[str, float]:
        """Score the generator on train.best.split, which must be a val_* split, and remember the best step."""
        best, settings = self.config.train.best, self.config.evaluation
        chosen = replace(settings, metrics={name: settings.metrics[name] for name in self.config.train.validate_metrics})
        generator = self.average.generator if self.average is not None else self.model.generator
        scores = evaluate_system(Drawn(generator), Condition(self.corpus, chosen, best.split, chosen.seconds[0])).scores
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

    def _describe(self) -> None:
        def count(*modules: nn.Module | None, trained: bool = True) -> int:
            return sum(p.numel() for m in modules if m is not None for p in m.parameters() if p.requires_grad or not trained)

        generator, discriminators = self.model.generator, self.model.discriminators
        where = f"{self.device}" if distributed.size() == 1 else f"{distributed.size()} processes on {self.device.type}"
        # Adam keeps two numbers for each that is trained.
        megabytes = 4e-6 * (count(self.model, self.losses, self.average, trained=False) + 2 * count(self.model, self.losses))
        print(
            f"{'Going on with' if self.step else 'Training'} {self.run}: step {self.step} of {self.config.train.steps}, "
            f"generator {count(generator):,} trained parameters, discriminators {count(discriminators):,}, "
            f"{self.num_identities} identities, {where}; a checkpoint is about {megabytes:,.0f} MB",
            flush=True,
        )


def _environment() -> dict[str, Any]:
    """For environment.json: the commit this code is at, if it is a checkout, the versions, the hardware."""
    home = Path(__file__).resolve().parent
    commit = subprocess.run(["git", "-C", str(home), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return checkpoint.environment() | dict(
        commit=commit.stdout.strip() or None, platform=platform.platform(), processes=distributed.size()
    )
