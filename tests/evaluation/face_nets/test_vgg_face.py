from pathlib import Path

import pytest
import torch

from evaluation.face_nets.vgg_face import MEAN_RGB, VggFace

CONVOLUTIONS = [(64, 3), (64, 64), (128, 64), (128, 128), (256, 128), *[(256, 256)] * 2, (512, 256), *[(512, 512)] * 5]


def test_published_size_and_ordered_shapes() -> None:
    with torch.device("meta"):
        net = VggFace()
    assert sum(parameter.numel() for parameter in net.parameters()) == 145_002_878
    expected = [shape for out, into in CONVOLUTIONS for shape in ((out, into, 3, 3), (out,))]
    for out, into in ((4096, 25_088), (4096, 4096), (2622, 4096)):
        expected += [(out, into), (out,)]
    assert [tuple(value.shape) for value in net.state_dict().values()] == expected
    assert list(net.state_dict())[:3] == ["conv1_1.weight", "conv1_1.bias", "conv1_2.weight"]
    assert list(net.state_dict())[-2:] == ["fc8.weight", "fc8.bias"]


@pytest.fixture(scope="module")
def small() -> VggFace:
    torch.manual_seed(0)
    return VggFace(num_identities=5, width=1).eval()


def test_taps_vector_and_names_belong_together(small: VggFace) -> None:
    images = torch.rand(2, 3, 50, 60)
    taps = small.features(images)
    assert [tuple(tap.shape) for tap in taps] == [
        (2, 1, 112, 112),
        (2, 2, 56, 56),
        (2, 4, 28, 28),
        (2, 8, 14, 14),
        (2, 8, 7, 7),
        (2, 64),
    ]
    vector = small.vector(images)
    assert (vector < 0).any()
    assert torch.equal(taps[-1], vector.relu())
    assert torch.equal(small(images), small.name(taps[-1]))
    assert small(images).shape == (2, 5)
    assert torch.allclose(small.vector(images[1:]), vector[1:], atol=1e-5)


def test_it_reads_red_green_blue_less_the_mean(small: VggFace) -> None:
    colour = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1).expand(1, 3, 224, 224)
    seen = small.prepare(colour)[0, :, 100, 100]
    assert seen.tolist() == pytest.approx([255 - MEAN_RGB[0], 127.5 - MEAN_RGB[1], -MEAN_RGB[2]], abs=1e-4)


def test_gradient_reaches_the_picture(small: VggFace) -> None:
    images = torch.rand(1, 3, 64, 64, requires_grad=True)
    small.vector(images).square().sum().backward()
    assert images.grad.abs().sum() > 0


def test_a_weight_file_is_read_and_frozen(small: VggFace, tmp_path: Path) -> None:
    torch.save(small.state_dict(), tmp_path / "vgg_face_dag.pth")
    read = VggFace(str(tmp_path / "vgg_face_dag.pth"), num_identities=5, width=1)
    assert not read.training
    assert not any(parameter.requires_grad for parameter in read.parameters())
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(read(images), small(images))


def test_other_people_get_a_new_last_layer(small: VggFace, tmp_path: Path) -> None:
    torch.save(small.state_dict(), tmp_path / "vgg_face_dag.pth")
    read = VggFace(str(tmp_path / "vgg_face_dag.pth"), num_identities=3, width=1)
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(read.vector(images), small.vector(images))
    assert read(images).shape == (1, 3)


def test_another_file_is_refused_in_one_line(small: VggFace, tmp_path: Path) -> None:
    files = {
        "text": "is not a weight file",
        "other": "does not hold the layers conv1_1 to fc8",
        "absent": "no such weight file",
        "list": "is not a weight file",
        "code": "is not a weight file",
    }
    (tmp_path / "text").write_text("no weights")
    torch.save({"conv1_1.weight": torch.zeros(1)}, tmp_path / "other")
    torch.save([1, 2], tmp_path / "list")
    torch.save(small, tmp_path / "code")
    for name, said in files.items():
        with pytest.raises(ValueError, match=f"{name}: {said}.*voxface assets add vgg-face") as error:
            VggFace(str(tmp_path / name), num_identities=5, width=1)
        assert "\n" not in str(error.value)
