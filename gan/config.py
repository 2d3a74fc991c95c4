"""Plain values -> Config, with one-line errors that name the key.

Sections this framework owns are dataclasses below, with their defaults and units. A component section
(`encoder: {name: segan, ...}`) is a mapping whose other keys are the component's constructor arguments: gan/build.py checks them.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

T = TypeVar("T")

# Raised whenever the same config and seed give other numbers than before; part of every run's hash.
RESULTS_VERSION = 1

VALIDATION_SPLITS, MODES = ("val_speech", "val_speaker"), ("min", "max")


def nearest(word: str, known: Iterable[str]) -> str:
    """ " Did you mean X?", or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]}?" if close else ""


def one_of(key: str, value: Any, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{key}: {value!r} came. Allowed: {', '.join(allowed)}." + nearest(str(value), allowed))


def at_least(least: int, section: str, **numbers: int | None) -> None:
    """numbers: of a section's keys; None is no number."""
    for key, number in numbers.items():
        if number is not None and number < least:
            raise ValueError(f"{section}.{key}: {number} came. Allowed: {least} or more.")


@dataclass
class Data:
    corpus: str = "toy:demo"  # a prepared folder, or toy:tiny, toy:demo, toy:bench, each also -textured
    pairing: str = "identity"  # aligned | identity | independent
    clip_seconds: list[float] = field(default_factory=lambda: [1.0, 1.0])  # shortest, longest crop; one length a batch
    segments: int = 1  # windows a speaker; above 1 they are cut one after another from the speaker's clips,
    # up to this many, and a fuser joins them
    flip: float = 0.0  # probability that a training face is mirrored
    workers: int = 0  # loader processes; the batches are the same whatever the number
    published_identities: int = 10  # training speakers of the paper, for inspect without a corpus

    def __post_init__(self) -> None:
        one_of("data.pairing", self.pairing, ("aligned", "identity", "independent"))
        if len(self.clip_seconds) != 2 or not 0 < self.clip_seconds[0] <= self.clip_seconds[1]:
            raise ValueError(f"data.clip_seconds: {self.clip_seconds} came. Allowed: [shortest, longest], in seconds above 0.")
        at_least(1, "data", segments=self.segments)
        if not 0 <= self.flip <= 1:
            raise ValueError(f"data.flip: {self.flip} came. Allowed: a probability, 0 to 1.")


@dataclass
class Adam:
    learning_rate: float = 2e-4
    betas: list[float] = field(default_factory=lambda: [0.5, 0.999])
    epsilon: float = 1e-8


@dataclass
class Optimizer:
    generator: Adam = field(default_factory=Adam)
    discriminator: Adam = field(default_factory=Adam)
    decay_from: int | None = None  # step from which learning rates fall linearly, reaching ...
    decay_to: float = 1e-3  # ... this fraction at the last step
    inverse_decay: float | None = None  # instead: rates are divided by 1 + inverse_decay * step
    step_decay: list[float] | None = None  # instead: [factor, steps], rates are multiplied by factor every so many steps
    decay_spares: list[str] = field(default_factory=list)  # discriminators whose rate stays
    clip_gradient: float | None = None  # largest norm of the gradient of each half; null: no clipping

    def __post_init__(self) -> None:
        if sum(way is not None for way in (self.decay_from, self.inverse_decay, self.step_decay)) > 1:
            raise ValueError("optimizer: decay_from, inverse_decay and step_decay exclude each other. Set the others to null.")
        if self.step_decay is not None and (len(self.step_decay) != 2 or self.step_decay[1] < 1):
            raise ValueError(f"optimizer.step_decay: {self.step_decay} came. Allowed: [factor, steps], steps 1 or more.")


@dataclass
class Best:
    metric: str = "l1"  # a score that train.validate_metrics give, on ...
    split: str = "val_speech"  # val_speech | val_speaker; test splits choose nothing
    mode: str = "min"  # min | max

    def __post_init__(self) -> None:
        one_of("train.best.split", self.split, VALIDATION_SPLITS)
        one_of("train.best.mode", self.mode, MODES)


@dataclass
class Train:
    steps: int = 10_000  # optimiser steps of each half
    batch_size: int = 32  # speakers (pairs, for aligned pairing) a step
    seed: int = 0
    update_order: list[str] = field(default_factory=lambda: ["discriminator", "generator"])
    initialisation: str = "default"  # default: torch's own | normal: N(0, 0.02), as DCGAN and Wav2Pix
    init_from: str | None = None  # a run's folder or checkpoint, or a recipe, which is trained first if it was not yet
    init_modules: list[str] = field(default_factory=list)  # what is taken from there: encoder, decoder, discriminators, ...
    frozen: list[str] = field(default_factory=list)  # parts of such names that are not trained, batch norm included
    freeze_norm_from: int | None = None  # step from which the generator's batch norm stays as it is and its Adam starts anew
    ema_decay: float | None = None  # e.g. 0.999: keep a moving average of the generator and draw with it
    precision: str = "float32"  # float32 | bfloat16 (autocast)
    channels_last: bool = False
    compile: bool = False
    device: str = "auto"  # auto | cpu | cuda | cuda:1 | ...
    threads: int | None = None  # CPU threads of torch; null: torch's own choice
    save_every: int = 500  # steps between checkpoints
    keep_last: int = 2  # checkpoints kept beside the best one
    validate_every: int | None = None  # steps between evaluations on a val_* split
    validate_metrics: list[str] = field(default_factory=lambda: ["l1"])  # which of evaluation.metrics
    best: Best = field(default_factory=Best)

    def __post_init__(self) -> None:
        at_least(1, "train", steps=self.steps, batch_size=self.batch_size, save_every=self.save_every, keep_last=self.keep_last)
        if sorted(self.update_order) != ["discriminator", "generator"]:
            raise ValueError(
                f"train.update_order: {self.update_order} came. Allowed: [discriminator, generator] "
                "or [generator, discriminator]."
            )
        one_of("train.initialisation", self.initialisation, ("default", "normal"))
        if bool(self.init_from) != bool(self.init_modules):
            raise ValueError(
                f"train.init_modules: {self.init_modules} came with train.init_from {self.init_from}. "
                "Allowed: both or neither; init_modules lists the parts to take, such as [encoder, decoder]."
            )
        one_of("train.precision", self.precision, ("float32", "bfloat16"))


@dataclass
class Logging:
    scalars_every: int = 10  # steps
    images_every: int = 250  # steps
    num_images: int = 8  # fixed voices shown
    embeddings: int = 256  # voices in the embedding projector at the end; 0: none

    def __post_init__(self) -> None:
        at_least(1, "logging", scalars_every=self.scalars_every, images_every=self.images_every)


@dataclass
class Evaluation:
    protocol: str = "default"  # its name in results rows; voxface evaluate --protocol takes one that is shipped
    splits: list[str] = field(default_factory=lambda: ["unseen_speech", "unseen_speaker"])
    runs: int = 10  # random crops per speaker
    seconds: list[float] = field(default_factory=lambda: [1.25])  # clip lengths, each a protocol of its own
    seed: int = 0
    batch_size: int = 64
    face_size: int | None = None  # px; null: the model's largest
    faces_per_speaker: int | None = None  # true faces of a speaker that drawn ones are held against, drawn by seed; null: all
    metrics: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at_least(1, "evaluation", runs=self.runs)
        if not self.seconds or min(self.seconds) <= 0:
            raise ValueError(f"evaluation.seconds: {self.seconds} came. Allowed: a list of seconds above 0.")
        if self.faces_per_speaker is not None and self.faces_per_speaker < 1:
            raise ValueError(
                f"evaluation.faces_per_speaker: {self.faces_per_speaker} came. Allowed: 1 or more, or null for all of them."
            )


@dataclass
class Config:
    data: Data = field(default_factory=Data)
    features: dict[str, Any] = field(default_factory=dict)
    encoder: dict[str, Any] = field(default_factory=dict)
    fuser: dict[str, Any] = field(default_factory=dict)  # with data.segments above 1
    decoder: dict[str, Any] = field(default_factory=dict)
    discriminators: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, Any] = field(default_factory=dict)
    optimizer: Optimizer = field(default_factory=Optimizer)
    train: Train = field(default_factory=Train)
    logging: Logging = field(default_factory=Logging)
    evaluation: Evaluation = field(default_factory=Evaluation)

    def __post_init__(self) -> None:
        if (self.data.segments > 1) != bool(self.fuser):
            raise ValueError(
                f"fuser: {self.fuser.get('name') or 'none'} came with data.segments {self.data.segments}. "
                "Allowed: a fuser with segments above 1, none with 1."
            )


