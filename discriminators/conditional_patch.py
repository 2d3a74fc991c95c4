"""Conditional discriminator of SF2F (ACM MM 2022), in its code but in no released recipe: is each patch real, and of this voice?
Written from its published facts.
"""

from torch import Tensor, nn

from discriminators.base import Discriminator, Judgement, PatchStack, tile


class ConditionalPatch(Discriminator):
    """PatchStack, the embedding tiled beside its map, a 3x3 convolution, batch norm, LeakyReLU 0.2, and 6x6 scores (B, 1, 6, 6).

    width: channels of the first layer. features: PatchStack's map, before the embedding joins.
    """

    def __init__(self, embedding_dim: int, image_size: int = 64, width: int = 64):
        super().__init__()
        self.image_size = image_size
        self.stack = PatchStack(image_size, width)
        channels = self.stack.num_features
        self.joint = nn.Sequential(
            nn.Conv2d(channels + embedding_dim, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 1, 1),
        )

    def forward(self, face: Tensor, embedding: Tensor) -> Judgement:
        features = self.stack(face)
        return Judgement(realness=self.joint(tile(embedding, features)), features=features)
