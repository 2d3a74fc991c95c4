"""speech2face's plain regression to the face's vector."""

from torch import Tensor

from gan.losses._vector import VectorLoss
from gan.losses.base import Step


class FeatureL1(VectorLoss):
    """Sum over the vector of |true - predicted|, (B, E) each, mean over the batch."""

    def generator(self, step: Step) -> Tensor:
        return (self.target(step) - step.embedding.float()).abs().sum(1).mean()
