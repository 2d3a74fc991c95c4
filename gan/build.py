"""A name in a config -> an object. The only door to encoders/, decoders/, discriminators/ and evaluation/.

A family is the package that holds a base class in its module `base`: encoders.base.Encoder -> encoders/*.py. The folder is the
registry: `{name: segan}` is the public subclass defined in encoders/segan.py; a name with a dot is the path of a class elsewhere.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from gan.config import Config, nearest

T = TypeVar("T")
FAMILIES = ("encoders", "decoders", "discriminators", "evaluation", "configs")
OURS = ("gan", *FAMILIES)


def check_not_shadowed() -> None:
    """Our top-level names are common words: refuse to run with somebody else's `encoders` or `evaluation`."""
    home = Path(__file__).resolve().parent.parent
    for family in FAMILIES:
        spec = importlib.util.find_spec(family)
        found = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if found is None or found.parent != home:
            raise ValueError(
                f"{family}: imported from {found or 'nowhere'}, not from {home}. "
                "Another package of that name stands in the way: rename it or run from another folder."
            )


def names(base: type) -> list[str]:
    """The component names a family offers: the modules beside its base, but for helpers, whose names begin with `_`."""
    package = importlib.import_module(base.__module__.removesuffix(".base"))
    return sorted(
        module.name
        for module in pkgutil.iter_modules(package.__path__)
        if module.name != "base" and not module.name.startswith("_") and not module.ispkg
    )


def find(base: type[T], name: str, key: str) -> type[T]:
    """The class a component name stands for. Raises ValueError naming the key, what there is and the nearest spelling."""
    family = base.__module__.removesuffix(".base")
    if "." in name:
        module_name, _, class_name = name.rpartition(".")
        try:
            found = getattr(importlib.import_module(module_name), class_name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(f"{key}.name: {name} cannot be imported ({error}).") from error
        if not (inspect.isclass(found) and issubclass(found, base)):
            raise ValueError(f"{key}.name: {name} is not a subclass of {base.__module__}.{base.__name__}.")
        return found
    if name not in names(base):
        raise ValueError(
            f"{key}.name: no file {family.replace('.', '/')}/{name}.py. Have: {', '.join(names(base))}."
            + nearest(name, names(base))
            + " For a class elsewhere give its dotted path."
        )
    module = importlib.import_module(f"{family}.{name}")
    classes = [
        c
        for c in vars(module).values()
        if inspect.isclass(c)
        and issubclass(c, base)
        and c is not base
        and c.__module__ == module.__name__
        and not c.__name__.startswith("_")
    ]
    assert len(classes) == 1, f"{module.__name__} must define one public subclass of {base.__name__}, has {len(classes)}"
    return classes[0]


def build(base: type[T], section: Mapping[str, Any], key: str, **given: Any) -> T:
    """The component a config section names, built.

    key: where the section stands, for messages. given: what only the caller knows (sizes, number of identities); each is passed
    if the constructor asks for it. A parameter annotated with another family's base class is built from its own section.
    """
    component, arguments = arguments_of(base, section, key, **given)
    try:
        return component(**arguments)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def arguments_of(base: type[T], section: Mapping[str, Any], key: str, **given: Any) -> tuple[type[T], dict[str, Any]]:
    """The class a config section names and what it would be built with, checked like build but not built."""
    if not isinstance(section, Mapping) or not isinstance(section.get("name"), str):
        raise ValueError(f"{key}: a section reads {{name: ..., ...}}, {section!r} came. Have: {', '.join(names(base))}.")
    component = find(base, section["name"], key)
    hints = typing.get_type_hints(component.__init__)
    parameters = {p.name: p for p in inspect.signature(component).parameters.values()}
    arguments = {name: value for name, value in given.items() if name in parameters}
    allowed = [name for name in parameters if name not in given]
    for name, value in section.items():
        if name == "name":
            continue
        if name not in allowed:
            raise ValueError(
                f"{key}.{name}: {section['name']} takes no such argument. "
                f"Allowed: {', '.join(allowed) or 'none'}." + nearest(name, allowed)
            )
        arguments[name] = _argument(hints.get(name), value, f"{key}.{name}")
    missing = [name for name in allowed if parameters[name].default is inspect.Parameter.empty and name not in arguments]
    if missing:
        raise ValueError(f"{key}: {section['name']} needs {', '.join(missing)}.")
    return component, arguments


def _argument(hint: Any, value: Any, key: str) -> Any:
    """A config value for a parameter of that annotation: nested component, or a plain value of the right type."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    options = [h for h in (typing.get_args(hint) if union else (hint,)) if h is not type(None)]
    for option in options:
        if inspect.isclass(option) and option.__module__.endswith(".base") and isinstance(value, Mapping):
            return build(option, value, key)
    if hint is None or (value is None and type(None) in typing.get_args(hint)):
        return value
    plain = {list if origin is Sequence else origin for origin in (typing.get_origin(o) or o for o in options)}
    if float in plain and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    known = tuple(p for p in plain if p in (int, float, bool, str, list, dict))
    if known and (not isinstance(value, known) or (isinstance(value, bool) and bool not in known)):
        raise ValueError(f"{key}: {value!r} came. Allowed: {' or '.join(p.__name__ for p in known)}.")
    return value


def foreign_code(config: Config) -> list[tuple[str, str]]:
    """The classes from outside voxface that a config names: the key of each, and its dotted path."""
    found = []

    def walk(value: Any, key: str) -> None:
        if isinstance(value, Mapping):
            name = value.get("name")
            if isinstance(name, str) and "." in name and name.partition(".")[0] not in OURS:
                found.append((f"{key}.name", name))
            for inner, entry in value.items():
                walk(entry, f"{key}.{inner}")

    for section in ("features", "encoder", "fuser", "decoder", "discriminators", "losses"):
        walk(getattr(config, section), section)
    walk(config.evaluation.metrics, "evaluation.metrics")
    return found


def refuse_foreign_code(config: Config, allowed: tuple[str, ...]) -> None:
    """A config found in a run folder may name only our own classes, or those of modules the user allows.

    Raises ValueError naming the key and the option that allows it.
    """
    for key, name in foreign_code(config):
        if name.partition(".")[0] not in allowed:
            raise ValueError(
                f"{key}: {name} is code from outside voxface, named by a saved config. "
                f"If you trust it: --allow-code {name.partition('.')[0]}."
            )
