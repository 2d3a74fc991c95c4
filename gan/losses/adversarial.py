"""Adversarial losses on a discriminator's realness score: real against fake, and against a real face of another speaker."""

import torch
from torch import Tensor
from torch.nn import functional as F

from gan.losses.base import Loss, Step


def towards(scores: Tensor, target: float, kind: str) -> Tensor:
    """Mean penalty of realness scores that should be `target`: 1 or a smoothed value for real, 0 for fake."""
    scores = scores.float()
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))
    if kind == "lsgan":
        return F.mse_loss(scores, torch.full_like(scores, target))
    return F.relu(1 - scores if target > 0 else 1 + scores).mean()


KINDS = ("bce", "lsgan", "hinge")


class Adversarial(Loss):
    """Discriminator: real towards real_target, fake towards 0, and with `mismatched` a real face with another's voice towards 0.
    Generator: fake towards 1 (hinge: minus the mean score). Sums over the discriminators named in `discriminators`.

    real_target below 1 is one-sided label smoothing. discriminator_weight multiplies the discriminator's half.
    Sources: bce as Goodfellow et al. 2014 (non-saturating), lsgan as Wav2Pix (no sigmoid), hinge as Miyato et al. 2018.
    """

    def __init__(self, discriminators: list[str], kind: str = "bce", weight: float = 1.0, discriminator_weight: float = 1.0,
                 real_target: float = 1.0, mismatched: bool = False):
        super().__init__(weight)
        if kind not in KINDS:
            raise ValueError(f"kind {kind} came, {', '.join(KINDS)} are allowed.")
        if kind == "hinge" and real_target != 1:
            raise ValueError("real_target: hinge has a margin, not a target; leave it at 1.")
        self.discriminators, self.kind, self.real_target, self.mismatched = discriminators, kind, real_target, mismatched
        self.discriminator_weight = discriminator_weight
        self.needs = frozenset({"mismatched"} if mismatched else ())

    def _scores(self, step: Step, which: str, name: str) -> Tensor:
        scores = step.judged[which][name].realness
        assert scores is not None, f"{name} gives no realness"
        return scores

    def generator(self, step: Step) -> Tensor:
        scores = [self._scores(step, "fake", name) for name in self.discriminators]
        if self.kind == "hinge":
            return torch.stack([-s.float().mean() for s in scores]).sum()
        return torch.stack([towards(s, 1.0, self.kind) for s in scores]).sum()

    def discriminator(self, step: Step) -> Tensor:
        targets = {"real": self.real_target, "fake": 0.0} | ({"mismatched": 0.0} if self.mismatched else {})
        return torch.stack([towards(self._scores(step, which, name), target, self.kind)
                            for name in self.discriminators for which, target in targets.items()]).sum()
