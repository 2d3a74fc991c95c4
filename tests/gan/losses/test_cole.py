"""The face decoder's losses, each on a case with a known value."""

import dataclasses
from weakref import WeakValueDictionary

import numpy as np
import pytest
import torch
from torch import nn

from decoders.base import Decoder
from evaluation.face_nets.residual import Residual
from gan import frozen_nets
from gan.build import build
from gan.data.corpus import Corpus
from gan.data.faces import to_pixel_space
from gan.losses.base import Loss, Step
from gan.losses.landmarks import Landmarks
from gan.losses.rendering_identity import RenderingIdentity
from gan.losses.texture import Texture
from tests.gan.losses.cases import step

ROWS = [0, 3, 5]


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch, tiny: Corpus) -> np.ndarray:
    """The landmarks of all training faces, at random places; the corpus's net untrained."""
    monkeypatch.setattr(frozen_nets, "_shared", WeakValueDictionary())
    landmarks = np.random.default_rng(0).random((len(tiny.in_split(tiny.faces, "train")), 68, 2), np.float32)
    monkeypatch.setattr(frozen_nets, "training_landmarks", lambda corpus: landmarks)
    torch.manual_seed(0)
    net = Residual(12, width=4).eval().requires_grad_(False)
    monkeypatch.setattr(frozen_nets, "_trained", lambda *_: net)
    return landmarks


def cole(**keys) -> Decoder:
    section = dict(name="cole", image_size=64, trunk=[16], landmark_hidden=[16], width=64)
    return build(Decoder, section | keys, "decoder", embedding_dim=4)


def faces(tiny: Corpus, rows: list[int] = ROWS) -> torch.Tensor:
    return to_pixel_space(torch.from_numpy(tiny.pixels(rows, 64)), "unit")


def case(tiny: Corpus, rows: list[int] = ROWS, **parts: torch.Tensor) -> Step:
    plain, real = step(batch=len(rows)), faces(tiny, rows)
    return dataclasses.replace(
        plain,
        batch=plain.batch._replace(face=real, face_index=torch.tensor(rows)),
        real={64: real},
        fake={64: parts.pop("fake", real)},
        parts=parts,
    )


def test_the_texture_is_compared_with_the_registered_photo(tiny: Corpus, found: np.ndarray) -> None:
    decoder = cole(warp={})
    decoder.mean_landmarks.copy_(torch.rand(68, 2))
    loss = Texture(weight=1.0, pixel_space="unit", corpus=tiny, decoder=decoder)
    at = np.searchsorted(tiny.in_split(tiny.faces, "train"), ROWS)
    registered = decoder.register(faces(tiny), torch.from_numpy(found[at]))
    assert (registered - faces(tiny)).abs().mean() > 0.01
    assert loss.generator(case(tiny, texture=registered)).item() == pytest.approx(0, abs=1e-5)
    texture = (registered + 0.25).requires_grad_()
    value = loss.generator(case(tiny, texture=texture))
    assert value.item() == pytest.approx(0.25, abs=1e-5)
    value.backward()
    assert texture.grad.abs().sum() > 0
    assert loss.state_dict() == {}


def test_without_a_warp_the_photo_is_the_texture(tiny: Corpus) -> None:
    loss = Texture(weight=1.0, pixel_space="unit", corpus=tiny, decoder=cole())
    assert loss.generator(case(tiny, texture=faces(tiny) - 0.5)).item() == pytest.approx(0.5, abs=1e-6)


def test_registered_photos_are_kept_while_there_is_room(tiny: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, calls = cole(warp={}), []
    monkeypatch.setattr(decoder, "register", lambda photos, landmarks: (calls.append(len(photos)), photos)[1])
    for megabytes, registered in ((1, 2), (0, 3)):
        calls.clear()
        loss = Texture(weight=1.0, pixel_space="unit", corpus=tiny, decoder=decoder, cache_mb=megabytes)
        for rows in ([0, 3], [3, 0], [3, 4]):
            assert loss.generator(case(tiny, rows, texture=faces(tiny, rows))).item() == 0
        assert calls == [frozen_nets.CHUNK] * registered


def test_landmarks_by_hand(tiny: Corpus, found: np.ndarray) -> None:
    loss = Landmarks(weight=1.0, corpus=tiny, decoder=cole())
    true = torch.from_numpy(found[np.searchsorted(tiny.in_split(tiny.faces, "train"), ROWS)])
    assert loss.generator(case(tiny, landmarks=true)).item() == 0
    drawn = (true + torch.tensor([0.1, -0.3])).requires_grad_()
    value = loss.generator(case(tiny, landmarks=drawn))
    assert value.item() == pytest.approx((0.01 + 0.09) / 2, rel=1e-4)
    value.backward()
    assert drawn.grad.abs().sum() > 0


def identity(tiny: Corpus, decoder: Decoder) -> RenderingIdentity:
    return RenderingIdentity(weight=1.0, pixel_space="unit", corpus=tiny, decoder=decoder, network="corpus")


def test_the_photo_itself_is_the_same_person_and_a_gradient_reaches_the_decoder_through_the_warp(tiny: Corpus) -> None:
    decoder = cole(warp={})
    loss = identity(tiny, decoder)
    assert loss.generator(case(tiny)).item() == pytest.approx(0, abs=1e-5)
    embedding = torch.randn(3, 4, requires_grad=True)
    drawn, _ = decoder.draw(embedding)
    value = loss.generator(case(tiny, fake=drawn[64]))
    assert 0 < value.item() <= 2
    value.backward()
    assert embedding.grad.abs().sum() > 0
    assert decoder.landmarks[-1].weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in loss._net[0].parameters())
    assert (list(loss.parameters()), loss.state_dict()) == ([], {})


def test_opposite_and_orthogonal_people(tiny: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = identity(tiny, cole())
    unit = torch.eye(3)
    loss._true = [lambda rows, device: unit]
    for drawn, value in ((5 * unit, 0), (unit.roll(1, 0), 1), (-unit, 2), (0 * unit, 1)):
        monkeypatch.setattr(loss._net[0], "features", lambda images, drawn=drawn: [drawn])
        assert loss.generator(case(tiny)).item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (dict(name="texture"), "losses.x: .*texture.*Linear.*decoder cole"),
        (dict(name="rendering_identity", network="vggface"), "losses.x: network vggface .*auto, facenet, corpus"),
    ],
)
def test_mistakes(section: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(Loss, section | {"weight": 1.0}, "losses.x", pixel_space="unit", corpus=None, decoder=nn.Linear(1, 1))
