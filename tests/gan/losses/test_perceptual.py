import dataclasses

import pytest
import torch

from evaluation.face_nets.base import FaceNet
from evaluation.face_nets.residual import Residual
from gan.data.corpus import Corpus
from gan.data.faces import to_pixel_space
from gan.frozen_nets import CHUNK
from gan.losses import perceptual as module
from gan.losses.perceptual import Perceptual
from gan.recipes import load
from gan.training.start import settled
from tests.gan.losses.cases import step


@pytest.fixture
def loss(tiny: Corpus, monkeypatch: pytest.MonkeyPatch) -> Perceptual:
    torch.manual_seed(0)
    monkeypatch.setattr(module, "picture_net", lambda *_: Residual(12, width=4).eval().requires_grad_(False))
    return Perceptual(weight=1.0, pixel_space="unit", corpus=tiny, network="corpus")


def case(tiny: Corpus, rows: list[int]):
    faces = to_pixel_space(torch.from_numpy(tiny.pixels(rows, 64)), "unit")
    empty = step(size=64, batch=len(rows))
    drawn = (faces * 0.5).requires_grad_()
    return drawn, type(empty)(
        empty.batch._replace(face=faces, face_index=torch.tensor(rows)), empty.embedding, {64: faces}, {64: drawn}, {}
    )


def test_equals_the_weighted_sum_of_tap_differences(loss: Perceptual, tiny: Corpus) -> None:
    drawn, this = case(tiny, [0, 3, 5])
    net = loss._network[0]
    real, fake = (net.features((f + 1) / 2) for f in (this.real[64], drawn))
    by_hand = sum(w * (a - b).abs().mean() for w, a, b in zip([1 / 32, 1 / 16, 1 / 8, 1 / 4, 1], fake, real, strict=True))
    assert loss.generator(this).item() == pytest.approx(by_hand.item(), rel=1e-5)


def made(tiny: Corpus, **keys) -> Perceptual:
    return Perceptual(weight=1.0, pixel_space="unit", corpus=tiny, network="corpus", **keys)


@pytest.mark.parametrize(("taps", "weights"), [([4], [1]), ([3, 0], [1 / 32, 1 / 4]), ([1, 4], [1 / 16, 1])])
def test_named_taps_keep_their_weights(loss: Perceptual, tiny: Corpus, taps: list[int], weights: list[float]) -> None:
    some = made(tiny, taps=taps)
    drawn, this = case(tiny, [0, 3, 5])
    net = some._network[0]
    real, fake = (net.features((f + 1) / 2) for f in (this.real[64], drawn))
    by_hand = sum(w * (fake[at] - real[at]).abs().mean() for w, at in zip(weights, sorted(taps), strict=True))
    assert some.generator(this).item() == pytest.approx(by_hand.item(), rel=1e-5)
    kept = next(iter(some._real.values()))
    assert [entry.shape for entry in kept] == [real[at].shape[1:] for at in sorted(taps)]


class _Colours(FaceNet):
    """Two taps: the picture, and its mean colour brought to unit length."""

    def __init__(self) -> None:
        super().__init__(num_identities=2, input_size=64)

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [images, torch.nn.functional.normalize(images.mean((2, 3)))]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("keys", "by_hand"),
    [
        (dict(), 2 / 3 / 4 + 2 / 3),
        (dict(taps=[0]), 2 / 3 / 4),
        (dict(taps=[1]), 2 / 3),
        (dict(embedding_weight=3.0), 2 / 3 / 4 + 2 / 3 + 3),
        (dict(taps=[0], embedding_weight=3.0), 2 / 3 / 4 + 3),
    ],
)
def test_red_for_green_by_hand(tiny: Corpus, monkeypatch: pytest.MonkeyPatch, keys: dict, by_hand: float) -> None:
    """Two of three channels differ by 1 at both taps, of weights 1/4 and 1; the cosine is 0."""
    monkeypatch.setattr(module, "picture_net", lambda *_: _Colours())
    _, this = case(tiny, [0, 3])
    red, green = (torch.full((2, 3, 64, 64), -1.0) for _ in range(2))
    red[:, 0], green[:, 1] = 1, 1
    this = dataclasses.replace(this, real={64: red}, fake={64: green})
    assert made(tiny, **keys).generator(this).item() == pytest.approx(by_hand)


