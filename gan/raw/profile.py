"""Every threshold of a preparation: sections in the order of the stages, read from YAML, each key checked where it is used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from gan.config import nearest, typed
from gan.media.alignment import CropSettings
from gan.media.loudness import LoudnessSettings
from gan.media.measures import FaceFilterSettings
from gan.media.shots import ShotSettings
from gan.media.speaking import SpeakingSettings
from gan.media.speech.base import SpanSettings
from gan.media.tracks import TrackSettings
from gan.raw.limits import Limits, Partition
from gan.raw.look import LookSettings
from gan.raw.people import PeopleSettings
from gan.raw.splits import Splitting
from gan.raw.voices import VoiceSettings
from gan.recipes import overridden, read_yaml

# Raised whenever the same media and settings give other parts than before: all is then read anew.
STAGES_VERSION = 2
# What the stages hang on that read media; whatever else changes, nothing is read again.
READING = ("parts", "speech", "spans", "looks", "shots", "tracks", "crop")


@dataclass(frozen=True)
class Profile:
    """The settings of a preparation, a section a stage."""

    limits: Limits = field(default_factory=Limits)
    parts: Partition = field(default_factory=Partition)
    speech: dict[str, Any] = field(default_factory=lambda: {"name": "silero"})
    spans: SpanSettings = field(default_factory=SpanSettings)
    loudness: LoudnessSettings = field(default_factory=LoudnessSettings)
    looks: LookSettings = field(default_factory=LookSettings)
    shots: ShotSettings = field(default_factory=ShotSettings)
    tracks: TrackSettings = field(default_factory=TrackSettings)
    crop: CropSettings = field(default_factory=CropSettings)
    speaking: SpeakingSettings = field(default_factory=SpeakingSettings)
    voices: VoiceSettings = field(default_factory=VoiceSettings)
    faces: FaceFilterSettings = field(default_factory=FaceFilterSettings)
    people: PeopleSettings = field(default_factory=PeopleSettings)
    splits: Splitting = field(default_factory=Splitting)

    @cached_property
    def stages_key(self) -> str:
        """Twelve hex digits of all that the stages which read media hang on: with another, media are read anew."""
        values = [STAGES_VERSION, {name: value for name, value in self.to_dict().items() if name in READING}]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; typed(Profile, to_dict()) is equal."""
        plain = OmegaConf.to_container(OmegaConf.structured(self))
        assert isinstance(plain, dict)
        return plain  # type: ignore[return-value]

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.to_dict(), sort_keys=False, width=120)


def profile_names() -> list[str]:
    """Names of the shipped profiles."""
    return sorted(path.name.removesuffix(".yaml") for path in resources.files("configs").joinpath("profiles").iterdir())


def load_profile(name: str | Path, overrides: Sequence[str] = ()) -> Profile:
    """A shipped profile's name, or the path of a YAML file; then dotted overrides such as looks.per_second=2.

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
    values = overridden(values, overrides)
    profile = typed(Profile, values)
    detector = (values.get("looks") or {}).get("detector") or {}
    if "name" in detector:  # it comes with its own options, not with those of the default one
        profile = replace(profile, looks=replace(profile.looks, detector=dict(detector)))
    return profile
