"""Optimisers, the schedule of their learning rates, and the moving average of the generator."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel

from gan.config import Adam, Optimizer
from gan.losses.base import Losses
from gan.model import Generator, Model
from gan.training.step import Optimizers


class Average(AveragedModel):
    """A moving average of the generator's weights; its batch-norm statistics are the generator's own."""

    @property
    def generator(self) -> Generator:
        assert isinstance(self.module, Generator)
        return self.module


def make_optimizers(plan: Optimizer, model: Model, losses: Losses) -> Optimizers:
    return Optimizers(generator_adam(plan, model, losses), _discriminator_adam(plan, model), plan.clip_gradient)


def generator_adam(plan: Optimizer, model: Model, losses: Losses) -> torch.optim.Optimizer:
    parameters = [p for module in (model.generator, losses) for p in module.parameters() if p.requires_grad]
    return _adam([{"params": parameters, "spared": False}], plan.generator)


def _discriminator_adam(plan: Optimizer, model: Model) -> torch.optim.Optimizer | None:
    groups = [
        {"params": parameters, "spared": name in plan.decay_spares}
        for name, module in model.discriminators.items()
        if (parameters := [p for p in module.parameters() if p.requires_grad])
    ]
    if not groups:
        return None
    for name in plan.decay_spares:
        if name not in model.discriminators:
            raise ValueError(f"optimizer.decay_spares: no discriminator {name}. Have: {', '.join(model.discriminators)}.")
    return _adam(groups, plan.discriminator)


def _adam(groups: list[dict[str, Any]], settings: Adam) -> torch.optim.Optimizer:
    return torch.optim.Adam(
        groups, lr=settings.learning_rate, betas=(settings.betas[0], settings.betas[1]), eps=settings.epsilon, fused=True
    )


def set_rates(plan: Optimizer, optimizers: Optimizers, step: int, steps: int) -> None:
    """The learning rates of a step of a training of so many."""
    factor = 1.0
    if plan.decay_from is not None and step > plan.decay_from:
        factor = 1 + (plan.decay_to - 1) * ((step - plan.decay_from) / max(steps - plan.decay_from, 1))
    elif plan.inverse_decay is not None:
        factor = 1 / (1 + plan.inverse_decay * step)
    elif plan.step_decay is not None:
        factor = plan.step_decay[0] ** (step // plan.step_decay[1])
    for optimizer, adam in ((optimizers.generator, plan.generator), (optimizers.discriminator, plan.discriminator)):
        for group in optimizer.param_groups if optimizer is not None else ():
            group["lr"] = adam.learning_rate * (1.0 if group["spared"] else factor)
