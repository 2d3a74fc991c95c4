"""Perceptual loss on a frozen face net, as SF2F uses FaceNet."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from evaluation.face_nets.base import FaceNet
from evaluation.face_training import trained_face_net
from gan import assets
from gan.build import build, find
from gan.config import Config
from gan.data.corpus import Corpus
from gan.data.faces import from_pixel_space
from gan.losses.base import Loss, Step

NETWORKS = ("auto", "facenet", "corpus")
# Not 0: the nets that judge are trained from other seeds, besides being of other architectures.
SEED = 9173


class Perceptual(Loss):
    """Mean absolute difference at each tap of a frozen face net, deeper taps counting more (..., 1/16, 1/8, 1/4, 1), summed over
    resolutions. The real side has no gradient.

    network: `facenet` (SF2F's own; the user adds its weights), `corpus` (a small residual net, trained once on the corpus's
    training speakers and cached), or `auto`: facenet if its weights were added, else corpus; a run's config names which.
    cache_mb: real faces' features are kept, up to this much memory, instead of being computed again each step.
    """

    def __init__(self, weight: float, pixel_space: str, corpus: Corpus | None, network: str = "auto", cache_mb: int = 1024):
        super().__init__(weight)
        if network not in NETWORKS:
            raise ValueError(f"network {network} came, {', '.join(NETWORKS)} are allowed.")
        self.pixel_space, self.cache_bytes = pixel_space, cache_mb << 20
        self._real: dict[tuple[int, int], list[Tensor]] = {}
        self._real_bytes = 0
        # In a list, so that the frozen net is neither trained nor written into every checkpoint.
        self._network: list[nn.Module] = [] if corpus is None else [_frozen_network(network, corpus)]

    def generator(self, step: Step) -> Tensor:
        terms = []
        for size, fake in step.fake.items():
            real = self._real_taps(size, step)
            drawn = self._taps(fake)
            weights = [*(2.0 ** -(depth + 1) for depth in range(len(drawn) - 1, 0, -1)), 1.0]
            terms += [w * (a.float() - b.float()).abs().mean() for w, a, b in zip(weights, drawn, real, strict=True)]
        return torch.stack(terms).sum()

    def _taps(self, faces: Tensor) -> list[Tensor]:
        net: Any = self._network[0].to(faces.device)
        return net.features(from_pixel_space(faces, self.pixel_space))

    @torch.no_grad()
    def _real_taps(self, size: int, step: Step) -> list[Tensor]:
        """The features of the batch's real faces, from the cache where they are there."""
        faces = step.real[size]
        keys = [(size, index) for index in step.batch.face_index.tolist()]
        missing = [at for at, key in enumerate(keys) if key not in self._real]
        computed: dict[tuple[int, int], list[Tensor]] = {}
        if missing:
            taps = self._taps(faces[missing])
            for row, at in enumerate(missing):
                computed[keys[at]] = [tap[row] for tap in taps]
            for key, entry in computed.items():
                count = sum(t.nbytes for t in entry)
                if self._real_bytes + count <= self.cache_bytes:
                    self._real[key] = [t.clone() for t in entry]
                    self._real_bytes += count
        rows = [self._real.get(key) or computed[key] for key in keys]
        return [torch.stack(tap) for tap in zip(*rows, strict=True)]


def _frozen_network(network: str, corpus: Corpus) -> nn.Module:
    if network == "auto":
        network = _choose()
    if network == "facenet":
        weights = str(assets.find("facenet-vggface2"))
        net: nn.Module = build(FaceNet, {"name": "inception", "weights": weights, "face_box": list(corpus.face_box)},
                               "losses.perceptual.network")
    else:
        faces = corpus.in_split(corpus.faces, "train")
        net, _ = trained_face_net(find(FaceNet, "residual", "losses.perceptual.network"),
                                  corpus.pixels(faces, min(corpus.face_sizes)), corpus.faces["speaker"][faces], SEED)
    return net.eval().requires_grad_(False)


def _choose() -> str:
    try:
        assets.find("facenet-vggface2")
    except ValueError:
        return "corpus"
    return "facenet"


def settle_network(config: Config) -> None:
    """Write into the config which network `auto` stands for here, so that run hash and saved config name it."""
    for section in config.losses.values():
        if section.get("name") == "perceptual" and section.get("network", "auto") == "auto":
            section["network"] = _choose()
