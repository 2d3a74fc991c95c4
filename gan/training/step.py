"""The GAN step, alone: one generator pass, then both halves in the recipe's order. It knows no architecture and no paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan.data.dataset import Batch
from gan.distributed import average_gradients
from gan.losses.base import Losses, Step
from gan.model import Drawing, Model


@dataclass
class Optimizers:
    """clip_gradient: largest norm of a half's gradient, or None."""

    generator: torch.optim.Optimizer
    discriminator: torch.optim.Optimizer | None
    clip_gradient: float | None = None


def gan_step(
    model: Model, losses: Losses, optimizers: Optimizers, batch: Batch, update_order: list[str], measure: bool = False
) -> dict[str, Tensor]:
    """One update of each half on one generator pass. Returns scalar tensors for the log, still on the device.

    measure: also return gradient norms and mean scores, which cost a little.
    """
    drawing = model.generator(model.generator.source(batch), draw="fake" in losses.needs)
    halves = {"discriminator": discriminator_half, "generator": generator_half}
    logs: dict[str, Tensor] = {}
    for half in update_order:
        with parametrize.cached():  # weights stand still within a half: spectral norm is computed once in it, not each pass
            logs |= halves[half](model, losses, optimizers, batch, drawing, measure)
    return logs


def discriminator_half(
    model: Model, losses: Losses, optimizers: Optimizers, batch: Batch, drawing: Drawing, measure: bool
) -> dict[str, Tensor]:
    """Tell real, fake and mismatched apart. detach() leaves the generator out of this update."""
    if optimizers.discriminator is None:
        return {}
    condition, real = drawing.embedding.detach(), model.resolutions(batch.face)
    if "real_gradient" in losses.needs:
        real = {size: face.detach().requires_grad_() for size, face in real.items()}
    fake = {size: face.detach() for size, face in drawing.faces.items()}
    faces = {"real": real, "fake": fake}
    if "mismatched" in losses.needs:
        faces["mismatched"] = model.resolutions(batch.mismatched_face)
    if "interpolated" in losses.needs:
        share = torch.rand(len(batch.face), 1, 1, 1, device=batch.face.device)
        faces["interpolated"] = {
            size: torch.lerp(fake[size].float(), real[size].detach(), share).requires_grad_() for size in real
        }
    judged = model.judge(faces, condition)
    logs = descend(
        "discriminator",
        optimizers.discriminator,
        optimizers.clip_gradient,
        losses,
        Step(batch, condition, real, fake, judged, interpolated=faces.get("interpolated", {})),
        measure,
    )
    if measure:
        logs |= {
            f"score/{name}/{which}": judgement.realness.detach().float().mean()
            for which, by_name in judged.items()
            for name, judgement in by_name.items()
            if judgement.realness is not None
        }
    return logs


def generator_half(
    model: Model, losses: Losses, optimizers: Optimizers, batch: Batch, drawing: Drawing, measure: bool
) -> dict[str, Tensor]:
    """Be taken for real, and resemble the speaker. The discriminators judge, but their weights get no gradient."""
    embedding, fake, parts = drawing
    real = model.resolutions(batch.face) if fake else {}
    with frozen(model.discriminators):
        judged = model.judge({"fake": fake}, embedding)
        if "real" in losses.needs:
            with torch.no_grad():
                judged |= model.judge({"real": real}, embedding)
        return descend(
            "generator",
            optimizers.generator,
            optimizers.clip_gradient,
            losses,
            Step(batch, embedding, real, fake, judged, parts),
            measure,
        )


def descend(
    half: str, optimizer: torch.optim.Optimizer, clip_gradient: float | None, losses: Losses, step: Step, measure: bool
) -> dict[str, Tensor]:
    """Sum a half's losses, and step down their gradient."""
    total, logs = losses.terms(half, step)
    if total is None:
        return logs
    if not total.requires_grad:
        raise ValueError(f"losses: those of the {half}'s half depend on nothing that is trained. See train.frozen.")
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    average_gradients(parameters)
    if clip_gradient is not None:
        logs[f"gradient/{half[0]}"] = nn.utils.clip_grad_norm_(parameters, clip_gradient)
    elif measure:
        logs[f"gradient/{half[0]}"] = nn.utils.get_total_norm([p.grad for p in parameters])
    optimizer.step()
    return logs | {f"loss/{half[0]}": total.detach()}


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within, the module's weights get no gradient; what flows through it still does."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
