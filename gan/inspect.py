"""A recipe -> its modules, parameters, shapes and FLOPs, without a corpus and without training."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from discriminators.base import Discriminator
from gan.config import Config
from gan.model import Model, Source, build_losses, build_model, evaluating


def inspect(config: Config, num_identities: int) -> list[dict[str, Any]]:
    """One entry a module: path, class, parameters (count), shapes (ordered), buffers, flops.

    flops: of one forward of one item (two operations a multiply-add), at the longest crop the recipe trains on; an encoder's
    is for one segment.
    """
    model = build_model(config, num_identities)
    generator = model.generator
    modules: dict[str, nn.Module] = {
        name: module
        for name, module in (
            ("features", generator.features),
            ("encoder", generator.encoder),
            ("fuser", generator.fuser),
            ("decoder", generator.decoder),
        )
        if module is not None
    }
    modules |= {f"discriminators.{name}": module for name, module in model.discriminators.items()}
    modules |= {f"losses.{name}": loss for name, loss in build_losses(config, model, num_identities, corpus=None).items()}
    flops = _flops(model, config)
    return [
        dict(
            path=path,
            **{"class": f"{type(module).__module__}.{type(module).__qualname__}"},
            parameters=sum(p.numel() for p in module.parameters()),
            shapes=[list(p.shape) for p in module.parameters()],
            buffers=sum(b.numel() for b in module.buffers()),
            flops=flops.get(path, 0),
        )
        for path, module in modules.items()
    ]


@torch.no_grad()
def _flops(model: Model, config: Config) -> dict[str, int]:
    def cost(call: Any, *arguments: Any) -> tuple[int, Any]:
        with FlopCounterMode(display=False) as counter:
            result = call(*arguments)
        return counter.get_total_flops(), result

    generator = model.generator
    samples, flops = generator.window_samples, {}
    with evaluating(model):
        if generator.reads == "face":
            size = generator.image_sizes[-1]
            source = Source(torch.zeros(1, 3, size, size), torch.full((1,), -1))
        else:
            source = Source(torch.zeros(1, samples), torch.tensor([samples]))
        flops["features"], (features, frames) = cost(generator.features, *source)
        flops["encoder"], embedding = cost(generator.encoder, features, frames)
        if generator.fuser is not None:
            segments = config.data.segments
            flops["fuser"], embedding = cost(
                generator.fuser, embedding[:, None].expand(-1, segments, -1), torch.ones(1, segments, dtype=torch.bool)
            )
        if generator.decoder is not None:
            flops["decoder"], faces = cost(generator.decoder, embedding)
        for name, discriminator in model.discriminators.items():
            assert isinstance(discriminator, Discriminator)
            flops[f"discriminators.{name}"], _ = cost(discriminator, faces[discriminator.image_size], embedding)
    return flops


def table(entries: list[dict[str, Any]]) -> str:
    """The same for a person, as Markdown."""
    lines = ["| module | class | parameters | tensors | buffers | MFLOPs |", "|---|---|--:|--:|--:|--:|"]
    lines += [
        f"| {e['path']} | {e['class']} | {e['parameters']:,} | {len(e['shapes'])} | {e['buffers']:,} | {e['flops'] / 1e6:,.1f} |"
        for e in entries
    ]
    lines.append(f"| total | | {sum(e['parameters'] for e in entries):,} | | | |")
    return "\n".join(lines)
