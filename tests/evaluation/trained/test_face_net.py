import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from evaluation.cache import cache_folder
from evaluation.face_nets.residual import Residual
from evaluation.face_nets.vgg import Vgg
from evaluation.face_nets.vgg_face import VggFace
from evaluation.trained.face_net import augment, name_faces, train_face_net, trained_face_net
from tests.evaluation.world import person

STEPS = 25


@pytest.fixture(scope="module")
def faces():
    return np.concatenate([person(one, 4) for one in range(5)])


@pytest.fixture(scope="module")
def labels():
    return np.repeat([11, 3, 7, 20, 5], 4)


@pytest.mark.slow
@pytest.mark.floor
@pytest.mark.parametrize("kind", [Vgg, Residual])
def test_new_pictures_are_named(kind, faces, labels):
    net, _ = trained_face_net(kind, faces, labels, steps=STEPS, width=8)
    new = np.concatenate([person(one, 4, size=64, seed=9) for one in range(5)])
    assert (np.unique(labels)[name_faces(net, new, batch_size=7)] == labels).mean() > 0.9
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())


@pytest.mark.slow
@pytest.mark.floor
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


@pytest.mark.slow
@pytest.mark.floor
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


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A VGG-Face file that names four people, of a narrow net, and a cache of the test's own."""
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    torch.save(VggFace(num_identities=4, width=1).state_dict(), tmp_path / "vgg_face_dag.pth")
    return tmp_path / "vgg_face_dag.pth"


def tune(start, faces, labels, **changes):
    given = dict(steps=1, tuned=["fc7", "fc8"], learning_rate=1e-3, width=1, weights=str(start))
    return trained_face_net(VggFace, faces, labels, **(given | changes))


@pytest.mark.slow
@pytest.mark.floor
def test_last_layers_are_tuned_and_the_others_stay(start, faces, labels):
    before, (net, checksum) = torch.load(start), tune(start, faces, labels)
    assert net.fc8.bias.shape == (5,)
    for name, value in net.state_dict().items():
        if not name.startswith("fc8"):
            assert torch.equal(value, before[name]) == (not name.startswith("fc7")), name
    assert not any(parameter.requires_grad for parameter in net.parameters())
    (kept,) = cache_folder("face_nets").iterdir()
    assert set(load_file(kept)) == {"fc7.weight", "fc7.bias", "fc8.weight", "fc8.bias"}
    assert tune(start, faces, labels)[1] == checksum


@pytest.mark.slow
@pytest.mark.floor
def test_a_weight_file_counts_by_its_content(start, faces, labels):
    checksum = tune(start, faces, labels)[1]
    moved = start.rename(start.with_name("elsewhere.pth"))
    assert tune(moved, faces, labels)[1] == checksum
    assert len(list(cache_folder("face_nets").iterdir())) == 1
    for changes in (dict(tuned=["fc8"]), dict(learning_rate=1e-2)):
        assert tune(moved, faces, labels, **changes)[1] != checksum
    torch.save({name: 2 * value for name, value in torch.load(moved).items()}, moved)
    tune(moved, faces, labels)
    assert len(list(cache_folder("face_nets").iterdir())) == 4


def test_layers_that_stay_keep_their_batch_statistics(faces, labels):
    torch.manual_seed(0)
    net = Vgg(5, width=4)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    train_face_net(net, faces, labels, steps=1, tuned=["classify"])
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"classify.weight", "classify.bias"}


def test_unknown_layer(faces, labels):
    with pytest.raises(ValueError, match=r"tuned: fc9; .*blocks, dense, dropout, classify"):
        train_face_net(Vgg(5, width=4), faces, labels, tuned=["fc9"])


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
