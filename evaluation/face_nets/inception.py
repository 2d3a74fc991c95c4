"""FaceNet (Inception-ResNet-v1, Schroff et al. 2015) with a weight file of facenet-pytorch's, seen as SF2F sees it.

The architecture is facenet-pytorch's (MIT). The weights are not part of any package: the user adds them.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from facenet_pytorch import InceptionResnetV1
from torch import Tensor
from torch.nn import functional as F

from evaluation.face_nets.base import FaceNet, read_weights
from evaluation.faces import FaceBox, check_face_box

SIZE = 140
SF2F_FACE_BOX = (0.235, 0.195, 0.765, 0.915)


class InceptionResnet(FaceNet):
    """FaceNet on the face box, frozen.

    weights: a weight file of facenet-pytorch's, such as 20180402-114759-vggface2.pt. face_box: SF2F's by default.
    Steps as in SF2F's perceptual loss: (255 v - 127.5) / 128, the box cut at whole pixels (floor of fraction x size,
    last one included), resized to 140 x 140, bilinear with aligned corners.
    Raises ValueError, naming the file and the command that adds it, if it is missing or is something else.
    """

    def __init__(self, weights: str, face_box: FaceBox = SF2F_FACE_BOX):
        check_face_box(face_box)
        state = _read(Path(weights))
        super().__init__(num_identities=len(state["logits.weight"]), input_size=SIZE)
        self.face_box = face_box
        self.net = InceptionResnetV1(classify=True, num_classes=self.num_identities)
        try:
            self.net.load_state_dict(state)
        except RuntimeError:
            raise _error(Path(weights), "is not a weight file of facenet-pytorch's InceptionResnetV1") from None
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> InceptionResnet:
        """Always in evaluation mode: its batch norm holds the published statistics."""
        return super().train(False)

    def features(self, images: Tensor) -> list[Tensor]:
        """After each of the three residual groups, and the embedding, of unit length.

        Shapes (B, 256, 15, 15), (B, 896, 7, 7), (B, 1792, 3, 3), (B, 512).
        """
        *taps, embedding = self._flow(images)
        return [*taps, F.normalize(embedding)]

    def forward(self, images: Tensor) -> Tensor:
        return self.net.logits(self._flow(images)[-1])

    def prepare(self, images: Tensor) -> Tensor:
        """Pictures in [0, 1], (B, 3, H, W) -> the face, (B, 3, 140, 140), in FaceNet's own scale."""
        height, width = images.shape[-2:]
        left, top, right, bottom = self.face_box
        rows = slice(int(top * height), int(bottom * height) + 1)
        columns = slice(int(left * width), int(right * width) + 1)
        faces = (images[..., rows, columns] * 255 - 127.5) / 128
        return F.interpolate(faces, (SIZE, SIZE), mode="bilinear", align_corners=True)

    def _flow(self, images: Tensor) -> list[Tensor]:
        net, hidden = self.net, self.prepare(images)
        for layer in (net.conv2d_1a, net.conv2d_2a, net.conv2d_2b, net.maxpool_3a, net.conv2d_3b, net.conv2d_4a):
            hidden = layer(hidden)
        first = net.repeat_1(net.conv2d_4b(hidden))
        second = net.repeat_2(net.mixed_6a(first))
        third = net.repeat_3(net.mixed_7a(second))
        pooled = net.avgpool_1a(net.block8(third)).flatten(1)
        return [first, second, third, net.last_bn(net.last_linear(pooled))]


def _read(path: Path) -> dict[str, Tensor]:
    state = read_weights(path, partial(_error, path))
    if not isinstance(state.get("logits.weight"), Tensor):
        raise _error(path, "is not a weight file of facenet-pytorch's InceptionResnetV1")
    return state


def _error(path: Path, what: str) -> ValueError:
    return ValueError(
        f"{path}: {what}. Get 20180402-114759-vggface2.pt from the releases of facenet-pytorch (timesler) and run: "
        "voxface assets add facenet-vggface2 FILE"
    )
