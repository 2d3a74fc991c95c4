import pytest
import torch

from evaluation.face_nets.residual import Residual
from gan.config import load
from gan.data.corpus import Corpus
from gan.data.faces import to_pixel_space
from gan.losses import perceptual as module
from gan.losses.perceptual import Perceptual, settle_network
from tests.gan.losses.cases import step


@pytest.fixture
def loss(tiny: Corpus, monkeypatch: pytest.MonkeyPatch) -> Perceptual:
    torch.manual_seed(0)
    monkeypatch.setattr(module, "_frozen_network", lambda *_: Residual(12, width=4).eval().requires_grad_(False))
    return Perceptual(weight=1.0, pixel_space="unit", corpus=tiny, network="corpus")


def case(tiny: Corpus, rows: list[int]):
    faces = to_pixel_space(torch.from_numpy(tiny.pixels(rows, 64)), "unit")
    empty = step(size=64, batch=len(rows))
    drawn = (faces * 0.5).requires_grad_()
    return drawn, type(empty)(empty.batch._replace(face=faces, face_index=torch.tensor(rows)), empty.embedding, {64: faces},
                              {64: drawn}, {})


def test_equals_the_weighted_sum_of_tap_differences(loss: Perceptual, tiny: Corpus) -> None:
    drawn, this = case(tiny, [0, 3, 5])
    net = loss._network[0]
    real, fake = (net.features((f + 1) / 2) for f in (this.real[64], drawn))
    by_hand = sum(w * (a - b).abs().mean() for w, a, b in zip([1 / 32, 1 / 16, 1 / 8, 1 / 4, 1], fake, real, strict=True))
    assert loss.generator(this).item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_only_the_drawn_side_has_a_gradient(loss: Perceptual, tiny: Corpus) -> None:
    drawn, this = case(tiny, [0, 3])
    loss.generator(this).backward()
    assert drawn.grad.abs().sum() > 0
    assert all(p.grad is None for p in loss._network[0].parameters())
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}


def test_cached_features_give_the_same_value_and_are_not_made_again(loss: Perceptual, tiny: Corpus) -> None:
    net = loss._network[0]
    seen: list[int] = []
    original = net.features
    net.features = lambda images: (seen.append(len(images)), original(images))[1]
    first = loss.generator(case(tiny, [0, 3])[1]).item()
    again = loss.generator(case(tiny, [0, 3])[1]).item()
    mixed = loss.generator(case(tiny, [3, 7])[1]).item()
    assert first == pytest.approx(again, rel=1e-6)
    assert seen == [2, 2, 2, 1, 2]              # real, fake; fake; the one new real, fake
    net.features = original
    loss._real.clear()
    assert loss.generator(case(tiny, [3, 7])[1]).item() == pytest.approx(mixed, rel=1e-5)


def test_without_room_nothing_is_kept(tiny: Corpus, loss: Perceptual) -> None:
    loss.cache_bytes = 0
    loss.generator(case(tiny, [1, 2])[1])
    assert loss._real == {}


def test_auto_is_settled_in_the_config() -> None:
    config = load("sf2f-64")
    settle_network(config)
    assert config.losses["perceptual"]["network"] == "corpus"


def test_facenet_without_weights_says_how_to_get_them(tiny: Corpus) -> None:
    with pytest.raises(ValueError, match=r"20180402-114759-vggface2.pt.*voxface assets add facenet-vggface2"):
        Perceptual(weight=1.0, pixel_space="unit", corpus=tiny, network="facenet")


def test_the_corpus_net_names_its_training_faces(tiny: Corpus) -> None:
    from evaluation.face_training import name_faces

    net = module._frozen_network("corpus", tiny)
    faces = tiny.in_split(tiny.faces, "train")
    named = name_faces(net, tiny.pixels(faces, 64))
    assert (named == tiny.faces["speaker"][faces]).mean() > 0.9
    assert not any(p.requires_grad for p in net.parameters())
