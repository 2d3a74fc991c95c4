"""The speech embedding must tell who speaks: Wav2Pix's identity head, voice2face's pretraining. Written from published facts."""

from torch import Tensor, nn
from torch.nn import functional as F

from gan.losses.base import Loss, Step


class EmbeddingIdentity(Loss):
    """Cross-entropy of a classifier on the embedding (B, E). It is trained with the generator and needs no drawn face.

    hidden: width of Wav2Pix's classifier: linear, batch norm, LeakyReLU 0.2, linear to the identities, batch norm on the logits
    too (as published). None: one linear layer to the identities, the head of a plain speaker classifier.
    """

    needs = frozenset()

    def __init__(self, embedding_dim: int, num_identities: int, weight: float, hidden: int | None = 200):
        super().__init__(weight)
        if hidden is not None and hidden < 1:
            raise ValueError(f"hidden {hidden} came, 1 or more, or null for one linear layer, is allowed.")
        self.classifier: nn.Module = (
            nn.Linear(embedding_dim, num_identities)
            if hidden is None
            else nn.Sequential(
                nn.Linear(embedding_dim, hidden),
                nn.BatchNorm1d(hidden),
                nn.LeakyReLU(0.2),
                nn.Linear(hidden, num_identities),
                nn.BatchNorm1d(num_identities),
            )
        )

    def generator(self, step: Step) -> Tensor:
        return F.cross_entropy(self.classifier(step.embedding).float(), step.batch.voice_identity)
