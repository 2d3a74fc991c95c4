import os
import pickle
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

from evaluation.face_nets.resnet50 import MEAN_RGB, Resnet50


def test_published_size():
    with torch.device("meta"):
        net = Resnet50(None)
    assert sum(parameter.numel() for parameter in net.parameters()) == 41_192_951
    assert net.vector_dim == 2048


@pytest.mark.slow
def test_it_is_torchvisions_with_caffes_strides_and_pooling():
    torch.manual_seed(0)
    ours, theirs = Resnet50(None, num_identities=7).eval(), ResNet(Bottleneck, [3, 4, 6, 3], num_classes=7).eval()
    theirs.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    for stage in (theirs.layer2, theirs.layer3, theirs.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(ours.prepare(images)), atol=1e-4)


@pytest.fixture(scope="module")
def small() -> Resnet50:
    torch.manual_seed(0)
    return Resnet50(None, num_identities=5, width=2).eval()


def test_taps_vector_and_names_belong_together(small):
    images = torch.rand(2, 3, 50, 60)
    taps, vector = small.features(images), small.vector(images)
    assert [tuple(tap.shape) for tap in taps] == [(2, 8, 56, 56), (2, 16, 28, 28), (2, 32, 14, 14), (2, 64, 7, 7), (2, 64)]
    assert torch.equal(taps[-1], vector)
    assert vector.min() >= 0
    assert torch.equal(small(images), small.name(vector))
    assert torch.allclose(small.vector(images[1:]), vector[1:], atol=1e-4)


def test_pictures_are_read_in_the_order_asked_for():
    colour = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1).expand(1, 3, 40, 40)
    expected = [255 - MEAN_RGB[0], 127.5 - MEAN_RGB[1], -MEAN_RGB[2]]
    for order, seen in (("rgb", expected), ("bgr", expected[::-1])):
        found = Resnet50(None, num_identities=2, width=1, channel_order=order).prepare(colour)
        assert found.shape == (1, 3, 224, 224)
        assert found[0, :, 100, 100].tolist() == pytest.approx(seen, abs=1e-4)
    with pytest.raises(ValueError, match="channel_order: grb; rgb or bgr"):
        Resnet50(None, channel_order="grb")


def test_corners_are_aligned_when_it_resizes(small):
    image = torch.arange(4.0).view(1, 1, 2, 2).expand(1, 3, 2, 2) / 3
    seen = small.prepare(image)[0, 0]
    assert [seen[0, 0], seen[0, -1], seen[-1, 0], seen[-1, -1]] == pytest.approx(
        [value - MEAN_RGB[0] for value in (0, 85, 170, 255)], abs=1e-3
    )


class Python2(pickle._Pickler):
    """Writes bytes as the strings they were in Python 2, and NumPy's core under the name it had."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        self.write(pickle.BINSTRING + len(value).to_bytes(4, "little") + value)

    def save_global(self, value, name=None):
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{value.__name__}\n".encode())

    dispatch[bytes] = save_bytes


def saved(net: Resnet50, path: Path) -> Path:
    """As the published file: Python 2's pickle of named arrays, without batch norm's counters."""
    arrays = {name: value.numpy() for name, value in net.state_dict().items() if "num_batches" not in name}
    with path.open("wb") as file:
        Python2(file, protocol=2).dump(arrays)
    return path


def test_the_published_kind_of_file_is_read_and_frozen(small, tmp_path):
    torch.save(small.state_dict(), tmp_path / "saved.pth")
    images = torch.rand(1, 3, 64, 64)
    for path in (saved(small, tmp_path / "resnet50_ft_weight.pkl"), tmp_path / "saved.pth"):
        read = Resnet50(str(path), num_identities=5, width=2)
        assert not read.training
        assert not any(parameter.requires_grad for parameter in read.parameters())
        assert torch.equal(read(images), small(images))


def test_a_file_of_python_3_is_read_too(small, tmp_path):
    arrays = {name: value.numpy() for name, value in small.state_dict().items()}
    for protocol in (2, 4):
        (tmp_path / "new.pkl").write_bytes(pickle.dumps(arrays, protocol=protocol))
        assert torch.equal(Resnet50(str(tmp_path / "new.pkl"), num_identities=5, width=2).conv1.weight, small.conv1.weight)


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


def test_another_file_is_refused_in_one_line_and_never_run(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("text.pkl").write_text("no weights")
    Path("list.pkl").write_bytes(pickle.dumps([1, 2]))
    Path("objects.pkl").write_bytes(pickle.dumps({"conv1.weight": np.array([None])}))
    Path("code.pkl").write_bytes(pickle.dumps({"conv1.weight": Harmful()}))
    saved(Resnet50(None, num_identities=5, width=1), Path("narrow.pkl"))
    torch.save({"conv1.weight": torch.zeros(1)}, "other.pth")
    for name, said in {
        "text.pkl": "is not a weight file",
        "list.pkl": "is not a weight file",
        "absent.pkl": "no such",
        "objects.pkl": "is not a weight file",
        "code.pkl": "is not a weight file",
        "absent.pth": "no such",
        "narrow.pkl": "does not hold the layers",
        "other.pth": "does not hold the layers",
    }.items():
        with pytest.raises(ValueError, match=f"{name}: {said}.*voxface assets add vggface2-resnet50") as error:
            Resnet50(name, num_identities=5, width=2)
        assert "\n" not in str(error.value)
    assert not Path("made-by-a-pickle").exists()
