"""What the losses on the embedding alone share: the vector of the speaker's true face."""

from __future__ import annotations

from torch import Tensor

from gan.data.corpus import Corpus
from gan.frozen_nets import VECTOR_NETWORKS, check_dimension, settle_network, vector_net, vectors
from gan.losses.base import Loss, Step


class VectorLoss(Loss):
    """A loss on the embedding (B, E) alone: it should become the vector that a frozen face net gives the speaker's face.

    network: `vggface`, `corpus` or `auto`, see gan/frozen_nets.py; `corpus` is built to the length of the embedding. relu: the
    vector is the net's penultimate layer after its ReLU, not before.
    Losses and face_net features with the same keys share one net and one store of true vectors.
    """

    needs: frozenset[str] = frozenset({"rows"})
    networks = VECTOR_NETWORKS

    def __init__(self, weight: float, embedding_dim: int, corpus: Corpus | None, network: str = "auto", relu: bool = True):
        super().__init__(weight)
        network = settle_network(network, VECTOR_NETWORKS)
        check_dimension(network, embedding_dim, "encoder.embedding_dim")
        self.relu = relu
        # In lists: neither is trained with this module or written into every checkpoint.
        self._vectors = [] if corpus is None else [vectors(network, corpus, embedding_dim, relu)]
        self._net = [] if corpus is None else [vector_net(network, corpus, embedding_dim)]

    def target(self, step: Step) -> Tensor:
        """(B, E) vectors of the batch's true faces, without gradient."""
        return self._vectors[0](step.batch.face_index, step.embedding.device)
