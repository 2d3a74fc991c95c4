import copy
from weakref import WeakValueDictionary

import pytest
import torch
from torch import Tensor

from encoders.passthrough import Passthrough
from evaluation.face_nets.vgg import Vgg
from gan import frozen_nets
from gan.build import build
from gan.data.corpus import Corpus
from gan.features import face_net as module
from gan.features.base import Features
from gan.features.face_net import FaceVector

SECTION = {"name": "face_net", "network": "corpus", "dimension": 6}


@pytest.fixture(autouse=True)
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(frozen_nets, "_trained", lambda name, corpus, **arguments: Vgg(12, **arguments).eval())
    monkeypatch.setattr(frozen_nets, "_shared", WeakValueDictionary())


def built(corpus: Corpus | None, **keys) -> Features:
    return build(Features, SECTION | keys, "features", sample_rate_hz=16_000, corpus=corpus)


def pictures(corpus: Corpus, rows: list[int]) -> Tensor:
    return torch.from_numpy(corpus.pixels(rows, 64)).movedim(-1, 1) / 255


@pytest.mark.slow
def test_one_frame_of_the_nets_vector(tiny: Corpus) -> None:
    front, faces = built(tiny, relu=False), pictures(tiny, [4, 1])
    features, frames = front(faces, torch.tensor([-1, -1]))
    assert features.shape == (2, front.num_channels, 1) == (2, 6, 1)
    assert frames.tolist() == [1, 1]
    assert (front.reads, front.samples(1)) == ("face", 0)
    assert torch.allclose(features[..., 0], frozen_nets.vector_net("corpus", tiny, 6).vector(faces), atol=1e-5)
    assert torch.equal(built(tiny)(faces, torch.tensor([-1, -1]))[0], features.relu())
    assert torch.equal(Passthrough(6)(features, frames), features[..., 0])


def test_known_faces_come_from_the_store_and_others_from_the_picture(tiny: Corpus) -> None:
    front, faces = built(tiny), pictures(tiny, [4, 1, 9])
    known, _ = front(faces.flip(0), torch.tensor([4, 1, 9]))
    seen, _ = front(faces, torch.tensor([-1, -1, -1]))
    assert torch.allclose(known, seen, atol=1e-5)  # no picture was looked at
    assert torch.equal(front(faces, torch.tensor([4, -1, 9]))[0], seen)
    assert not known.requires_grad
    batched, _ = front(faces[:1], torch.tensor([-1]))
    assert torch.allclose(batched, seen[:1], atol=1e-5)


def test_a_checkpoint_draws_without_the_corpus(tiny: Corpus) -> None:
    front, empty = built(tiny), built(None)
    assert {name: value.shape for name, value in front.state_dict().items()} == {
        name: value.shape for name, value in empty.state_dict().items()
    }
    assert not any(name.startswith("net.classify") for name in front.state_dict())
    empty.load_state_dict(front.state_dict())
    faces = pictures(tiny, [4, 1])
    assert torch.equal(empty(faces, torch.tensor([4, 1]))[0], front(faces, torch.tensor([-1, -1]))[0])


def test_it_neither_trains_nor_moves(tiny: Corpus) -> None:
    front = built(tiny).train()
    assert not any(layer.training for layer in front.modules())
    assert not any(parameter.requires_grad for parameter in front.parameters())
    copied = copy.deepcopy(front)
    assert copied._vectors[0] is front._vectors[0]


def test_vgg_face_is_not_in_checkpoints_and_is_read_when_used(monkeypatch: pytest.MonkeyPatch) -> None:
    front = FaceVector(None, network="vggface")
    assert front.num_channels == 4096
    assert front.state_dict() == {}
    with pytest.raises(ValueError, match=r"vgg_face_dag\.pth.*voxface assets add vgg-face"):
        front(torch.zeros(1, 3, 8, 8), torch.tensor([-1]))
    net = Vgg(12, width=4, dense_dim=4096).eval()
    monkeypatch.setattr(module, "vector_net", lambda *_: net)
    assert front(torch.zeros(1, 3, 8, 8), torch.tensor([-1]))[0].shape == (1, 4096, 1)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (dict(network="facenet"), "features: network facenet .*auto, vggface, corpus"),
        (dict(network="vggface", dimension=16), "features: network vggface .*4096.*dimension .*16"),
        (dict(size=3), "features.size: face_net "),
    ],
)
def test_mistakes(keys: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        built(None, **keys)