def test_a_face_box_hides_the_rest_of_the_picture(loss: Perceptual, tiny: Corpus) -> None:
    """Only the border differs: nothing is seen of it. Inside, it is the value of pictures cut beforehand, but for their edges."""
    boxed = made(tiny, face_box=[0.25, 0.25, 0.75, 0.75])
    _, this = case(tiny, [0, 3])
    border = this.real[64].clone()
    border[..., :14, :] = 1
    border[..., -14:] = -1
    hidden = dataclasses.replace(this, fake={64: border.requires_grad_()})
    assert boxed.generator(hidden).item() == pytest.approx(0, abs=1e-6)
    whole = made(tiny)
    whole._network = boxed._network
    assert whole.generator(hidden).item() > 0.001

    boxed._real.clear()
    whole._real.clear()
    cut = [
        torch.nn.functional.interpolate(f[..., 16:48, 16:48], (64, 64), mode="bilinear", antialias=True)
        for f in (this.real[64], this.fake[64])
    ]
    before = dataclasses.replace(this, real={64: cut[0]}, fake={64: cut[1]})
    assert boxed.generator(this).item() == pytest.approx(whole.generator(before).item(), rel=0.02)


def test_a_net_that_cuts_the_face_box_itself_gets_ours_and_is_not_changed_for_others(
    tiny: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Residual(12, width=4).eval().requires_grad_(False)
    net.face_box = tuple(tiny.face_box)  # as FaceNet's
    monkeypatch.setattr(module, "picture_net", lambda *_: net)
    ours = made(tiny, face_box=[0.25, 0.25, 0.75, 0.75])
    assert ours._network[0].face_box == (0.25, 0.25, 0.75, 0.75)
    assert ours.face_box is None  # not cut twice
    assert net.face_box == tuple(tiny.face_box)
    assert ours._network[0].stem is net.stem
    assert made(tiny)._network[0] is net


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (dict(network="vgg"), "network vgg came, auto, facenet, corpus"),
        (dict(taps=[]), r"taps \[\] came, one or more"),
        (dict(taps=[1, 1]), r"taps \[1, 1\] came, one or more different"),
        (dict(taps=[0, 5]), r"taps \[0, 5\] came, this network has 0 to 4"),
        (dict(taps=[-1]), r"taps \[-1\] came, this network has 0"),
        (dict(face_box=[0.1, 0.2, 0.3]), r"face_box: \[0.1, 0.2, 0.3\]; needs four"),
        (dict(face_box=[0.5, 0.0, 0.5, 1.0]), "face_box.*left < right"),
        (dict(embedding_weight=-1.0), "embedding_weight -1.0"),
    ],
)
def test_mistakes(loss: Perceptual, tiny: Corpus, keys: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Perceptual(**(dict(weight=1.0, pixel_space="unit", corpus=tiny, network="corpus") | keys))


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
    assert first == again
    assert seen == [CHUNK, 2, 2, CHUNK, 2]  # real, fake; fake; the one new real, fake
    net.features = original
    loss._real.clear()  # as in a run that was interrupted
    assert loss.generator(case(tiny, [3, 7])[1]).item() == mixed


def test_real_features_do_not_depend_on_what_came_before(loss: Perceptual, tiny: Corpus) -> None:
    """Bit for bit, or a resumed run would differ: a CPU's last digits depend on how many pictures come together."""
    faces = list(range(11))
    whole = loss._real_taps(64, case(tiny, faces)[1])
    loss._real.clear()
    for some in ([0], [1, 2, 3], [4, 5, 6, 7, 8, 9, 10]):
        loss._real_taps(64, case(tiny, some)[1])
    pieces = loss._real_taps(64, case(tiny, faces)[1])
    assert all(torch.equal(a, b) for a, b in zip(whole, pieces, strict=True))


def test_without_room_nothing_is_kept(tiny: Corpus, loss: Perceptual) -> None:
    loss.cache_bytes = 0
    loss.generator(case(tiny, [1, 2])[1])
    assert loss._real == {}


def test_auto_is_settled_in_the_config() -> None:
    config = load("sf2f-64")
    assert settled(config).losses["perceptual"]["network"] == "corpus"
    assert config == load("sf2f-64")


def test_facenet_without_weights_says_how_to_get_them(tiny: Corpus) -> None:
    with pytest.raises(ValueError, match=r"20180402-114759-vggface2.pt.*voxface assets add facenet-vggface2"):
        Perceptual(weight=1.0, pixel_space="unit", corpus=tiny, network="facenet")
