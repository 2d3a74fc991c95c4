"""speech2face's decoder term: the predicted vector must mean the same face to a frozen face decoder (Oh et al. 2019)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from decoders.base import Decoder
from gan.data.corpus import Corpus
from gan.losses._vector import VectorLoss
from gan.losses.base import Step


class DecoderFeatures(VectorLoss):
    """Sum of |difference| of the decoder's first layer (its trunk_features) on the true and on the predicted vector, mean over
    the batch. The decoder must be frozen: otherwise it could make both sides zero.
    """

    def __init__(
        self,
        weight: float,
        embedding_dim: int,
        corpus: Corpus | None,
        decoder: Decoder | None,
        network: str = "auto",
        relu: bool = True,
    ):
        super().__init__(weight, embedding_dim, corpus, network, relu)
        if decoder is None or not hasattr(decoder, "trunk_features"):
            raise ValueError(f"the decoder's trunk_features are compared, {type(decoder).__name__} has none: use decoder cole.")
        if any(parameter.requires_grad for parameter in decoder.parameters()):
            raise ValueError(
                "the decoder must be frozen, this one is being trained. "
                "Set train.frozen=[decoder], and train.init_from to a trained one."
            )
        self._decoder: list[Any] = [decoder]  # in a list: it is not this loss's to train or to save

    def generator(self, step: Step) -> Tensor:
        decoder = self._decoder[0]
        true, predicted = decoder.trunk_features(self.target(step)), decoder.trunk_features(step.embedding)
        return (true.float() - predicted.float()).abs().sum(1).mean()
