"""Gradient penalty of Gulrajani et al. 2017 (arXiv:1704.00028, equation 3), which holds a wgan critic to slope 1."""

import torch
from torch import Tensor

from gan.losses.base import Loss, Step


def face_gradient(scores: Tensor, faces: dict[int, Tensor]) -> Tensor:
    """Gradient of the summed scores in the faces they were given to, (B, 3, px, px), itself differentiable.

    Other sizes, which the discriminator does not read, are passed over.
    """
    sizes = [faces[size] for size in sorted(faces)]
    gradients = torch.autograd.grad(scores.sum(), sizes, create_graph=True, allow_unused=True)
    return next(gradient for gradient in gradients if gradient is not None)


class GradientPenalty(Loss):
    """Discriminator: (|gradient| - 1)^2, mean over random mixtures of a real and a drawn face, summed over `discriminators`. The
    generator has no part in it.

    |gradient|: Euclidean length of the critic's gradient in each face. Of a patch map the critic is the mean score, as in the
    adversarial loss. discriminator_weight: the paper's lambda. Meant for discriminators without batch norm: with it, one
    item's score depends on the others' faces (the paper's section 4). It works with it too.
    """

    needs = frozenset({"fake", "interpolated"})

    def __init__(self, discriminators: list[str], discriminator_weight: float = 10.0):
        super().__init__(0.0)
        if discriminator_weight < 0:
            raise ValueError(f"discriminator_weight {discriminator_weight} came, 0 or more is allowed.")
        self.discriminators, self.discriminator_weight = discriminators, discriminator_weight

    def discriminator(self, step: Step) -> Tensor:
        terms = []
        for name in self.discriminators:
            scores = step.realness("interpolated", name)
            gradient = face_gradient(scores.float().flatten(1).mean(1) if scores.ndim > 1 else scores, step.interpolated)
            terms.append((torch.linalg.vector_norm(gradient.flatten(1), dim=1) - 1).square().mean())
        return torch.stack(terms).sum()
