"""Face decoder of Speech2Face (CVPR 2019) after Cole et al. (CVPR 2017): where the face's points lie, what it looks like with
its points in the mean shape, and a warp that brings the two together. Written from their published facts.

The text's form: {image_size: 224, num_landmarks: 72, warp: {}}. The public PyTorch implementation's: {image_size: 224, trunk:
[3072, 2048], landmark_hidden: [1024, 512, 256], batch_norm: true, num_landmarks: 72, output: sigmoid, warp: null}.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from decoders.base import Decoder
from decoders.geometry.warp import check_settings, warp

# The published call, where a smaller number of settings is given.
_WARP = {"order": 1, "regularisation": 0.1, "border": 2}
# face_recognition's dictionary, by the number of each point in the 68-point model: the lips come as two closed outlines, so that
# points 48, 54, 60 and 64 come twice.
_OF_72 = [*range(48), *range(48, 55), 64, 63, 62, 61, 60, *range(54, 60), 48, 60, 67, 66, 65, 64]
# x, y in thousandths of the picture: the mean of the toy world's faces, made symmetric and its lips parted.
_TEMPLATE = (
    (241, 492),
    (245, 558),
    (253, 625),
    (267, 690),
    (292, 751),
    (333, 804),
    (383, 847),
    (439, 881),
    (500, 892),
    (561, 881),
    (617, 847),
    (667, 804),
    (708, 751),
    (733, 690),
    (747, 625),
    (755, 558),
    (759, 492),  # jaw
    (290, 445),
    (324, 419),
    (368, 414),
    (413, 420),
    (455, 436),  # brows
    (545, 436),
    (587, 420),
    (632, 414),
    (676, 419),
    (710, 445),
    (500, 500),
    (500, 547),
    (500, 594),
    (500, 642),
    (454, 675),
    (476, 681),
    (500, 686),
    (524, 681),
    (546, 675),  # nose
    (341, 502),
    (370, 485),
    (406, 488),
    (435, 514),
    (402, 522),
    (366, 520),  # eyes
    (565, 514),
    (594, 488),
    (630, 485),
    (659, 502),
    (634, 520),
    (598, 522),
    (413, 757),
    (447, 747),
    (477, 740),
    (500, 747),
    (523, 740),
    (553, 747),
    (587, 757),  # outer lip
    (554, 783),
    (524, 794),
    (500, 797),
    (476, 794),
    (446, 783),
    (428, 759),
    (477, 763),
    (500, 766),
    (523, 763),
    (572, 759),
    (523, 771),
    (500, 773),
    (477, 771),  # inner lip
)


class Cole(Decoder):
    """(B, E) -> {image_size: (B, 3, image_size, image_size)} in [-1, 1].

    image_size: px, a multiple of 16; the texture starts at a sixteenth of it and doubles four times.
    trunk, landmark_hidden: widths of dense layers, each with ReLU. The trunk feeds both heads.
    batch_norm: in these dense layers, between layer and ReLU.
    width: channels the texture starts with, halved at every doubling down to an eighth; a multiple of 8.
    num_landmarks: 68, or 72 as published: four points of the lips come twice there, and each counts as the mean of its two.
    output: `tanh` or `sigmoid` (stretched to [-1, 1]) of the texture. Landmarks are linear: a ReLU would lose half of them.
    warp: {order: 1, regularisation: 0.1, border: 2}, as geometry.warp names them, or what differs from that; null: the texture is
        the picture.

    mean_landmarks, (68, 2), is the mean shape of the training faces once settled. The head predicts displacements from it, which
    for a linear layer is no more than a bias of its own; its learnt one starts at 0, so that training starts near the mean shape.
    """

    mean_landmarks: Tensor
    copies: Tensor

    def __init__(
        self,
        embedding_dim: int,
        image_size: int = 224,
        trunk: list[int] | None = None,
        landmark_hidden: list[int] | None = None,
        batch_norm: bool = False,
        width: int = 256,
        num_landmarks: int = 68,
        output: str = "tanh",
        warp: dict[str, Any] | None = None,
    ):
        super().__init__()
        trunk = [1000] if trunk is None else trunk
        landmark_hidden = [800, 600, 400, 200] if landmark_hidden is None else landmark_hidden
        if image_size < 16 or image_size % 16:
            raise ValueError(f"image_size {image_size} came, a multiple of 16 is allowed.")
        if not trunk or min(trunk) < 1:
            raise ValueError(f"trunk {trunk} came, one width or more is allowed.")
        if min(landmark_hidden, default=1) < 1:
            raise ValueError(f"landmark_hidden {landmark_hidden} came, widths from 1 are allowed.")
        if width < 8 or width % 8:
            raise ValueError(f"width {width} came, a multiple of 8 is allowed.")
        if num_landmarks not in (68, 72):
            raise ValueError(f"num_landmarks {num_landmarks} came, 68 or 72 is allowed.")
        if output not in ("tanh", "sigmoid"):
            raise ValueError(f"output {output} came, tanh or sigmoid is allowed.")
        self.image_sizes = (image_size,)
        self.output = output
        self.warp = _settings(warp)

        self.trunk = nn.Sequential(*(_Dense(a, b, batch_norm) for a, b in pairwise([embedding_dim, *trunk])))
        last = nn.Linear([*trunk, *landmark_hidden][-1], 2 * num_landmarks)
        # Shapes differ by hundredths of the picture: torch's own scale would begin with folded faces.
        nn.init.zeros_(last.bias)
        last.weight.data.mul_(0.1)
        self.landmarks = nn.Sequential(*(_Dense(a, b, batch_norm) for a, b in pairwise([trunk[-1], *landmark_hidden])), last)
        seed = image_size // 16
        self.seed = nn.Sequential(nn.Linear(trunk[-1], width * seed * seed), nn.ReLU(), nn.Unflatten(1, (width, seed, seed)))
        channels = [max(width >> level, width // 8) for level in range(5)]
        self.texture = nn.Sequential()
        for a, b in pairwise(channels):
            self.texture.extend([nn.ConvTranspose2d(a, b, 5, 2, padding=2, output_padding=1), nn.ReLU(inplace=True)])
        self.texture.append(nn.Conv2d(channels[-1], 3, 1))

        self.register_buffer("mean_landmarks", torch.tensor(_TEMPLATE) / 1000)
        numbers = torch.tensor(_OF_72 if num_landmarks == 72 else range(68))
        copies = nn.functional.one_hot(numbers, 68).T.float()
        self.register_buffer("copies", copies / copies.sum(1, keepdim=True), persistent=False)

    def forward(self, embedding: Tensor) -> dict[int, Tensor]:
        return self.draw(embedding)[0]

    def draw(self, embedding: Tensor) -> tuple[dict[int, Tensor], dict[str, Tensor]]:
        """Faces, and their parts: `texture` (B, 3, px, px), the face with its points in the mean shape, in the pixel space, and
        `landmarks` (B, 68, 2), x and y as fractions of the picture.
        """
        hidden = self.trunk(embedding)
        displacement = self.copies @ self.landmarks(hidden).unflatten(1, (-1, 2))
        landmarks = self.mean_landmarks + displacement
        texture = self.texture(self.seed(hidden))
        texture = texture.tanh() if self.output == "tanh" else 2 * texture.sigmoid() - 1
        return {self.image_sizes[0]: self._move(texture, self.mean_landmarks, landmarks)}, {
            "texture": texture,
            "landmarks": landmarks,
        }

    def trunk_features(self, embedding: Tensor) -> Tensor:
        """The first layer of the trunk with its ReLU, (B, E) -> (B, 1000) as published: what Speech2Face's loss compares."""
        return self.trunk[0](embedding)

    def register(self, faces: Tensor, landmarks: Tensor) -> Tensor:
        """Photos with their points brought to the mean shape: what the texture should be. Without a warp, the photos themselves.

        faces: (B, 3, px, px). landmarks: (B, 68, 2), x and y as fractions of the picture.
        """
        return self._move(faces, landmarks, self.mean_landmarks)

    def settle(self, landmarks: Callable[[], np.ndarray]) -> None:
        """Takes the mean shape of the training faces. Raises ValueError unless landmarks() gives finite (N, 68, 2), N from 1."""
        shapes = np.asarray(landmarks())
        if shapes.ndim != 3 or shapes.shape[1:] != (68, 2) or not len(shapes) or not np.isfinite(shapes).all():
            raise ValueError(f"landmarks: {shapes.shape} came, finite (N, 68, 2) of one face or more is allowed.")
        self.mean_landmarks.copy_(torch.from_numpy(_mean_shape(shapes)))

    def _move(self, picture: Tensor, source: Tensor, destination: Tensor) -> Tensor:
        """The picture with its points moved; both in fractions, of which 0.5 / size is the centre of the first pixel."""
        if self.warp is None:
            return picture
        size = self.image_sizes[0]
        return warp(picture, source.float() * size - 0.5, destination.float() * size - 0.5, **self.warp)


