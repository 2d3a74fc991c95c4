"""Auxiliary classifier of identities in a discriminator, as SF2F and voice2face train it."""

from torch import Tensor
from torch.nn import functional as F

from gan.losses.base import Loss, Step


class Identity(Loss):
    """Cross-entropy of the identity logits, summed over `discriminators`. They learn on real faces; the generator learns to be
    recognised as the speaker.

    fakes: the discriminators also learn that a drawn face is the speaker's (AC-GAN, Odena et al. 2017); not so in SF2F and
    voice2face.
    """

    def __init__(self, discriminators: list[str], weight: float, discriminator_weight: float = 1.0, fakes: bool = False):
        super().__init__(weight)
        self.discriminators, self.discriminator_weight, self.fakes = discriminators, discriminator_weight, fakes

    def _cross_entropy(self, step: Step, which: str, labels: Tensor) -> Tensor:
        terms = []
        for name in self.discriminators:
            logits = step.judged[which][name].identity_logits
            if logits is None:
                raise ValueError(f"discriminators: {name} gives no identity logits.")
            terms.append(F.cross_entropy(logits.float(), labels))
        return sum(terms[1:], terms[0])

    def generator(self, step: Step) -> Tensor:
        return self._cross_entropy(step, "fake", step.batch.voice_identity)

    def discriminator(self, step: Step) -> Tensor:
        real = self._cross_entropy(step, "real", step.batch.face_identity)
        return real + self._cross_entropy(step, "fake", step.batch.voice_identity) if self.fakes else real
