"""What a frozen face net says of the speaker's own face: the input of face-to-face systems (Cole et al. 2017)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from evaluation.face_nets.base import VectorNet
from gan.data.corpus import Corpus
from gan.features.base import Features
from gan.frozen_nets import (
    VECTOR_NETWORKS,
    VGG_FACE_DIM,
    check_dimension,
    describe,
    empty_vector_net,
    settle_network,
    vector_net,
    vectors,
)


class FaceVector(Features):
    """The penultimate layer of a frozen face net, as one frame of `dimension` channels.

    network: `vggface` (fc7; the user adds its weights, dimension 4096), `corpus` (a VGG-style net trained once on the corpus's
    training faces, and written into checkpoints), or `auto`: vggface if its weights were added, else corpus; a run's config names
    which. relu: after the layer's ReLU, not before; before it, the vectors of two people differ less.
    corpus: None where weights will be loaded.
    """

    reads = "face"
    networks = VECTOR_NETWORKS

    def __init__(self, corpus: Corpus | None, network: str = "auto", dimension: int = VGG_FACE_DIM, relu: bool = True):
        super().__init__()
        network = settle_network(network, VECTOR_NETWORKS)
        check_dimension(network, dimension, "dimension")
        self.num_channels, self.relu = dimension, relu
        self._vectors = [] if corpus is None else [vectors(network, corpus, dimension, relu)]
        self.net: VectorNet | None = None  # VGG-Face's 580 MB are the user's already: no checkpoint repeats them
        if network == "corpus":
            self.net = empty_vector_net(dimension)
            if corpus is not None:
                trained = vector_net(network, corpus, dimension).state_dict()
                self.net.load_state_dict({name: value for name, value in trained.items() if not name.startswith("classify.")})
        self._vgg_face: list[Any] = []

    def train(self, mode: bool = True) -> FaceVector:
        """Always in evaluation mode: it is a fixed function of the picture."""
        return super().train(False)

    def samples(self, frames: int) -> int:
        return 0

    @torch.no_grad()
    def forward(self, faces: Tensor, face_index: Tensor) -> tuple[Tensor, Tensor]:
        """faces: (B, 3, H, W) RGB in [0, 1]. face_index: (B,) rows in the corpus, whose vectors are kept; or -1, even if only one
        is: then the pictures are looked at.

        Returns (B, dimension, 1), and 1 for each item.
        """
        if self._vectors and bool((face_index >= 0).all()):
            vector = self._vectors[0](face_index, faces.device)
        else:
            vector = describe(self._net(faces.device), faces, self.relu)
        return vector[:, :, None], torch.ones(len(faces), dtype=torch.int64, device=faces.device)

    def _net(self, device: torch.device) -> VectorNet:
        if self.net is not None:
            return self.net
        if not self._vgg_face:  # read when first used, so that a model can be counted without the weights
            self._vgg_face.append(vector_net("vggface", None, self.num_channels))
        return self._vgg_face[0].to(device)
