"""VGG-Face (Parkhi et al. 2015): VGG-16 that names 2622 people. Its fc7 is what speech2face predicts.

The weights are not part of any package: the user adds vgg_face_dag.pth, the port of the authors' MatConvNet model.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.face_nets.base import VectorNet, read_weights

SIZE = 224
IDENTITIES = 2622
# The port says of itself: mean [129.1863, 104.7624, 93.5940], in the order its input has, so R, G, B. It keeps
# MatConvNet's order; Caffe's and Keras's ports of the same net read B, G, R, with the same mean turned round.
MEAN_RGB = (129.186279296875, 104.76238250732422, 93.59396362304688)
CONVOLUTIONS = (2, 2, 3, 3, 3)


class VggFace(VectorNet):
    """VGG-Face, frozen if its weights are given: 145,002,878 parameters at full width.

    weights: vgg_face_dag.pth; None leaves random ones. num_identities: if it is not the file's, the last layer,
    fc8, stays random, to be trained on other people. width: channels of the first block, 64 as published; all other layers
    are in proportion, fc6 and fc7 (64 width) too.
    Pictures: resized to 224 x 224, RGB in 0..255 less the mean of the training faces.
    Raises ValueError, naming the file and the command that adds it, if it is missing or is something else.
    """

    def __init__(self, weights: str | None = None, num_identities: int = IDENTITIES, width: int = 64):
        super().__init__(num_identities, input_size=SIZE)
        self.vector_dim = 64 * width
        before = 3
        for block, count in enumerate(CONVOLUTIONS, start=1):
            after = min(width << (block - 1), 8 * width)
            for at in range(1, count + 1):
                self.add_module(f"conv{block}_{at}", nn.Conv2d(before, after, 3, padding=1))
                before = after
        self.fc6 = nn.Linear(before * 7 * 7, self.vector_dim)
        self.fc7 = nn.Linear(self.vector_dim, self.vector_dim)
        self.fc8 = nn.Linear(self.vector_dim, num_identities)
        self.dropout = nn.Dropout(0.5)
        if weights is not None:
            self._load(Path(weights))
            self.requires_grad_(False).eval()

    def prepare(self, images: Tensor) -> Tensor:
        """Pictures in [0, 1] of any size -> (B, 3, 224, 224), RGB in 0..255, the mean taken off."""
        scaled = (super().prepare(images) + 1) * 127.5
        return scaled - torch.tensor(MEAN_RGB, device=images.device).view(3, 1, 1)

    def features(self, images: Tensor) -> list[Tensor]:
        """The five blocks' outputs, after their pooling, and fc7 after its ReLU (B, 4096)."""
        taps = self._maps(images)
        return [*taps, F.relu(self._dense(taps[-1]))]

    def vector(self, images: Tensor) -> Tensor:
        return self._dense(self._maps(images)[-1])

    def name(self, vector: Tensor) -> Tensor:
        return self.fc8(self.dropout(vector))

    def _maps(self, images: Tensor) -> list[Tensor]:
        maps = []
        hidden = self.prepare(images)
        for block, count in enumerate(CONVOLUTIONS, start=1):
            for at in range(1, count + 1):
                hidden = F.relu(self.get_submodule(f"conv{block}_{at}")(hidden))
            hidden = F.max_pool2d(hidden, 2)
            maps.append(hidden)
        return maps

    def _dense(self, maps: Tensor) -> Tensor:
        return self.fc7(self.dropout(F.relu(self.fc6(maps.flatten(1)))))

    def _load(self, path: Path) -> None:
        state = read_weights(path, partial(_error, path))
        last = state.get("fc8.bias")
        if isinstance(last, Tensor) and last.shape != (self.num_identities,):
            state = state | {"fc8.weight": self.fc8.weight, "fc8.bias": self.fc8.bias}
        try:
            self.load_state_dict(state)
        except (RuntimeError, TypeError, AttributeError):
            raise _error(path, "does not hold the layers conv1_1 to fc8 of VGG-Face") from None


def _error(path: Path, what: str) -> ValueError:
    return ValueError(
        f"{path}: {what}. Get vgg_face_dag.pth from its authors (voxface assets list --long says where) and run: "
        "voxface assets add vgg-face FILE"
    )
