import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1
from torch.nn import functional as F

from evaluation.extractors.facenet import FacenetEmbedder
from evaluation.face_nets.inception import InceptionResnet
from tests.evaluation.world import person

BOX = (0.235, 0.195, 0.765, 0.915)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as the published one, but for its weights (random) and its number of people."""
    torch.manual_seed(0)
    net = InceptionResnetV1(classify=True, num_classes=7)
    path = tmp_path_factory.mktemp("weights") / "facenet.pt"
    torch.save(net.state_dict(), path)
    return path


def reference(weights, faces):
    """FaceNet as its package runs it, on faces cut by hand."""
    net = InceptionResnetV1(classify=True, num_classes=7).eval()
    net.load_state_dict(torch.load(weights, weights_only=True))
    net.classify = False
    planar = torch.from_numpy(faces).movedim(-1, 1).float()[:, :, 12:59, 15:49]  # SF2F's box at 64 px, as published
    with torch.no_grad():
        return net((F.interpolate(planar, (140, 140), mode="bilinear", align_corners=True) - 127.5) / 128).numpy()


@pytest.mark.slow
def test_equals_facenet_pytorch_on_the_published_box(weights):
    faces = np.concatenate([person(one, 1, size=64) for one in range(3)])
    found = FacenetEmbedder(str(weights)).embed(faces, BOX)
    assert np.abs(found - reference(weights, faces)).max() < 1e-5
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_taps_gradient_and_logits(weights):
    net = InceptionResnet(str(weights))
    assert net.num_identities == 7
    assert not net.train().net.training
    images = torch.rand(2, 3, 64, 64, requires_grad=True)
    taps = net.features(images)
    assert [tuple(tap.shape[1:]) for tap in taps] == [(256, 15, 15), (896, 7, 7), (1792, 3, 3), (512,)]
    sum(tap.abs().mean() for tap in taps).backward()
    assert images.grad[:, :, 12:59, 15:49].abs().sum() > 0
    assert images.grad[:, :, :12].abs().sum() == 0
    assert net(images).shape == (2, 7)
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("content", [None, b"text", {"a": torch.zeros(2)}, {"logits.weight": torch.zeros(2, 5)}])
def test_another_file_is_one_line_with_the_command(tmp_path, content):
    path = tmp_path / "facenet.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match="voxface assets add") as caught:
        FacenetEmbedder(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pickle_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the file's code was run",))

    torch.save({"logits.weight": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(ValueError, match="is not a weight file"):
        FacenetEmbedder(str(tmp_path / "trap.pt"))
