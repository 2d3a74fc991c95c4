"""Adversarial losses on a discriminator's realness score: real against fake, and against a real face of another speaker."""

import torch
from torch import Tensor
from torch.nn import functional as F

from gan.losses.base import Loss, Step

KINDS = ("bce", "lsgan", "hinge", "wgan")


def towards(scores: Tensor, target: float, kind: str) -> Tensor:
    """Mean penalty, a scalar, of realness scores of any shape that should be `target`: 1 or less for real, 0 for fake."""
    scores = scores.float()
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))
    if kind == "lsgan":
        return F.mse_loss(scores, torch.full_like(scores, target))
    if kind == "hinge":
        return F.relu(1 - scores if target > 0 else 1 + scores).mean()
    return -scores.mean() if target > 0 else scores.mean()


class Adversarial(Loss):
    """Discriminator: real towards real_target, fake towards 0, and with `mismatched` a real face with another's voice towards 0.
    Generator: fake towards 1 (hinge, wgan: minus the mean score). Sums over the discriminators named in `discriminators`.

    wgan has no targets. It is the mean score of fake minus that of real; use gradient_penalty with it. With `mismatched` it adds
    the mean score of mismatched minus that of real: without a real term of its own, scores could fall for ever.
    real_target below 1 is one-sided label smoothing. discriminator_weight multiplies the discriminator's half.
    Sources: bce as Goodfellow et al. 2014 (non-saturating), lsgan as Wav2Pix (no sigmoid), hinge as Miyato et al. 2018, wgan as
    Arjovsky et al. 2017.
    """

    def __init__(
        self,
        discriminators: list[str],
        kind: str = "bce",
        weight: float = 1.0,
        discriminator_weight: float = 1.0,
        real_target: float = 1.0,
        mismatched: bool = False,
    ):
        super().__init__(weight)
        if kind not in KINDS:
            raise ValueError(f"kind {kind} came, {', '.join(KINDS)} are allowed.")
        if kind in ("hinge", "wgan") and real_target != 1:
            raise ValueError(f"real_target {real_target} came: {kind} has no target to smooth; leave it at 1.")
        if not 0 < real_target <= 1:
            raise ValueError(f"real_target {real_target} came, more than 0 and at most 1 is allowed.")
        self.discriminators, self.kind, self.real_target, self.mismatched = discriminators, kind, real_target, mismatched
        self.discriminator_weight = discriminator_weight
        self.needs = frozenset({"fake", "mismatched"} if mismatched else {"fake"})

    def generator(self, step: Step) -> Tensor:
        kind = "wgan" if self.kind == "hinge" else self.kind  # without a margin: hinge bounds the discriminator only
        return torch.stack([towards(step.realness("fake", name), 1.0, kind) for name in self.discriminators]).sum()

    def discriminator(self, step: Step) -> Tensor:
        targets = [("real", self.real_target), ("fake", 0.0)]
        if self.mismatched:
            targets += [("mismatched", 0.0)] + ([("real", 1.0)] if self.kind == "wgan" else [])
        return torch.stack(
            [towards(step.realness(which, name), target, self.kind) for name in self.discriminators for which, target in targets]
        ).sum()
