"""speech2face's normalised regression to the face's vector (Oh et al. 2019): the direction counts, not the length."""

from torch import Tensor
from torch.nn import functional as F

from gan.losses._vector import VectorLoss
from gan.losses.base import Step


class FeatureCosine(VectorLoss):
    """Squared distance of true and predicted vector, each brought to length 1 (lengths below 1e-12 count as that), mean over the
    batch: 2 - 2 cosine, from 0 to 4.
    """

    def generator(self, step: Step) -> Tensor:
        true, predicted = (F.normalize(vector, eps=1e-12) for vector in (self.target(step), step.embedding.float()))
        return (true - predicted).square().sum(1).mean()
