"""A recipe in YAML -> Config: `base:` inheritance, dotted overrides, and one-line errors that name the key.

Sections this framework owns are dataclasses below, with their defaults and units. A component section
(`encoder: {name: segan, ...}`) is a mapping whose other keys are the component's constructor arguments: gan/build.py checks them.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

T = TypeVar("T")

# Raised whenever the same config and seed give other numbers than before; part of every run's hash.
RESULTS_VERSION = 1


@dataclass
class Data:
    corpus: str = "toy:demo"            # a prepared folder, or toy:tiny, toy:demo, toy:bench, each also -textured
    pairing: str = "identity"           # aligned | identity | independent
    clip_seconds: list[float] = field(default_factory=lambda: [1.0, 1.0])   # shortest, longest crop; one length a batch
    segments: int = 1                   # windows a speaker; above 1 they are cut one after another from the speaker's clips,
                                        # up to this many, and a fuser joins them
    flip: float = 0.0                   # probability that a training face is mirrored
    workers: int = 0                    # loader processes; the batches are the same whatever the number
    published_identities: int = 10      # training speakers of the paper, for inspect without a corpus


@dataclass
class Adam:
    learning_rate: float = 2e-4
    betas: list[float] = field(default_factory=lambda: [0.5, 0.999])
    epsilon: float = 1e-8


@dataclass
class Optimizer:
    generator: Adam = field(default_factory=Adam)
    discriminator: Adam = field(default_factory=Adam)
    decay_from: int | None = None       # step from which learning rates fall linearly, reaching ...
    decay_to: float = 1e-3              # ... this fraction at the last step
    inverse_decay: float | None = None  # instead: rates are divided by 1 + inverse_decay * step
    step_decay: list[float] | None = None   # instead: [factor, steps], rates are multiplied by factor every so many steps
    decay_spares: list[str] = field(default_factory=list)   # discriminators whose rate stays
    clip_gradient: float | None = None  # largest norm of the gradient of each half; null: no clipping


@dataclass
class Best:
    metric: str = "l1"                  # a score that train.validate_metrics give, on ...
    split: str = "val_speech"           # val_speech | val_speaker; test splits choose nothing
    mode: str = "min"                   # min | max


@dataclass
class Train:
    steps: int = 10_000                 # optimiser steps of each half
    batch_size: int = 32                # speakers (pairs, for aligned pairing) a step
    seed: int = 0
    update_order: list[str] = field(default_factory=lambda: ["discriminator", "generator"])
    initialisation: str = "default"     # default: torch's own | normal: N(0, 0.02), as DCGAN and Wav2Pix
    init_from: str | None = None        # a run's folder or checkpoint, or a recipe, which is trained first if it was not yet
    init_modules: list[str] = field(default_factory=list)   # what is taken from there: encoder, decoder, discriminators, ...
    frozen: list[str] = field(default_factory=list)         # parts of such names that are not trained, batch norm included
    freeze_norm_from: int | None = None # step from which the generator's batch norm stays as it is and its Adam starts anew
    ema_decay: float | None = None      # e.g. 0.999: keep a moving average of the generator and draw with it
    precision: str = "float32"          # float32 | bfloat16 (autocast)
    channels_last: bool = False
    compile: bool = False
    device: str = "auto"                # auto | cpu | cuda | cuda:1 | ...
    threads: int | None = None          # CPU threads of torch; null: torch's own choice
    save_every: int = 500               # steps between checkpoints
    keep_last: int = 2                  # checkpoints kept beside the best one
    validate_every: int | None = None   # steps between evaluations on a val_* split
    validate_metrics: list[str] = field(default_factory=lambda: ["l1"])     # which of evaluation.metrics
    best: Best = field(default_factory=Best)


@dataclass
class Logging:
    scalars_every: int = 10             # steps
    images_every: int = 250             # steps
    num_images: int = 8                 # fixed voices shown
    embeddings: int = 256               # voices in the embedding projector at the end; 0: none


@dataclass
class Evaluation:
    protocol: str = "default"           # its name in results rows; voxface evaluate --protocol takes one that is shipped
    splits: list[str] = field(default_factory=lambda: ["unseen_speech", "unseen_speaker"])
    runs: int = 10                      # random crops per speaker
    seconds: list[float] = field(default_factory=lambda: [1.25])    # clip lengths, each a protocol of its own
    seed: int = 0
    batch_size: int = 64
    face_size: int | None = None        # px; null: the model's largest
    faces_per_speaker: int | None = None    # true faces of a speaker that drawn ones are held against, drawn by seed; null: all
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass
class Config:
    data: Data = field(default_factory=Data)
    features: dict[str, Any] = field(default_factory=dict)
    encoder: dict[str, Any] = field(default_factory=dict)
    fuser: dict[str, Any] = field(default_factory=dict)     # with data.segments above 1
    decoder: dict[str, Any] = field(default_factory=dict)
    discriminators: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, Any] = field(default_factory=dict)
    optimizer: Optimizer = field(default_factory=Optimizer)
    train: Train = field(default_factory=Train)
    logging: Logging = field(default_factory=Logging)
    evaluation: Evaluation = field(default_factory=Evaluation)


ALLOWED = {
    "data.pairing": ("aligned", "identity", "independent"),
    "train.initialisation": ("default", "normal"),
    "train.precision": ("float32", "bfloat16"),
    "train.best.split": ("val_speech", "val_speaker"),
    "train.best.mode": ("min", "max"),
}

# What changes where or how fast a run computes, what it writes, or how long it goes on: not what it computes.
NOT_IN_HASH = ("logging", "evaluation", "data.corpus", "data.workers", "data.published_identities", "train.device",
               "train.threads", "train.init_from", "train.save_every", "train.keep_last", "train.validate_every",
               "train.validate_metrics", "train.best")

# Keys younger than runs there are, and the value that means what was done before: at it they count as absent, so that a run made
# then is still found.
ADDED_LATER = {"data.flip": 0.0}


def cache_folder() -> Path:
    """Where rendered corpora, face nets and features are kept: $VOXFACE_CACHE, else ~/.cache/voxface."""
    return Path(os.environ.get("VOXFACE_CACHE") or Path.home() / ".cache" / "voxface")


def nearest(word: str, known: Iterable[str]) -> str:
    """" Did you mean X?", or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]}?" if close else ""


