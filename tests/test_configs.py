"""Every shipped recipe builds, says what it is, and survives a round trip."""

import pytest
import yaml

from gan import config as configuration
from gan.model import build_model


@pytest.mark.parametrize("recipe", configuration.recipes())
def test_recipe_builds(recipe: str) -> None:
    config = configuration.load(recipe)
    assert build_model(config, num_identities=7)
    assert configuration.from_dict(configuration.to_dict(config)) == config
    assert configuration.from_dict(yaml.safe_load(configuration.to_yaml(config))) == config


@pytest.mark.parametrize("recipe", configuration.recipes())
def test_recipe_keys_are_words(recipe: str) -> None:
    """YAML 1.1 reads a bare `on` or `no` as a truth value: such a key would vanish quietly."""
    def walk(value: object) -> None:
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value), value
            for entry in value.values():
                walk(entry)

    walk(yaml.safe_load(configuration.shipped()[recipe].read_text(encoding="utf-8")))
