"""Perceptual loss on a frozen face net, as SF2F uses FaceNet."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.faces import FaceBox, check_face_box, crop_and_resize
from gan.data.corpus import Corpus
from gan.data.faces import from_pixel_space
from gan.frozen_nets import CHUNK, PICTURE_NETWORKS, picture_net, settle_network
from gan.losses.base import Loss, Step


class Perceptual(Loss):
    """Mean absolute difference at each tap of a frozen face net, deeper taps counting more (..., 1/16, 1/8, 1/4, 1), summed over
    resolutions. The real side has no gradient.

    network: `facenet` (SF2F's own; the user adds its weights), `corpus` (a small residual net, trained once on the corpus's
    training speakers and cached), or `auto`: facenet if its weights were added, else corpus; a run's config names which.
    taps: which of the net's feature maps, numbered from 0, the shallowest; all by default. Each keeps its weight.
    face_box: left, top, right, bottom, fractions of the picture: what the net sees of it. By default facenet sees the corpus's
    face box, as in SF2F, and the corpus net the whole picture, as it was trained.
    embedding_weight: of 1 - cosine at the deepest tap, SF2F's optional extra; `weight` multiplies it too.
    cache_mb: real faces' features are kept, up to this much memory, instead of being computed again each step.
    """

    needs = frozenset({"fake", "rows"})
    networks = PICTURE_NETWORKS

    def __init__(
        self,
        weight: float,
        pixel_space: str,
        corpus: Corpus | None,
        network: str = "auto",
        taps: list[int] | None = None,
        face_box: list[float] | None = None,
        embedding_weight: float = 0.0,
        cache_mb: int = 1024,
    ):
        super().__init__(weight)
        network = settle_network(network, PICTURE_NETWORKS)
        if taps is not None and (not taps or len(set(taps)) != len(taps)):
            raise ValueError(f"taps {taps} came, one or more different numbers are allowed, or null for all.")
        if embedding_weight < 0:
            raise ValueError(f"embedding_weight {embedding_weight} came, 0 or more is allowed.")
        self.face_box = None if face_box is None else _face_box(face_box)
        self.pixel_space, self.embedding_weight, self.cache_bytes = pixel_space, embedding_weight, cache_mb << 20
        self._real: dict[tuple[int, int], list[Tensor]] = {}
        self._real_bytes = 0
        # In a list, so that the frozen net is neither trained nor written into every checkpoint.
        self._network: list[nn.Module] = []
        # Depth of each feature map that is kept, and its weight.
        self._weights: dict[int, float] = {}
        if corpus is not None:
            self._look_through(picture_net(network, corpus), taps)

    def _look_through(self, net: Any, taps: list[int] | None) -> None:
        if self.face_box is not None and hasattr(net, "face_box"):
            net = copy.copy(net)  # the weights stay shared, the box is ours
            net.face_box, self.face_box = self.face_box, None
        with torch.no_grad():
            count = len(net.features(torch.zeros(1, 3, 64, 64)))
        taps = list(range(count)) if taps is None else sorted(taps)
        if taps[0] < 0 or taps[-1] >= count:
            raise ValueError(f"taps {taps} came, this network has 0 to {count - 1}.")
        self._weights = {depth: 1.0 if depth == count - 1 else 2.0 ** (depth - count) for depth in taps}
        if self.embedding_weight:
            self._weights.setdefault(count - 1, 0.0)
        self._network = [net]

    def generator(self, step: Step) -> Tensor:
        terms = []
        for size, fake in step.fake.items():
            real, drawn = self._real_taps(size, step), self._taps(fake)
            terms += [
                weight * (a.float() - b.float()).abs().mean()
                for weight, a, b in zip(self._weights.values(), drawn, real, strict=True)
                if weight
            ]
            if self.embedding_weight:
                cosine = F.cosine_similarity(drawn[-1].float().flatten(1), real[-1].float().flatten(1))
                terms.append(self.embedding_weight * (1 - cosine).mean())
        return torch.stack(terms).sum()

    def _taps(self, faces: Tensor) -> list[Tensor]:
        net: Any = self._network[0].to(faces.device)
        images = from_pixel_space(faces, self.pixel_space)
        if self.face_box is not None:
            images = crop_and_resize(images, self.face_box, net.input_size)
        taps = net.features(images)
        return [taps[depth] for depth in self._weights]

    @torch.no_grad()
    def _real_taps(self, size: int, step: Step) -> list[Tensor]:
        """The features of the batch's real faces, from the cache where they are there."""
        faces = step.real[size]
        keys = [(size, index) for index in step.batch.face_index.tolist()]
        missing = [at for at, key in enumerate(keys) if key not in self._real]
        computed: dict[tuple[int, int], list[Tensor]] = {}
        # See CHUNK: which are missing tells whether a run was interrupted. On a GPU few are slow, and last bits not promised.
        together = CHUNK if faces.device.type == "cpu" else max(len(missing), 1)
        for start in range(0, len(missing), together):
            chunk = missing[start : start + together]
            taps = self._taps(faces[chunk + chunk[-1:] * (together - len(chunk))])
            computed |= {keys[at]: [tap[row] for tap in taps] for row, at in enumerate(chunk)}
        for key, entry in computed.items():
            count = sum(t.nbytes for t in entry)
            if self._real_bytes + count <= self.cache_bytes:
                self._real[key] = [t.clone() for t in entry]
                self._real_bytes += count
        rows = [self._real.get(key) or computed[key] for key in keys]
        return [torch.stack(tap) for tap in zip(*rows, strict=True)]


def _face_box(numbers: list[float]) -> FaceBox:
    if len(numbers) != 4:
        raise ValueError(f"face_box: {numbers}; needs four fractions: left, top, right, bottom.")
    left, top, right, bottom = map(float, numbers)
    check_face_box((left, top, right, bottom))
    return left, top, right, bottom
