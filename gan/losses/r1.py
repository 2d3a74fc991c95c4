"""R1 of Mescheder et al. 2018 (arXiv:1801.04406, equation 9): the discriminator is to be flat on real faces."""

import torch
from torch import Tensor

from gan.losses.base import Loss, Step
from gan.losses.gradient_penalty import face_gradient


class R1(Loss):
    """Discriminator: gamma / 2 times the squared length of the score's gradient in a real face, mean over faces, summed over
    `discriminators`. The generator has no part in it.

    The scores of a patch map are summed. gamma / 2 is the discriminator_weight: the logged term is without it.
    """

    needs = frozenset({"real_gradient"})

    def __init__(self, discriminators: list[str], gamma: float = 10.0):
        super().__init__(0.0)
        if gamma < 0:
            raise ValueError(f"gamma {gamma} came, 0 or more is allowed.")
        self.discriminators, self.discriminator_weight = discriminators, gamma / 2

    def discriminator(self, step: Step) -> Tensor:
        terms = []
        for name in self.discriminators:
            scores = step.realness("real", name)
            terms.append(face_gradient(scores, step.real).square().flatten(1).sum(1).mean())
        return torch.stack(terms).sum()
