"""Wav2Pix's identity head: the speech embedding must tell who speaks. Written from its published facts."""

from torch import Tensor, nn
from torch.nn import functional as F

from gan.losses.base import Loss, Step


class EmbeddingIdentity(Loss):
    """Linear to `hidden`, batch norm, LeakyReLU 0.2, linear to the identities, batch norm on the logits (as published); the
    cross-entropy against the speaker. Trained with the generator.
    """

    def __init__(self, embedding_dim: int, num_identities: int, weight: float, hidden: int = 200):
        super().__init__(weight)
        self.classifier = nn.Sequential(
            nn.Linear(embedding_dim, hidden), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.2),
            nn.Linear(hidden, num_identities), nn.BatchNorm1d(num_identities))

    def generator(self, step: Step) -> Tensor:
        return F.cross_entropy(self.classifier(step.embedding).float(), step.batch.voice_identity)
