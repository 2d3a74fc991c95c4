"""Image discriminator of SF2F (ACM MM 2022): real or drawn, patch by patch. Written from its published facts."""

from torch import Tensor, nn

from discriminators.base import Discriminator, Judgement, PatchStack


class Image(Discriminator):
    """PatchStack, then a 1x1 convolution to 6x6 patch scores (B, 1, 6, 6). The voice is not looked at.

    width: channels of the first layer.
    """

    def __init__(self, image_size: int = 64, width: int = 64):
        super().__init__()
        self.image_size = image_size
        self.stack = PatchStack(image_size, width)
        self.last = nn.Conv2d(self.stack.num_features, 1, 1)

    def forward(self, face: Tensor, embedding: Tensor) -> Judgement:
        features = self.stack(face)
        return Judgement(realness=self.last(features), features=features)
