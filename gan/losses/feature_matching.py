"""Feature matching (Salimans et al. 2016), as Wav2Pix uses it."""

from torch import Tensor
from torch.nn import functional as F

from gan.distributed import batch_mean
from gan.losses.base import Loss, Step


class FeatureMatching(Loss):
    """Mean squared difference of the batch means of features on fake and on real faces, summed over `discriminators`."""

    needs = frozenset({"fake", "real"})

    def __init__(self, discriminators: list[str], weight: float):
        super().__init__(weight)
        self.discriminators = discriminators

    def generator(self, step: Step) -> Tensor:
        terms = []
        for name in self.discriminators:
            fake, real = (step.judged[which][name].features for which in ("fake", "real"))
            if fake is None or real is None:
                raise ValueError(f"discriminators: {name} gives no features.")
            terms.append(F.mse_loss(batch_mean(fake.float()), batch_mean(real.float())))
        return sum(terms[1:], terms[0])
