"""dlib's face recognition net, 128-d, in torch.

The published net (dlib_face_recognition_resnet_model_v1 by Davis King, public domain; architecture from dlib's example
dnn_face_recognition_ex.cpp, Boost licence): 29 convolutions, ResNet-34 with fewer layers and half the filters. dlib
takes 60-100 ms a face and gains nothing from batches; the same weights in torch take 5 ms and differ by less than
1e-6, which a test holds against dlib itself.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.cache import file_checksum
from evaluation.extractors.base import Embedder
from evaluation.faces import FaceBox, crop_and_resize

PACKAGE = "face_recognition_models"
FILE = "dlib_face_recognition_resnet_model_v1.dat"
SIZE = 150
MEAN_RGB = (122.782, 117.001, 104.298)
# (channels, does the first block halve the picture?) of each residual block, in order of data flow.
BLOCKS = (
    *((32, False),) * 3,
    *((64, True), *((64, False),) * 3),
    *((128, True), *((128, False),) * 2),
    *((256, True), *((256, False),) * 2),
    (256, True),
)


class Dlib(Embedder):
    """dlib's 128-d face embedding of the face box, resized to 150 x 150 px.

    device: where the net runs, as torch names it.
    Raises ValueError if the package that carries the weights is missing or its file is not the published one.
    """

    name = "dlib"
    dim = 128
    batch_size = 32

    def __init__(self, device: str = "cpu"):
        path = find_weights(FILE)
        self.label = f"dlib ResNet 128-d, face box at {SIZE} px, no detector, weights {file_checksum(path)[:12]}"
        self.device = torch.device(device)
        self.net = _Net(path).to(self.device)

    @torch.no_grad()
    def embed(self, images: np.ndarray, face_box: FaceBox) -> np.ndarray:
        planar = torch.from_numpy(images).to(self.device).movedim(-1, 1).float()
        # dlib is given whole numbers, so its net is given whole numbers here too.
        faces = crop_and_resize(planar, face_box, SIZE).round_().clamp_(0, 255)
        return self.net(faces).cpu().numpy()


class _Net(nn.Module):
    """RGB in 0..255, float (B, 3, 150, 150) -> (B, 128)."""

    mean: Tensor

    def __init__(self, path: Path):
        super().__init__()
        reader = _Reader(path)
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(3, 1, 1))
        self.stem = reader.convolution(3, 32, 7, stride=2)
        blocks, channels = [], 32
        for wide, halve in BLOCKS:
            blocks.append(_Block(reader, channels, wide, halve))
            channels = wide
        self.blocks = nn.Sequential(*blocks)
        self.project = reader.linear(channels, 128)
        self.requires_grad_(False).eval()

    def forward(self, faces: Tensor) -> Tensor:
        hidden = F.relu(self.stem((faces - self.mean) / 256))
        return self.project(self.blocks(F.max_pool2d(hidden, 3, 2)).mean((2, 3)))


class _Block(nn.Module):
    """relu(conv(relu(conv(x))) + x); where it halves, x is average-pooled. Sizes that differ are filled with zeros."""

    def __init__(self, reader: _Reader, channels: int, wide: int, halve: bool):
        super().__init__()
        self.halve = halve
        self.first = reader.convolution(channels, wide, 3, stride=2 if halve else 1)
        self.second = reader.convolution(wide, wide, 3, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        straight = self.second(F.relu(self.first(x)))
        skip = F.avg_pool2d(x, 2) if self.halve else x
        shape = [max(a, b) for a, b in zip(straight.shape[1:], skip.shape[1:], strict=True)]
        return F.relu(_fill(straight, shape) + _fill(skip, shape))


def _fill(x: Tensor, shape: list[int]) -> Tensor:
    channels, height, width = (wanted - has for wanted, has in zip(shape, x.shape[1:], strict=True))
    return F.pad(x, (0, width, 0, height, 0, channels))


class _Reader:
    """Reads the layers of dlib's file in the order data flows.

    dlib writes an integer as a byte (low nibble: number of bytes; high bit: negative) and that many little-endian
    bytes; a string as its length and characters; a tensor as a version (2), four sizes and little-endian float32. Each
    layer's state follows its name. Here each next layer is looked for by its name; layers without weights are passed.
    """

    def __init__(self, path: Path):
        self.path, self.bytes, self.position = path, path.read_bytes(), 0

    def convolution(self, channels: int, wide: int, kernel: int, stride: int) -> nn.Conv2d:
        """A convolution with the affine layer behind it (a frozen batch norm) folded in."""
        self._find(b"con_4")
        weights = self._tensor(wide * (channels * kernel * kernel + 1))
        self._find(b"affine_")
        scale, shift = self._tensor(2 * wide).chunk(2)
        # dlib pads 3x3 convolutions of stride 1 only.
        layer = nn.Conv2d(channels, wide, kernel, stride, padding=kernel // 2 if stride == 1 else 0)
        layer.weight.data = weights[:-wide].view(layer.weight.shape) * scale.view(-1, 1, 1, 1)
        layer.bias = nn.Parameter(weights[-wide:] * scale + shift)
        return layer

    def linear(self, inputs: int, outputs: int) -> nn.Linear:
        self._find(b"fc_2")
        if (self._integer(), self._integer()) != (outputs, inputs):
            raise self._error("last layer of another size")
        layer = nn.Linear(inputs, outputs, bias=False)
        layer.weight.data = self._tensor(inputs * outputs).view(inputs, outputs).T.contiguous()
        return layer

    def _find(self, name: bytes) -> None:
        marked = bytes([1, len(name)]) + name
        at = self.bytes.find(marked, self.position)
        if at < 0:
            raise self._error(f"no further layer {name.decode()}")
        self.position = at + len(marked)

    def _integer(self) -> int:
        head = self.bytes[self.position]
        start, self.position = self.position + 1, self.position + 1 + (head & 0x0F)
        value = int.from_bytes(self.bytes[start : self.position], "little")
        return -value if head & 0x80 else value

    def _tensor(self, count: int) -> Tensor:
        version, *shape = (self._integer() for _ in range(5))
        if version != 2 or math.prod(shape) != count or self.position + 4 * count > len(self.bytes):
            raise self._error(f"a tensor of version {version} and shape {shape} where {count} numbers belong")
        values = np.frombuffer(self.bytes, "<f4", count, self.position).astype(np.float32)
        self.position += 4 * count
        return torch.from_numpy(values)

    def _error(self, what: str) -> ValueError:
        return ValueError(f"{self.path}: not dlib's published face net ({what}). Reinstall {PACKAGE}.")


def find_weights(name: str) -> Path:
    """Path of a weight file inside the package face_recognition_models, which is located, never imported.

    (Importing it needs pkg_resources, which current setuptools no longer has.) Raises ValueError if it is not there.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / "models" / name).is_file():
            return path
    raise ValueError(f"{name}: not found, as the package {PACKAGE} is missing. Run: pip install {PACKAGE}==0.3.0")
