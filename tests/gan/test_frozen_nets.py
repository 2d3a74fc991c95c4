import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
import pytest
import torch

from evaluation.face_nets.residual import Residual
from evaluation.face_nets.vgg import Vgg
from gan import frozen_nets
from gan.assets import assets_folder
from gan.config import Config
from gan.data.corpus import Corpus
from gan.frozen_nets import OfFaces, picture_net, settle_network, vector_net, vectors
from gan.training.start import settled

CPU = torch.device("cpu")


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The corpus's nets come untrained; the list tells which were made."""
    made: list[str] = []

    def trained(name: str, corpus: Corpus, **arguments: int):
        made.append(name)
        torch.manual_seed(len(made))
        return {"vgg": Vgg, "residual": Residual}[name](12, width=4, **arguments).eval().requires_grad_(False)

    monkeypatch.setattr(frozen_nets, "_trained", trained)
    monkeypatch.setattr(frozen_nets, "_shared", WeakValueDictionary())
    return made


def test_the_vector_is_the_penultimate_layer_and_names_the_face() -> None:
    torch.manual_seed(0)
    net, images = Vgg(5, width=4, dense_dim=6).eval(), torch.rand(3, 3, 64, 64)
    before, after = (frozen_nets.describe(net, images, relu) for relu in (False, True))
    assert (before < 0).any()
    assert torch.equal(after, before.relu())
    assert torch.allclose(after, net.features(images)[-1])
    assert torch.allclose(net.name(after), net(images))


def test_one_net_and_one_store_serve_all_who_ask(untrained: list[str], tiny: Corpus) -> None:
    one, same = (vectors("corpus", tiny, 6, relu=True) for _ in range(2))
    other = vectors("corpus", tiny, 6, relu=False)
    assert one is same
    assert one is not other
    assert copy.deepcopy(one) is one
    assert untrained == ["vgg"]
    assert picture_net("auto", tiny) is not vector_net("auto", tiny, 6)
    assert untrained == ["vgg", "residual"]
    del one, same, other
    vectors("corpus", tiny, 6, relu=True)
    assert untrained == ["vgg", "residual", "vgg"]  # nobody held it any more


def test_vectors_are_of_the_pictures_and_carry_no_gradient(untrained: list[str], tiny: Corpus) -> None:
    net = vector_net("corpus", tiny, 6)
    net.requires_grad_(True)
    found = vectors("corpus", tiny, 6, relu=False)(torch.tensor([7, 2, 7]), CPU)
    pictures = torch.from_numpy(tiny.pixels([7, 2, 7], 64)).movedim(-1, 1) / 255
    assert torch.allclose(found, net.vector(pictures), atol=1e-5)
    assert not found.requires_grad
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(vectors("corpus", tiny, 6, relu=False)(torch.tensor([7]), CPU), found[:1])


def test_a_face_is_described_once_and_alike_in_any_company(untrained: list[str], tiny: Corpus) -> None:
    asked: list[list[int]] = []
    net = vector_net("corpus", tiny, 6)

    def make(rows: list[int], device: torch.device) -> torch.Tensor:
        asked.append(rows)
        return net.vector(torch.from_numpy(tiny.pixels(rows, 64)).movedim(-1, 1) / 255)

    of = OfFaces(make)
    first = of(torch.tensor([3, 3, 9]), CPU)
    assert torch.equal(of(torch.tensor([9, 3]), CPU), first[[2, 0]])
    assert asked == [[3, *[9] * 7]]
    alone = OfFaces(make)
    assert torch.equal(alone(torch.tensor([9]), CPU), first[2:])
    assert torch.equal(OfFaces(make)(torch.arange(20), CPU)[[3, 9]], first[1:])


def test_without_room_nothing_is_kept() -> None:
    calls: list[int] = []
    of = OfFaces(lambda rows, device: (calls.append(1), torch.tensor(rows)[:, None].float())[1], max_bytes=8)
    assert of(torch.tensor([5, 1, 2]), CPU).tolist() == [[5], [1], [2]]
    assert of(torch.tensor([1, 2]), CPU).tolist() == [[1], [2]]
    assert len(calls) == 1  # 1 and 2 took all the room
    assert of(torch.tensor([5, 5]), CPU).tolist() == [[5], [5]]
    assert of(torch.tensor([5]), CPU).tolist() == [[5]]
    assert len(calls) == 3


