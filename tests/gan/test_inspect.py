import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gan.build import build
from gan.inspect import inspect, table
from gan.losses.base import Loss
from gan.model import Source, build_model
from gan.recipes import load, recipe_names
from tests.recipes import SMALL

FIELDS = {"path", "class", "parameters", "shapes", "buffers", "flops"}


@pytest.mark.parametrize("recipe", [recipe for recipe in recipe_names() if recipe.endswith("-tiny")])
def test_totals_are_the_models(recipe: str) -> None:
    config = load(recipe)
    entries = {entry["path"]: entry for entry in inspect(config, 7)}
    model = build_model(config, 7)
    modules = dict(model.generator.named_children())
    modules |= {f"discriminators.{name}": module for name, module in model.discriminators.items()}
    assert list(entries) == [*modules, *(f"losses.{name}" for name in config.losses)]
    for path, module in modules.items():
        assert set(entries[path]) == FIELDS
        assert entries[path]["class"] == f"{type(module).__module__}.{type(module).__name__}"
        assert entries[path]["parameters"] == sum(p.numel() for p in module.parameters())
        assert entries[path]["shapes"] == [list(p.shape) for p in module.parameters()]
        assert entries[path]["buffers"] == sum(b.numel() for b in module.buffers())
    everything = sum(entries[path]["parameters"] for path in modules)
    assert everything == sum(p.numel() for p in model.parameters())


def test_the_number_of_identities_sizes_the_heads() -> None:
    config = load("wav2pix-64", SMALL["wav2pix-64"])
    head = {
        count: next(e for e in inspect(config, count) if e["path"] == "losses.embedding_identity")["parameters"]
        for count in (7, 17)
    }
    assert head[17] - head[7] == 10 * (200 + 1 + 2)  # weights, bias, batch norm
    built = build(
        Loss, config.losses["embedding_identity"], "l", embedding_dim=128, num_identities=7, pixel_space="unit", corpus=None
    )
    assert head[7] == sum(p.numel() for p in built.parameters())


def test_flops_are_of_one_forward_at_the_longest_crop() -> None:
    config = load("sf2f-64", SMALL["sf2f-64"])
    model = build_model(config, 7).eval()
    samples = round(config.data.clip_seconds[1] * 16_000)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.generator(Source(torch.zeros(1, samples), torch.tensor([samples])))
    entries = {entry["path"]: entry["flops"] for entry in inspect(config, 7)}
    assert entries["features"] + entries["encoder"] + entries["decoder"] == counter.get_total_flops() > 0
    assert entries["discriminators.image"] > 0
    longer = inspect(load("sf2f-64", [*SMALL["sf2f-64"], "data.clip_seconds=[0.3, 0.8]"]), 7)
    assert longer[1]["flops"] > 1.5 * entries["encoder"]
    assert longer[2]["flops"] == entries["decoder"]


def test_the_table_is_for_people_and_the_list_is_json() -> None:
    entries = inspect(load("wav2pix-64", SMALL["wav2pix-64"]), 7)
    assert json.loads(json.dumps(entries)) == entries
    lines = table(entries).splitlines()
    assert len(lines) == 2 + len(entries) + 1
    assert len({line.count("|") for line in lines}) == 1
    encoder = next(line for line in lines if line.startswith("| encoder |"))
    assert "encoders.segan.Segan" in encoder
    assert f"{entries[1]['parameters']:,}" in encoder
    assert f"| {sum(entry['parameters'] for entry in entries):,} |" in lines[-1]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", recipe_names())
def test_every_recipe_can_be_inspected(recipe: str) -> None:
    config = load(recipe)
    entries = inspect(config, config.data.published_identities)
    assert all(
        entry["flops"] > 0
        for entry in entries
        if entry["parameters"] and entry["path"].startswith(("encoder", "fuser", "decoder", "discriminators"))
    )
