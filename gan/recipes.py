"""Recipes and protocols in YAML: found, read, merged over their bases and under dotted overrides -> Config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan.config import Config, Evaluation, from_dict, nearest, to_dict


def shipped() -> dict[str, Traversable]:
    """The shipped recipes by name: the published systems, and in small/ and tiny/ their reduced forms."""
    return _folder("") | _folder("small") | _folder("tiny")


def recipe_names() -> list[str]:
    """Names of the shipped recipes."""
    return [name for name in shipped() if name != "base"]


def _folder(name: str) -> dict[str, Traversable]:
    """The YAML files of one folder of configs/, by name."""
    folder = resources.files("configs").joinpath(name) if name else resources.files("configs")
    return {
        path.name.removesuffix(".yaml"): path
        for path in sorted(folder.iterdir(), key=lambda path: path.name)
        if path.name.endswith(".yaml")
    }


def protocol_names() -> list[str]:
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
    named = from_dict(values).evaluation  # checked first
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
            raise ValueError(f"{key}: {override.partition('=')[2]!r} is not valid YAML ({str(error).splitlines()[0]}).") from None
        merged = _merge(merged, change)  # type: ignore[arg-type]
    return merged


def changed(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A plain mapping with dotted keys set, unchecked: changed(recipe, {"losses.l1": None, "encoder": {"name": "segan"}})."""
    for key, value in changes.items():
        nested = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        values = _merge(values, nested)
    return values


def read_recipe(name: str, folder: Path) -> dict[str, Any]:
    """The YAML of a recipe merged over its bases, unchecked. A name is looked for in folder, then among the shipped recipes."""
    path = folder / name
    known = shipped()
    if path.is_file():
        text, here = path.read_text(encoding="utf-8"), path.parent
    elif name.removesuffix(".yaml") in known:
        text, here = known[name.removesuffix(".yaml")].read_text(encoding="utf-8"), folder
    else:
        raise ValueError(
            f"{name}: no such file, and no shipped recipe of that name. Have: {', '.join(recipe_names())}."
            + nearest(name, recipe_names())
        )
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
