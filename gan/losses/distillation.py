"""speech2face's distillation: the predicted vector must name people as the true one does (Oh et al. 2019, after Hinton 2015)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from gan.data.corpus import Corpus
from gan.losses._vector import VectorLoss
from gan.losses.base import Step


class Distillation(VectorLoss):
    """Cross-entropy of the frozen net's last layer on the predicted vector against the same on the true one, mean over the batch.

    temperature: divides both sides' logits. The least value is the entropy of the true side, not 0.
    If the vector is from before its ReLU, the ReLU is applied first, as in the net.
    """

    def __init__(
        self,
        weight: float,
        embedding_dim: int,
        corpus: Corpus | None,
        network: str = "auto",
        relu: bool = True,
        temperature: float = 2.0,
    ):
        super().__init__(weight, embedding_dim, corpus, network, relu)
        if not temperature > 0:
            raise ValueError(f"temperature {temperature} came, above 0 is allowed.")
        self.temperature = temperature

    def generator(self, step: Step) -> Tensor:
        true, predicted = self._logits(self.target(step)), self._logits(step.embedding.float())
        return F.cross_entropy(predicted / self.temperature, (true / self.temperature).softmax(1))

    def _logits(self, vector: Tensor) -> Tensor:
        net = self._net[0].to(vector.device)
        return net.name(vector if self.relu else F.relu(vector)).float()
