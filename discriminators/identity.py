"""Identity discriminator of SF2F (ACM MM 2022): real or drawn, and whose face. Written from its published facts."""

from torch import Tensor, nn

from discriminators.base import Discriminator, Judgement, PatchStack


class Identity(Discriminator):
    """PatchStack, mean over the map, a linear layer, and two linear heads: realness (B,) and identity logits (B, num_identities).

    width: channels of the first layer; hidden: of the linear layer.
    """

    def __init__(self, num_identities: int, image_size: int = 64, width: int = 64, hidden: int = 1024):
        super().__init__()
        self.image_size = image_size
        self.stack = PatchStack(image_size, width)
        self.hidden = nn.Linear(self.stack.num_features, hidden)
        self.realness = nn.Linear(hidden, 1)
        self.identity = nn.Linear(hidden, num_identities)

    def forward(self, face: Tensor, embedding: Tensor) -> Judgement:
        hidden = self.hidden(self.stack(face).mean(dim=(2, 3)))
        return Judgement(realness=self.realness(hidden).flatten(), identity_logits=self.identity(hidden))
