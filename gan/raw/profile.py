"""Every threshold of a preparation: sections in the order of the stages, read from YAML, each key checked where it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from gan.config import nearest, typed
from gan.recipes import overridden, read_yaml

# Raised whenever the same media and settings give other parts than before: all is then read anew.
STAGES_VERSION = 1


@dataclass(frozen=True)
class Limits:
    """What one item may cost. Beyond it the item is listed as failed."""

    memory_gb: float = 4.0
    part_minutes: float = 20.0
    hours: float = 12.0  # of stated length

    def __post_init__(self) -> None:
        for name in ("memory_gb", "part_minutes", "hours"):
            if getattr(self, name) <= 0:
                raise ValueError(f"limits.{name}: {getattr(self, name)} came. Allowed: above 0.")


@dataclass(frozen=True)
class Profile:
    """The settings of a preparation."""

    limits: Limits = field(default_factory=Limits)
    speech: dict[str, Any] = field(default_factory=lambda: {"name": "silero"})

    @cached_property
    def stages_key(self) -> str:
        """Twelve hex digits of all that the stages which read media hang on: with another, media are read anew."""
        return "todo"

    def to_yaml(self) -> str:
        return yaml.safe_dump(OmegaConf.to_container(OmegaConf.structured(self)), sort_keys=False, width=120)


def profile_names() -> list[str]:
    """Names of the shipped profiles."""
    return sorted(path.name.removesuffix(".yaml") for path in resources.files("configs").joinpath("profiles").iterdir())


def load_profile(name: str | Path, overrides: Sequence[str] = ()) -> Profile:
    """A shipped profile's name, or the path of a YAML file; then dotted overrides such as looking.per_second=2.

    Raises ValueError, one line, naming the key.
    """
    file = Path(name)
    if file.is_file():
        text = file.read_text(encoding="utf-8")
    elif str(name) in profile_names():
        text = resources.files("configs").joinpath("profiles", f"{name}.yaml").read_text(encoding="utf-8")
    else:
        known = profile_names()
        raise ValueError(
            f"--profile: no file and no shipped profile {name}. Have: {', '.join(known)}." + nearest(str(name), known)
        )
    values = read_yaml(text, str(name))
    if not isinstance(values, dict):
        raise ValueError(f"{name}: a profile is a mapping of sections, a {type(values).__name__} came.")
    return typed(Profile, overridden(values, overrides))
