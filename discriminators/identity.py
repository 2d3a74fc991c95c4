"""Identity discriminator of SF2F (ACM MM 2022): real or drawn, and whose face. Written from its published facts."""

from torch import Tensor, nn

from discriminators.base import Discriminator, Judgement, PatchStack, PlainStack

# First layer's channels as published.
WIDTHS = {"patch": 64, "voice2face": 32}


class Identity(Discriminator):
    """Convolutions, mean over the map, a linear layer, two linear heads: realness (B,) and identity logits (B, num_identities).

    stack: `patch`, SF2F's own with batch norm, 64 or 128 px; or `voice2face`, that of SF2F's voice2face baseline: no norm, and so
    items_independent. width: channels of the first layer, 64 and 32 by default; hidden: of the linear layer.
    """

    def __init__(
        self, num_identities: int, image_size: int = 64, stack: str = "patch", width: int | None = None, hidden: int = 1024
    ):
        super().__init__()
        if stack not in WIDTHS:
            raise ValueError(f"stack {stack} came, {' or '.join(WIDTHS)} is allowed.")
        width = WIDTHS[stack] if width is None else width
        self.image_size, self.items_independent = image_size, stack == "voice2face"
        self.stack: PatchStack | PlainStack = (
            PatchStack(image_size, width)
            if stack == "patch"
            else PlainStack(image_size, width, map_size=8, num_features=2 * width * (image_size // 8))
        )
        self.hidden = nn.Linear(self.stack.num_features, hidden)
        self.realness = nn.Linear(hidden, 1)
        self.identity = nn.Linear(hidden, num_identities)

    def forward(self, face: Tensor, embedding: Tensor) -> Judgement:
        hidden = self.hidden(self.stack(face).mean(dim=(2, 3)))
        return Judgement(realness=self.realness(hidden).flatten(), identity_logits=self.identity(hidden))
