"""The floor environment tests what setup.cfg promises: the lower bounds are the versions it installs."""

from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]


def _requirements() -> list[Requirement]:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    extras = settings["options.extras_require"]
    lines = settings["options"]["install_requires"] + extras["mediapipe"] + extras["media"]
    return [Requirement(line) for line in lines.split("\n") if line]


def _floor() -> dict[str, Version]:
    pins = (line.split("==") for line in (ROOT / "constraints-floor.txt").read_text().splitlines())
    return {name.lower().replace("_", "-"): Version(version) for name, version in pins}


@pytest.mark.parametrize("requirement", _requirements(), ids=lambda requirement: requirement.name)
def test_every_lower_bound_is_what_the_floor_installs(requirement: Requirement) -> None:
    (lowest,) = (Version(part.version) for part in requirement.specifier if part.operator in (">=", "=="))
    assert _floor()[requirement.name.lower().replace("_", "-")] == lowest
