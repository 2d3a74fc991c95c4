"""Every shipped recipe builds, says what it is, and survives a round trip."""

from pathlib import Path

import pytest
import yaml

from evaluation.tables.layout import layout_of
from gan import config as configuration
from gan import recipes
from gan.model import build_model
from gan.sweep.plan import load

SWEEPS = sorted((Path(__file__).parent.parent / "configs" / "sweeps").glob("*.yaml"), key=lambda path: path.name)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", recipes.recipe_names())
def test_recipe_builds(recipe: str) -> None:
    config = recipes.load(recipe)
    assert build_model(config, num_identities=7)
    assert configuration.from_dict(configuration.to_dict(config)) == config
    assert configuration.from_dict(yaml.safe_load(configuration.to_yaml(config))) == config


@pytest.mark.parametrize("recipe", recipes.recipe_names())
def test_recipe_keys_are_words(recipe: str) -> None:
    """YAML 1.1 reads a bare `on` or `no` as a truth value: such a key would vanish quietly."""

    def walk(value: object) -> None:
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value), value
            for entry in value.values():
                walk(entry)

    walk(yaml.safe_load(recipes.shipped()[recipe].read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_sweep_is_planned(path: Path) -> None:
    """Every cell builds; the table has a line for each, and what a paper printed stands in columns that are there."""
    plan = load(path)
    layout = layout_of(plan.file.table)
    labels = {cell.label for cell in plan.cells}
    assert {row.system for row in layout.rows} in (set(), labels)
    metrics = plan.cells[0].config.evaluation.metrics
    names = {*metrics, *(section["name"] for section in metrics.values())}
    for column in layout.columns:
        assert column.metric is None or any(column.metric.startswith(name) for name in names), column.metric
    assert f"configs/sweeps/{path.name}" in path.read_text(encoding="utf-8")  # the command that runs it