def shipped() -> dict[str, Traversable]:
    """The shipped recipes by name: the published systems, and in small/ and tiny/ their reduced forms."""
    return _folder("") | _folder("small") | _folder("tiny")


def recipes() -> list[str]:
    """Names of the shipped recipes."""
    return [name for name in shipped() if name != "base"]


def _folder(name: str) -> dict[str, Traversable]:
    """The YAML files of one folder of configs/, by name."""
    folder = resources.files("configs").joinpath(name) if name else resources.files("configs")
    return {path.name.removesuffix(".yaml"): path for path in sorted(folder.iterdir(), key=lambda path: path.name)
            if path.name.endswith(".yaml")}


def protocols() -> list[str]:
    """Names of the shipped evaluation protocols."""
    return list(_folder("protocols"))


def load_protocol(name: str) -> Evaluation:
    """A shipped protocol's name, or the path of a YAML file that holds an `evaluation` section, which is taken as it stands; one
    that does not say what it is called is called as the file is.

    Raises ValueError, one line.
    """
    known = _folder("protocols")
    file = Path(name)
    if not file.is_file() and name not in known:
        raise ValueError(f"--protocol: no file and no shipped protocol {name}. Have: {', '.join(known)}." + nearest(name, known))
    text = (file if file.is_file() else known[name]).read_text(encoding="utf-8")
    values = read_yaml(text, name)
    if not isinstance(values, dict) or set(values) != {"evaluation"}:
        raise ValueError(f"{name}: a protocol holds one section, evaluation.")
    named = from_dict(values).evaluation        # checked first
    return named if "protocol" in values["evaluation"] else replace(named, protocol=Path(name).stem)


def load(recipe: str | Path, overrides: Sequence[str] = ()) -> Config:
    """A shipped recipe's name, or the path of a YAML file; then dotted overrides such as train.steps=100.

    Raises ValueError, one line, naming the key, what came, what is allowed and the nearest spelling.
    """
    return from_dict(overridden(read_recipe(str(recipe), Path.cwd()), overrides))


def with_overrides(config: Config, overrides: Sequence[str]) -> Config:
    """The same with dotted overrides on top, checked again."""
    return from_dict(overridden(to_dict(config), overrides))