class _Dense(nn.Sequential):
    """Dense layer, batch norm or none, ReLU."""

    def __init__(self, num_in: int, num_out: int, batch_norm: bool):
        norm = [nn.BatchNorm1d(num_out)] if batch_norm else []
        super().__init__(nn.Linear(num_in, num_out), *norm, nn.ReLU())


def _settings(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """What geometry.warp is called with. Raises ValueError for other keys or values."""
    if given is None:
        return None
    if wrong := [key for key in given if key not in _WARP]:
        raise ValueError(f"warp.{wrong[0]} is no setting, {', '.join(_WARP)} are allowed.")
    settings = _WARP | given
    for key, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, (int, float) if key == "regularisation" else int):
            raise ValueError(f"warp.{key} {value!r} came, a number is allowed.")
    try:
        check_settings(**settings)
    except ValueError as error:
        raise ValueError(f"warp.{error}") from None
    return settings


def _mean_shape(shapes: np.ndarray) -> np.ndarray:
    """Mean of shapes aligned by rotation, scale and position (Procrustes), at their mean size and position.

    (N, 68, 2) -> (68, 2), in fractions of a square picture. A point is a complex number here, so that one factor
    turns and scales a shape.
    """
    points = shapes[..., 0].astype(np.float64) + 1j * shapes[..., 1]
    centred = points - points.mean(1, keepdims=True)
    size = np.linalg.norm(centred, axis=1).mean()
    mean = centred.mean(0)
    for _ in range(10):  # the toy world's moves by 1e-8 at the third
        turned = centred * (centred.conj() @ mean / np.square(np.abs(centred)).sum(1))[:, None]
        mean = turned.mean(0)
        mean *= size / np.linalg.norm(mean)
    mean += points.mean()
    return np.stack([mean.real, mean.imag], axis=-1)
