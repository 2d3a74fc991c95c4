"""Auxiliary classifier of identities in a discriminator, as SF2F trains it."""

from torch import Tensor
from torch.nn import functional as F

from gan.losses.base import Loss, Step


class Identity(Loss):
    """Cross-entropy of the identity logits, summed over `discriminators`: they learn on real faces only, and the generator is to
    be recognised as the speaker.
    """

    def __init__(self, discriminators: list[str], weight: float, discriminator_weight: float = 1.0):
        super().__init__(weight)
        self.discriminators, self.discriminator_weight = discriminators, discriminator_weight

    def _cross_entropy(self, step: Step, which: str, labels: Tensor) -> Tensor:
        terms = []
        for name in self.discriminators:
            logits = step.judged[which][name].identity_logits
            assert logits is not None, f"{name} gives no identity logits"
            terms.append(F.cross_entropy(logits.float(), labels))
        return sum(terms[1:], terms[0])

    def generator(self, step: Step) -> Tensor:
        return self._cross_entropy(step, "fake", step.batch.voice_identity)

    def discriminator(self, step: Step) -> Tensor:
        return self._cross_entropy(step, "real", step.batch.face_identity)