# What changes where, how fast or with what log a run computes, and under what name a corpus or another run lies: not what it
# computes from them.
BESIDE_RESULTS = (
    "logging",
    "data.corpus",
    "data.workers",
    "data.published_identities",
    "train.device",
    "train.threads",
    "train.init_from",
    "train.save_every",
    "train.keep_last",
)
SCORING = ("evaluation", "train.validate_every", "train.validate_metrics", "train.best")  # of what was learned

# Keys younger than runs there are, and the value that means what was done before: at it they count as absent, so that a run made
# then is still found.
ADDED_LATER = {"data.flip": 0.0}


def from_dict(values: dict[str, Any]) -> Config:
    """A plain mapping -> Config, every key and type checked."""
    return typed(Config, _without_null_components(values))


def typed(section: type[T], values: Any) -> T:
    """A plain mapping -> the dataclass of a section, every key and type checked. Raises ValueError, one line, naming the key."""
    _check_keys(section, values, "")
    try:
        made = OmegaConf.to_object(OmegaConf.merge(_writable(OmegaConf.structured(section)), OmegaConf.create(values)))
    except OmegaConfBaseException as error:
        raise ValueError(_one_line(error)) from None
    assert isinstance(made, section)
    return made


def _writable(section: DictConfig) -> DictConfig:
    """The same; omegaconf 2.3 does not merge into sections whose dataclass is frozen."""
    OmegaConf.set_readonly(section, False)
    for value in section.values():
        if isinstance(value, DictConfig):
            _writable(value)
    return section