def overridden(merged: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A plain mapping with dotted key=value overrides on top, unchecked but for their form."""
    for override in overrides:
        key, equals, _ = override.partition("=")
        if not equals or not key.strip(".[]"):
            raise ValueError(f"{override}: an override reads key=value, e.g. train.steps=1000.")
        try:
            change = OmegaConf.to_container(OmegaConf.from_dotlist([override]), resolve=False)
        except (OmegaConfBaseException, yaml.YAMLError, RecursionError) as error:  # omegaconf 2.3: an alias of itself
            raise ValueError(f"{key}: {override.partition('=')[2]!r} is not valid YAML "
                             f"({str(error).splitlines()[0]}).") from None
        merged = _merge(merged, change)  # type: ignore[arg-type]
    return merged


def from_dict(values: dict[str, Any]) -> Config:
    """A plain mapping -> Config, every key and type checked."""
    config = typed(Config, _without_null_components(values))
    _check_values(config)
    return config


def typed(section: type[T], values: Any) -> T:
    """A plain mapping -> the dataclass of a section, every key and type checked. Raises ValueError, one line, naming the key."""
    _check_keys(section, values, "")
    try:
        made = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(section), OmegaConf.create(values)))
    except OmegaConfBaseException as error:
        raise ValueError(_one_line(error)) from None
    assert isinstance(made, section)
    return made


def to_dict(config: Config) -> dict[str, Any]:
    """Config -> plain mapping, what is saved as config.yaml; from_dict(to_dict(c)) == c."""
    plain = OmegaConf.to_container(OmegaConf.structured(config))
    assert isinstance(plain, dict)
    return plain  # type: ignore[return-value]


def to_yaml(config: Config) -> str:
    return yaml.safe_dump(to_dict(config), sort_keys=False, width=120)


def changed(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A plain mapping with dotted keys set, unchecked: changed(recipe, {"losses.l1": None, "encoder": {"name": "segan"}})."""
    for key, value in changes.items():
        nested = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        values = _merge(values, nested)
    return values


def run_hash(config: Config, corpus_checksum: str, initial_checksum: str | None = None) -> str:
    """Eight hex digits of everything that decides a run's numbers: equal hash, equal run.

    initial_checksum: of the weights train.init_from names. train.steps counts only where a schedule depends on it, so that a
    run can be prolonged.
    """
    plain = to_dict(config)
    left_out = (*NOT_IN_HASH, *(("train.steps",) if config.optimizer.decay_from is None else ()))
    for key in (*left_out, *ADDED_LATER):
        *parents, last = key.split(".")
        section = plain
        for parent in parents:
            section = section[parent]
        if key not in ADDED_LATER or section[last] == ADDED_LATER[key]:
            del section[last]
    content = json.dumps([RESULTS_VERSION, corpus_checksum, initial_checksum, plain], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def read_recipe(name: str, folder: Path) -> dict[str, Any]:
    """The YAML of a recipe merged over its bases, unchecked. A name is looked for in folder, then among the shipped recipes."""
    path = folder / name
    known = shipped()
    if path.is_file():
        text, here = path.read_text(encoding="utf-8"), path.parent
    elif name.removesuffix(".yaml") in known:
        text, here = known[name.removesuffix(".yaml")].read_text(encoding="utf-8"), folder
    else:
        raise ValueError(f"{name}: no such file, and no shipped recipe of that name. Have: {', '.join(recipes())}."
                         + nearest(name, recipes()))
    values = read_yaml(text, name)
    if not isinstance(values, dict):
        raise ValueError(f"{name}: a recipe is a mapping of sections, a {type(values).__name__} came.")
    base = values.pop("base", None)
    return _merge(read_recipe(str(base), here), values) if base else values


def read_yaml(text: str, name: str) -> Any:
    """YAML text -> plain values. Raises ValueError, one line, calling the text `name`, also if it is empty."""
    if not any(line.partition("#")[0].strip() for line in text.splitlines()):
        raise ValueError(f"{name}: the file is empty; it holds no key.")
    try:
        return OmegaConf.to_container(OmegaConf.create(text))
    except RecursionError:  # omegaconf 2.3; 2.4 raises a YAMLError
        raise ValueError(f"{name}: not valid YAML (an alias of itself).") from None
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ValueError(f"{name}: not valid YAML ({' '.join(str(error).split())}).") from None


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Deep merge. A component whose `name` changes is replaced whole: the old one's arguments are not the new one's."""
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            another = "name" in value and value["name"] != old.get("name")
            merged[key] = value if another else _merge(old, value)
        else:
            merged[key] = value
    return merged


def _without_null_components(values: dict[str, Any]) -> dict[str, Any]:
    """`losses.perceptual: null` takes an inherited component away, and so does `fuser: null`."""
    values = {key: {} if entry is None and key in ("features", "encoder", "fuser", "decoder") else entry
              for key, entry in values.items()}
    for key in ("discriminators", "losses"):
        if isinstance(values.get(key), dict):
            values[key] = {name: entry for name, entry in values[key].items() if entry is not None}
    metrics = values.get("evaluation", {}).get("metrics") if isinstance(values.get("evaluation"), dict) else None
    if isinstance(metrics, dict):
        values["evaluation"] = values["evaluation"] | {
            "metrics": {name: entry for name, entry in metrics.items() if entry is not None}}
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
        elif isinstance(value, dict) != (default is dict):
            raise ValueError(f"{prefix}{key}: {value!r} came. A mapping is {'expected' if default is dict else 'not allowed'}.")


def _check_values(config: Config) -> None:
    for key, allowed in ALLOWED.items():
        value: Any = config
        for part in key.split("."):
            value = getattr(value, part)
        if value not in allowed:
            raise ValueError(f"{key}: {value!r} came. Allowed: {', '.join(allowed)}." + nearest(str(value), allowed))
    for key, number in (("train.steps", config.train.steps), ("train.batch_size", config.train.batch_size),
                        ("train.save_every", config.train.save_every), ("train.keep_last", config.train.keep_last),
                        ("data.segments", config.data.segments), ("evaluation.runs", config.evaluation.runs),
                        ("logging.scalars_every", config.logging.scalars_every),
                        ("logging.images_every", config.logging.images_every)):
        if number < 1:
            raise ValueError(f"{key}: {number} came. Allowed: 1 or more.")
    if not 0 <= config.data.flip <= 1:
        raise ValueError(f"data.flip: {config.data.flip} came. Allowed: a probability, 0 to 1.")
    low_high = config.data.clip_seconds
    if len(low_high) != 2 or not 0 < low_high[0] <= low_high[1]:
        raise ValueError(f"data.clip_seconds: {low_high} came. Allowed: [shortest, longest], in seconds above 0.")
    if sorted(config.train.update_order) != ["discriminator", "generator"]:
        raise ValueError(f"train.update_order: {config.train.update_order} came. Allowed: [discriminator, generator] "
                         "or [generator, discriminator].")
    if (config.data.segments > 1) != bool(config.fuser):
        raise ValueError(f"fuser: {config.fuser.get('name') or 'none'} came with data.segments {config.data.segments}. "
                         "Allowed: a fuser with segments above 1, none with 1.")
    if bool(config.train.init_from) != bool(config.train.init_modules):
        raise ValueError(f"train.init_modules: {config.train.init_modules} came with train.init_from {config.train.init_from}. "
                         "Allowed: both or neither; init_modules lists the parts to take, such as [encoder, decoder].")
    plan = config.optimizer
    if sum(way is not None for way in (plan.decay_from, plan.inverse_decay, plan.step_decay)) > 1:
        raise ValueError("optimizer: decay_from, inverse_decay and step_decay exclude each other. Set the others to null.")
    if plan.step_decay is not None and (len(plan.step_decay) != 2 or plan.step_decay[1] < 1):
        raise ValueError(f"optimizer.step_decay: {plan.step_decay} came. Allowed: [factor, steps], steps 1 or more.")
    if config.evaluation.faces_per_speaker is not None and config.evaluation.faces_per_speaker < 1:
        raise ValueError(f"evaluation.faces_per_speaker: {config.evaluation.faces_per_speaker} came. Allowed: 1 or more, or null "
                         "for all of them.")
    if not config.evaluation.seconds or min(config.evaluation.seconds) <= 0:
        raise ValueError(f"evaluation.seconds: {config.evaluation.seconds} came. Allowed: a list of seconds above 0.")


def _one_line(error: OmegaConfBaseException) -> str:
    key = getattr(error, "full_key", None) or "config"
    return f"{key}: {str(error).splitlines()[0].rstrip('.')}."
