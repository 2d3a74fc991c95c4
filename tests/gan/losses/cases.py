"""A step with known numbers, for the tests of losses."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from discriminators.base import Discriminator, Judgement
from gan.data.dataset import Batch
from gan.losses.base import Step


def step(
    real: float | Tensor = 1.0,
    fake: float | Tensor = 0.0,
    mismatched: float | Tensor = 0.0,
    *,
    size: int = 2,
    real_face: float = 0.5,
    fake_face: float = 0.25,
    batch: int = 4,
) -> Step:
    """Discriminators d and e score every real, fake and mismatched face as said; faces are of one value each."""
    labels = torch.arange(batch) % 3

    def judged(score: float | Tensor) -> dict[str, Judgement]:
        realness = score if isinstance(score, Tensor) else torch.full((batch,), score)
        logits = torch.zeros(batch, 3)
        features = realness.detach().view(-1, 1, 1, 1).expand(-1, 2, 4, 4)
        return dict.fromkeys("de", Judgement(realness, logits, features))

    face = torch.full((batch, 3, size, size), real_face)
    drawn = torch.full((batch, 3, size, size), fake_face, requires_grad=True)
    data = Batch(torch.zeros(batch, 8), torch.full((batch,), 8), face, torch.empty(0), labels, labels, torch.arange(batch))
    return Step(
        data,
        torch.zeros(batch, 6),
        {size: face},
        {size: drawn},
        {"real": judged(real), "fake": judged(fake), "mismatched": judged(mismatched)},
    )


class Linear(Discriminator):
    """Scores are slope times the sum of a face's values."""

    image_size = 2

    def __init__(self, slope: float, patches: bool = False):
        super().__init__()
        self.slope, self.patches = nn.Parameter(torch.tensor(slope)), patches

    def forward(self, face: Tensor, embedding: Tensor) -> Judgement:
        if self.patches:
            return Judgement(realness=self.slope * face.sum(1, keepdim=True))
        return Judgement(realness=self.slope * face.sum((1, 2, 3)))


def differentiable_step(
    discriminators: Mapping[str, Discriminator], faces: Tensor | None = None, other_size: int | None = None
) -> Step:
    """Discriminators that judge for themselves, on faces that carry a gradient.

    faces: (B, 3, px, px), the same as real, drawn and mixed. other_size: px of a second resolution, which none of them reads.
    """
    faces = torch.ones(4, 3, 2, 2) if faces is None else faces
    sizes = [faces.shape[-1]] + ([] if other_size is None else [other_size])

    def copies() -> dict[int, Tensor]:
        return {
            size: faces.clone().requires_grad_()
            if size == sizes[0]
            else torch.zeros(len(faces), 3, size, size, requires_grad=True)
            for size in sizes
        }

    embedding = torch.zeros(len(faces), 6, dtype=faces.dtype)
    given = {"real": copies(), "fake": copies(), "interpolated": copies()}
    judged = {
        which: {name: discriminator(by_size[sizes[0]], embedding) for name, discriminator in discriminators.items()}
        for which, by_size in given.items()
    }
    batch = step(batch=len(faces)).batch
    return Step(batch, embedding, given["real"], given["fake"], judged, interpolated=given["interpolated"])
