"""Cole et al.'s identity term: a frozen face net must take the drawing for the person in the photograph."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from decoders.base import Decoder
from gan.data.corpus import Corpus
from gan.data.faces import from_pixel_space
from gan.frozen_nets import PICTURE_NETWORKS, identities, picture_net, settle_network
from gan.losses.base import Loss, Step


class RenderingIdentity(Loss):
    """1 - cosine of the frozen net's deepest features on the largest drawn face and on the true one, mean over the batch. The
    gradient goes through the net and whatever drew the face.

    network: `facenet` (the user adds its weights), `corpus` (a small residual net, trained once on the corpus's training faces),
    or `auto`: facenet if its weights were added, else corpus; a run's config names which.
    """

    needs = frozenset({"fake", "rows"})
    networks = PICTURE_NETWORKS

    def __init__(self, weight: float, pixel_space: str, corpus: Corpus | None, decoder: Decoder | None, network: str = "auto"):
        super().__init__(weight)
        network = settle_network(network, PICTURE_NETWORKS)
        self.pixel_space = pixel_space
        # In lists: neither the frozen net nor what it says of the true faces is trained or written into every checkpoint.
        self._net = [] if corpus is None else [picture_net(network, corpus)]
        self._true = [] if corpus is None or decoder is None else [identities(network, corpus, max(decoder.image_sizes))]

    def generator(self, step: Step) -> Tensor:
        drawn = from_pixel_space(step.fake[max(step.fake)], self.pixel_space)
        vector = self._net[0].to(drawn.device).features(drawn)[-1].flatten(1).float()
        return (1 - F.cosine_similarity(vector, self._true[0](step.batch.face_index, drawn.device))).mean()
