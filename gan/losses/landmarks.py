"""Cole et al.'s landmark term."""

from __future__ import annotations

from torch import Tensor

from decoders.base import Decoder
from gan.data.corpus import Corpus
from gan.frozen_nets import landmarks
from gan.losses.base import Loss, Step


class Landmarks(Loss):
    """Mean squared error of the decoder's landmarks (B, 68, 2) against the true face's. x and y are fractions of the picture, so
    a weight holds at any size.
    """

    needs = frozenset({"fake", "rows"})

    def __init__(self, weight: float, corpus: Corpus | None, decoder: Decoder | None):
        super().__init__(weight)
        if not hasattr(decoder, "mean_landmarks"):
            raise ValueError(f"the decoder's landmarks are compared, {type(decoder).__name__} has none: use decoder cole.")
        self._true = [] if corpus is None else [landmarks(corpus)]

    def generator(self, step: Step) -> Tensor:
        drawn = step.parts["landmarks"].float()
        return (drawn - self._true[0](step.batch.face_index, drawn.device)).square().mean()
