"""ResNet-50 of VGGFace2 (Cao et al. 2018), fine-tuned on its 8631 people: the net behind SF2F's VGGFace Score.

The weights are not part of any package: the user adds resnet50_ft_weight.pkl, cydonia999's port of the authors' Caffe
model to PyTorch's names (https://github.com/cydonia999/VGGFace2-pytorch).
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.face_nets.base import VectorNet, read_weights

SIZE = 224
IDENTITIES = 8631
MEAN_RGB = (131.0912, 103.8827, 91.4953)
BLOCKS = (3, 4, 6, 3)
CHANNEL_ORDERS = ("rgb", "bgr")


class Resnet50(VectorNet):
    """ResNet-50 as Caffe has it, frozen if its weights are given: 41,192,951 parameters at full width.

    weights: resnet50_ft_weight.pkl, or the same arrays saved by torch.save. None, which must be given, leaves random
    ones. width: channels of the first layer, 64 as published. channel_order: of the pictures as the net gets them. The net
    was trained on bgr; SF2F gave it rgb, and its figures hold for that.
    It differs from torchvision's: in a bottleneck the first convolution has the stride, not the second; the first pooling
    has no padding.
    Raises ValueError, naming the file and the command that adds it, if it is missing or is something else.
    """

    def __init__(self, weights: str | None, num_identities: int = IDENTITIES, width: int = 64, channel_order: str = "rgb"):
        super().__init__(num_identities, input_size=SIZE)
        if channel_order not in CHANNEL_ORDERS:
            raise ValueError(f"channel_order: {channel_order}; {' or '.join(CHANNEL_ORDERS)}.")
        self.channel_order = channel_order
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        before = width
        for stage, count in enumerate(BLOCKS):
            inner = width << stage
            blocks = []
            for at in range(count):
                blocks.append(_Bottleneck(before, inner, stride=2 if stage and at == 0 else 1))
                before = 4 * inner
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.vector_dim = before
        self.fc = nn.Linear(before, num_identities)
        if weights is not None:
            self._load(Path(weights))
            self.requires_grad_(False).eval()

    def prepare(self, images: Tensor) -> Tensor:
        """Pictures in [0, 1] of any size -> (B, 3, 224, 224) in 0..255, the mean taken off, bilinear with aligned corners."""
        centred = images * 255 - torch.tensor(MEAN_RGB, device=images.device).view(3, 1, 1)
        if self.channel_order == "bgr":
            centred = centred.flip(1)
        return F.interpolate(centred, (SIZE, SIZE), mode="bilinear", align_corners=True)

    def features(self, images: Tensor) -> list[Tensor]:
        """The four stages' outputs and their mean over the last one's places (B, 32 width)."""
        taps = self._maps(images)
        return [*taps, taps[-1].mean((2, 3))]

    def vector(self, images: Tensor) -> Tensor:
        """The last stage's mean over places (B, 32 width); it is after a ReLU already."""
        return self._maps(images)[-1].mean((2, 3))

    def name(self, vector: Tensor) -> Tensor:
        return self.fc(vector)

    def _maps(self, images: Tensor) -> list[Tensor]:
        hidden = F.relu(self.bn1(self.conv1(self.prepare(images))))
        hidden = F.max_pool2d(hidden, 3, stride=2, ceil_mode=True)
        maps = []
        for stage in range(1, len(BLOCKS) + 1):
            hidden = self.get_submodule(f"layer{stage}")(hidden)
            maps.append(hidden)
        return maps

    def _load(self, path: Path) -> None:
        read = _read_arrays if path.suffix == ".pkl" else read_weights
        state = read(path, partial(_error, path))
        # The port is older than batch norm's counters, which nothing here reads.
        counters = {name: value for name, value in self.state_dict().items() if name.endswith("num_batches_tracked")}
        try:
            self.load_state_dict(counters | state)
        except (RuntimeError, TypeError, AttributeError):
            raise _error(path, "does not hold the layers conv1 to fc of that ResNet-50") from None


class _Bottleneck(nn.Module):
    def __init__(self, before: int, inner: int, stride: int):
        super().__init__()
        after = 4 * inner
        self.conv1 = nn.Conv2d(before, inner, 1, stride=stride, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample = None
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, hidden: Tensor) -> Tensor:
        kept = hidden if self.downsample is None else self.downsample(hidden)
        hidden = F.relu(self.bn1(self.conv1(hidden)))
        hidden = F.relu(self.bn2(self.conv2(hidden)))
        return F.relu(kept + self.bn3(self.conv3(hidden)))


class _ArraysOnly(pickle.Unpickler):
    """Reads NumPy arrays in plain containers; whatever else a pickle asks to be called is refused, not called."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for readers of Python 2
            return _latin1
        allowed = module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct"
        if not allowed and (module, name) not in (("numpy", "ndarray"), ("numpy", "dtype")):
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def _latin1(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


def _read_arrays(path: Path, error: Callable[[str], ValueError]) -> dict[str, Any]:
    """A pickle of {name: array}, as Python 2 wrote it. error: makes the ValueError of a reason."""
    try:
        with path.open("rb") as file:
            arrays = _ArraysOnly(file, encoding="latin1").load()
    except FileNotFoundError:
        raise error("no such weight file") from None
    except OSError as reason:
        raise error(f"cannot be read ({reason.strerror})") from None
    except Exception:  # what a file of another kind raises in the unpickler may be anything
        raise error("is not a weight file") from None
    if not isinstance(arrays, dict) or not all(
        isinstance(value, np.ndarray) and value.dtype.kind in "fi" for value in arrays.values()
    ):
        raise error("is not a weight file")
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def _error(path: Path, what: str) -> ValueError:
    return ValueError(
        f"{path}: {what}. Get resnet50_ft_weight.pkl from github.com/cydonia999/VGGFace2-pytorch and run: "
        "voxface assets add vggface2-resnet50 FILE"
    )
