"""The contract of a loss: what it sees of a step, and which half of the GAN it drives."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, field

from torch import Tensor, nn

from discriminators.base import Judgement
from gan.data.dataset import Batch


@dataclass(frozen=True)
class Step:
    """Everything a loss may read.

    embedding: (B, E). real, fake: {px: (B, 3, px, px)} in the decoder's pixel space.
    judged: judged["real" | "fake" | "mismatched" | "interpolated"][discriminator name].
    parts: the decoder's intermediate results. interpolated: random mixtures of real and fake.
    What only some losses look at is there only if one of them needs it.
    """

    batch: Batch
    embedding: Tensor
    real: dict[int, Tensor]
    fake: dict[int, Tensor]
    judged: dict[str, dict[str, Judgement]]
    parts: dict[str, Tensor] = field(default_factory=dict)
    interpolated: dict[int, Tensor] = field(default_factory=dict)

    def realness(self, which: str, name: str) -> Tensor:
        """A discriminator's scores, (B,) or (B, 1, h, w), of those faces. Raises ValueError if it gives none."""
        scores = self.judged[which][name].realness
        if scores is None:
            raise ValueError(f"discriminators: {name} gives no realness score.")
        return scores


class Loss(nn.Module, ABC):
    """A term of the GAN's losses. Its generator and discriminator return it for that half: a scalar before the weight, or None.

    weight multiplies the generator's term, discriminator_weight the discriminator's.
    needs: what the step must provide.
        fake            faces are drawn; a loss on the embedding alone does without
        mismatched      faces of other speakers, judged
        real            real faces, judged in the generator's half too
        real_gradient   in the discriminator's half real faces carry a gradient
        rows            faces are looked up by their row in the corpus, so none may be mirrored
        interpolated    mixtures of real and fake, carrying a gradient, judged in the discriminator's half
    A loss's own parameters are trained with the generator.
    """

    needs: frozenset[str] = frozenset({"fake"})
    weight: float
    discriminator_weight: float = 1.0

    def __init__(self, weight: float):
        super().__init__()
        if weight < 0:
            raise ValueError(f"weight {weight} came, 0 or more is allowed; to leave a loss out set its section to null.")
        self.weight = weight

    def generator(self, step: Step) -> Tensor | None:
        return None

    def discriminator(self, step: Step) -> Tensor | None:
        return None


class Losses(nn.ModuleDict):
    """The losses of a recipe, by the names the recipe gives them."""

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(need for loss in self.values() if isinstance(loss, Loss) for need in loss.needs)

    def terms(self, half: str, step: Step) -> tuple[Tensor | None, dict[str, Tensor]]:
        """A half's weighted sum, a scalar (None if no loss has a part in it), and every unweighted term, detached."""
        total, logs = None, {}
        for name, loss in self.items():
            assert isinstance(loss, Loss)
            term = loss.generator(step) if half == "generator" else loss.discriminator(step)
            if term is not None:
                weighted = term * (loss.weight if half == "generator" else loss.discriminator_weight)
                total = weighted if total is None else total + weighted
                logs[f"loss/{half[0]}/{name}"] = term.detach()
        return total, logs