def to_dict(config: Config) -> dict[str, Any]:
    """Config -> plain mapping, what is saved as config.yaml; from_dict(to_dict(c)) == c."""
    plain = OmegaConf.to_container(OmegaConf.structured(config))
    assert isinstance(plain, dict)
    return plain  # type: ignore[return-value]


def to_yaml(config: Config) -> str:
    return yaml.safe_dump(to_dict(config), sort_keys=False, width=120)


def run_hash(config: Config, corpus_checksum: str, initial_checksum: str | None = None) -> str:
    """Eight hex digits of everything that decides a run's numbers: equal hash, equal run.

    initial_checksum: of the weights train.init_from names. train.steps counts only where a schedule depends on it, so that a
    run can be prolonged.
    """
    steps = ("train.steps",) if config.optimizer.decay_from is None else ()
    return digest(corpus_checksum, initial_checksum, without(to_dict(config), *BESIDE_RESULTS, *SCORING, *steps))


def without(plain: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A config's plain values, less dotted keys, and less those of ADDED_LATER that do nothing."""
    for key in (*keys, *ADDED_LATER):
        *parents, last = key.split(".")
        section = plain
        for parent in parents:
            section = section[parent]
        if key not in ADDED_LATER or section.get(last) == ADDED_LATER[key]:
            section.pop(last, None)
    return plain


def digest(*content: Any) -> str:
    """Eight hex digits of plain values; others whenever RESULTS_VERSION is raised."""
    return hashlib.sha256(json.dumps([RESULTS_VERSION, *content], sort_keys=True).encode()).hexdigest()[:8]


def _without_null_components(values: dict[str, Any]) -> dict[str, Any]:
    """`losses.perceptual: null` takes an inherited component away, and so does `fuser: null`."""
    values = {
        key: {} if entry is None and key in ("features", "encoder", "fuser", "decoder") else entry
        for key, entry in values.items()
    }
    for key in ("discriminators", "losses"):
        if isinstance(values.get(key), dict):
            values[key] = {name: entry for name, entry in values[key].items() if entry is not None}
    metrics = values.get("evaluation", {}).get("metrics") if isinstance(values.get("evaluation"), dict) else None
    if isinstance(metrics, dict):
        values["evaluation"] = values["evaluation"] | {
            "metrics": {name: entry for name, entry in metrics.items() if entry is not None}
        }
    return values


def _check_keys(section: type, values: Any, prefix: str) -> None:
    known = {f.name: f for f in fields(section)}
    if not isinstance(values, dict):
        raise ValueError(f"{prefix.rstrip('.')}: a mapping with {', '.join(known)} is expected, {values!r} came.")
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"{prefix}{key}: no such key. Allowed: {', '.join(known)}." + nearest(str(key), known))
        default = known[key].default_factory
        if is_dataclass(default):
            _check_keys(default, value, f"{prefix}{key}.")
        elif isinstance(value, dict) != (mapping := default is not MISSING and isinstance(default(), dict)):
            raise ValueError(f"{prefix}{key}: {value!r} came. A mapping is {'expected' if mapping else 'not allowed'}.")


def _one_line(error: OmegaConfBaseException) -> str:
    key = getattr(error, "full_key", None) or "config"
    return f"{key}: {str(error).splitlines()[0].rstrip('.')}."