def test_landmarks_are_found_once_for_all_training_faces(monkeypatch: pytest.MonkeyPatch, tiny: Corpus) -> None:
    calls: list[int] = []

    def find(faces: np.ndarray, box: tuple) -> np.ndarray:
        calls.append(len(faces))
        assert box == tiny.face_box
        return np.broadcast_to(faces.mean((1, 2, 3))[:, None, None], (len(faces), 68, 2))

    monkeypatch.setattr(frozen_nets, "landmarks68", find)
    monkeypatch.setattr(frozen_nets, "LANDMARK_BLOCK", 50)
    faces = tiny.in_split(tiny.faces, "train")
    known = frozen_nets.landmarks(tiny)
    rows = faces[[5, 1]]
    for _ in range(2):
        found = known(torch.from_numpy(rows), CPU)
        assert found.shape == (2, 68, 2)
        expected = tiny.pixels(rows, max(tiny.face_sizes)).mean((1, 2, 3))
        assert found[:, 0, 0].tolist() == pytest.approx(expected.tolist())
    assert calls == [50, len(faces) - 50]


def test_identities_are_the_deepest_features(untrained: list[str], tiny: Corpus) -> None:
    net = picture_net("corpus", tiny)
    found = frozen_nets.identities("corpus", tiny, 64)(torch.tensor([1, 4]), CPU)
    pictures = torch.from_numpy(tiny.pixels([1, 4], 64)).movedim(-1, 1) / 255
    assert torch.allclose(found, net.features(pictures)[-1], atol=1e-5)


# -- which network ----------------------------------------------------------------------------------------------------


def added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *files: str) -> None:
    monkeypatch.setenv("VOXFACE_ASSETS", str(tmp_path))
    for name in files:
        (tmp_path / name).write_bytes(b"weights")


@pytest.mark.parametrize("allowed", [frozen_nets.PICTURE_NETWORKS, frozen_nets.VECTOR_NETWORKS])
def test_auto_is_the_published_net_if_its_weights_were_added(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, allowed: tuple[str, ...]
) -> None:
    added(monkeypatch, tmp_path)
    assert settle_network("auto", allowed) == "corpus"
    monkeypatch.setattr(frozen_nets.assets, "find", lambda name: tmp_path)
    assert settle_network("auto", allowed) == allowed[1]
    assert settle_network("corpus", allowed) == "corpus"
    with pytest.raises(ValueError, match=r"^network vgg .*auto, \w+, corpus"):
        settle_network("vgg", allowed)


def test_networks_are_settled_in_the_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    added(monkeypatch, tmp_path, "vgg_face_dag.pth")
    config = settled(
        Config(
            features={"name": "face_net"},
            losses={
                "a": {"name": "feature_l1", "network": "auto", "weight": 1.0},
                "b": {"name": "rendering_identity"},
                "c": {"name": "distillation", "network": "corpus"},
                "d": {"name": "l1", "weight": 1.0},
            },
        )
    )
    assert config.features == {"name": "face_net", "network": "vggface"}
    assert {name: section.get("network") for name, section in config.losses.items()} == {
        "a": "vggface",
        "b": "corpus",
        "c": "corpus",
        "d": None,
    }


@pytest.mark.parametrize(
    ("get", "said"),
    [
        (lambda corpus: vector_net("vggface", corpus, 4096), "vgg_face_dag.pth.*voxface assets add vgg-face PATH"),
        (lambda corpus: vector_net("vggface", corpus, 64), "network vggface .*4096.*dimension .*64"),
        (lambda corpus: picture_net("facenet", corpus), "20180402-114759-vggface2.pt.*voxface assets add facenet-vggface2 PATH"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    get: Callable, said: str, tiny: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    added(monkeypatch, tmp_path)
    assert assets_folder() == tmp_path
    with pytest.raises(ValueError, match=said) as error:
        get(tiny)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_corpus_nets_name_its_training_faces(
    tiny: Corpus, full_training_of_face_nets: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some of the steps they are given outside tests; those who judge are tested whole, with the metric."""
    from evaluation.trained.face_net import name_faces

    monkeypatch.setattr(frozen_nets, "_trained", partial(full_training_of_face_nets, steps=120))
    monkeypatch.setattr(frozen_nets, "_shared", WeakValueDictionary())
    faces = tiny.in_split(tiny.faces, "train")
    for net in (vector_net("corpus", tiny, 16), picture_net("corpus", tiny)):
        named = name_faces(net, tiny.pixels(faces, 64))
        assert (named == tiny.faces["speaker"][faces]).mean() > 0.9
        assert not any(p.requires_grad for p in net.parameters())
