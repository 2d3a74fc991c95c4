import numpy as np
import pytest
import torch

from evaluation.cache import cache_folder
from evaluation.face_nets.residual import Residual
from evaluation.face_nets.vgg import Vgg
from evaluation.face_training import augment, name_faces, train_face_net, trained_face_net
from tests.evaluation.world import person

STEPS = 25


@pytest.fixture(scope="module")
def faces():
    return np.concatenate([person(one, 4) for one in range(5)])


@pytest.fixture(scope="module")
def labels():
    return np.repeat([11, 3, 7, 20, 5], 4)


@pytest.mark.parametrize("kind", [Vgg, Residual])
def test_new_pictures_are_named(kind, faces, labels):
    net, _ = trained_face_net(kind, faces, labels, steps=STEPS, width=8)
    new = np.concatenate([person(one, 4, size=64, seed=9) for one in range(5)])
    assert (np.unique(labels)[name_faces(net, new, batch_size=7)] == labels).mean() > 0.9
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_seed_decides_everything(faces, labels):
    def weights(seed, noise):
        torch.manual_seed(noise)
        net, checksum = Vgg(5, width=4), None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = Vgg(5, width=4)
        train_face_net(net, faces, labels, seed=seed, steps=2)
        return torch.cat([value.flatten().float() for value in net.state_dict().values()]), checksum

    first, same, other = weights(0, 1)[0], weights(0, 2)[0], weights(1, 1)[0]
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_torch_state_is_left_alone(faces, labels):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained_face_net(Vgg, faces, labels, steps=1, seed=77, width=4)
    assert torch.equal(torch.rand(3), expected)


def test_kept_by_content(faces, labels, tmp_path, monkeypatch):
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))

    def train(pictures=faces, names=labels, **changes):
        return trained_face_net(Vgg, pictures, names, **({"steps": 2, "width": 4} | changes))[1]

    def kept():
        return len(list(cache_folder("face_nets").iterdir()))

    first = train()
    assert train() == first
    assert kept() == 1
    assert train(names=labels + 100) == first  # other numbers for the same people
    assert kept() == 1
    for changes in ({"seed": 1}, {"steps": 3}, {"width": 5}, {"pictures": faces + 1}, {"names": labels[::-1]}):
        assert train(**changes) != first
    assert kept() == 6


def test_damaged_file_is_made_again(faces, labels, tmp_path, monkeypatch):
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))
    first = trained_face_net(Vgg, faces, labels, steps=2, width=4)[1]
    (path,) = cache_folder("face_nets").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert trained_face_net(Vgg, faces, labels, steps=2, width=4)[1] == first


def test_changed_pictures_stay_pictures_and_follow_the_generator():
    images = torch.rand(4, 3, 32, 32)
    first = augment(images, torch.Generator().manual_seed(0))
    assert first.shape == images.shape
    assert 0 <= first.min() <= first.max() <= 1
    assert torch.equal(first, augment(images, torch.Generator().manual_seed(0)))
    assert not torch.equal(first, augment(images, torch.Generator().manual_seed(1)))


def test_what_does_not_fit_is_refused(faces, labels):
    with pytest.raises(ValueError, match="the net names 4"):
        train_face_net(Vgg(4, width=4), faces, labels)
    with pytest.raises(ValueError, match="labels: shape"):
        train_face_net(Vgg(5, width=4), faces, labels[1:])
    with pytest.raises(ValueError, match="faces: float64"):
        train_face_net(Vgg(5, width=4), faces / 255, labels)


def test_no_faces_no_names():
    assert name_faces(Vgg(5, width=4), np.zeros((0, 32, 32, 3), np.uint8)).shape == (0,)
