"""voice2face's discriminator and identity classifier on one face embedding (NeurIPS 2019). Written from its published facts."""

from torch import Tensor, nn

from discriminators.base import Discriminator, Judgement, PlainStack


class SharedTrunk(Discriminator):
    """PlainStack to a face embedding, and two bias-free linear heads on it: realness (B,), identity logits (B, num_identities).
    The voice is not looked at. Published at 64 px; a larger picture gets a level more for each doubling.

    width: channels of the first layer, doubling at each halving. face_dim: of the face embedding.
    """

    items_independent = True

    def __init__(self, num_identities: int, image_size: int = 64, width: int = 32, face_dim: int = 64):
        super().__init__()
        self.image_size = image_size
        self.trunk = PlainStack(image_size, width, map_size=4, num_features=face_dim)
        self.realness = nn.Linear(face_dim, 1, bias=False)
        self.identity = nn.Linear(face_dim, num_identities, bias=False)

    def forward(self, face: Tensor, embedding: Tensor) -> Judgement:
        seen = self.trunk(face).flatten(1)
        return Judgement(realness=self.realness(seen).flatten(), identity_logits=self.identity(seen))
