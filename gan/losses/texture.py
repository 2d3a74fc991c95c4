"""Cole et al.'s texture term: the drawn texture against the photograph warped to the mean shape."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from decoders.base import Decoder
from gan.data.corpus import Corpus
from gan.data.faces import to_pixel_space
from gan.frozen_nets import OfFaces, landmarks
from gan.losses.base import Loss, Step


class Texture(Loss):
    """Mean absolute difference, in the decoder's pixel space, of its texture and the true face registered by the decoder itself
    (from the face's landmarks to the decoder's mean ones; a decoder that does not warp registers nothing).

    cache_mb: registered faces are kept, up to this much memory, instead of being warped again each step.
    """

    needs = frozenset({"fake", "rows"})

    def __init__(self, weight: float, pixel_space: str, corpus: Corpus | None, decoder: Decoder | None, cache_mb: int = 1024):
        super().__init__(weight)
        if not hasattr(decoder, "register"):
            raise ValueError(f"the decoder's texture is compared, {type(decoder).__name__} has none: use decoder cole.")
        self._decoder: list[Any] = [decoder]  # in a list: it is not this loss's to train or to save
        self._registered = [] if corpus is None else [self._of(corpus, pixel_space, cache_mb << 20)]

    def generator(self, step: Step) -> Tensor:
        drawn = step.parts["texture"].float()
        return (drawn - self._registered[0](step.batch.face_index, drawn.device)).abs().mean()

    def _of(self, corpus: Corpus, pixel_space: str, max_bytes: int) -> OfFaces:
        decoder, known = self._decoder[0], landmarks(corpus)

        def make(rows: list[int], device: torch.device) -> Tensor:
            pictures = torch.from_numpy(corpus.pixels(rows, max(decoder.image_sizes))).to(device)
            with torch.autocast(device.type, enabled=False):
                return decoder.register(to_pixel_space(pictures, pixel_space), known(torch.tensor(rows), device))

        return OfFaces(make, max_bytes)
