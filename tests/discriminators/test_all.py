"""What every discriminator must do, over every file of discriminators/ and every form it has."""

import inspect

import pytest
import torch

from discriminators.base import Discriminator, Judgement, PatchStack
from gan.build import find, names

GIVEN = dict(embedding_dim=6, num_identities=5)
FORMS = [(name, {}) for name in names(Discriminator)] + [
    ("conditional", dict(spectral_norm=False)),
    ("conditional", dict(image_size=16)),
    ("conditional_patch", dict(image_size=128)),
    ("identity", dict(stack="voice2face", hidden=16)),
    ("shared_trunk", dict(image_size=8, face_dim=3)),
]
every_form = pytest.mark.parametrize(
    ("name", "keys"), FORMS, ids=["-".join([name, *(f"{k}={v}" for k, v in keys.items())]) for name, keys in FORMS]
)


def built(name: str, keys: dict) -> Discriminator:
    torch.manual_seed(0)
    kind = find(Discriminator, name, "discriminator")
    asked = inspect.signature(kind).parameters
    return kind(**{k: v for k, v in GIVEN.items() if k in asked}, width=4, **keys)


def judged(discriminator: Discriminator, batch: int) -> Judgement:
    size = discriminator.image_size
    return discriminator(torch.randn(batch, 3, size, size), torch.randn(batch, 6))


@every_form
def test_says_something_of_every_face(name: str, keys: dict) -> None:
    judgement = judged(built(name, keys), 3)
    said = [value for value in judgement if value is not None]
    assert said
    assert all(len(value) == 3 and value.dtype == torch.float32 for value in said)
    if judgement.identity_logits is not None:
        assert judgement.identity_logits.shape == (3, 5)


@every_form
def test_every_parameter_learns(name: str, keys: dict) -> None:
    discriminator = built(name, keys)
    judgement = judged(discriminator, 4)
    heads = [v for v in (judgement.realness, judgement.identity_logits) if v is not None]
    torch.stack([(head * torch.randn_like(head)).sum() for head in heads]).sum().backward()
    for path, parameter in discriminator.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.abs().sum() > 0, path


@every_form
def test_independence_is_as_declared(name: str, keys: dict) -> None:
    """An item alone is judged as in its batch in training mode, if and only if the discriminator says so."""
    discriminator = built(name, keys)
    size = discriminator.image_size
    face, embedding = torch.randn(4, 3, size, size), torch.randn(4, 6)
    # Spectral norm moves at every pass in training; run it to rest first.
    for _ in range(300 if any(map(torch.nn.utils.parametrize.is_parametrized, discriminator.modules())) else 0):
        discriminator(face, embedding)
    together = discriminator(face, embedding).realness
    alone = torch.cat([discriminator(face[i : i + 1], embedding[i : i + 1]).realness for i in range(4)])
    assert torch.allclose(together, alone, atol=1e-4) == discriminator.items_independent


@every_form
def test_save_and_load(name: str, keys: dict) -> None:
    discriminator, other = built(name, keys), built(name, keys)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.add_(0.1)
    other.load_state_dict(discriminator.state_dict())
    size = discriminator.image_size
    face, embedding = torch.randn(2, 3, size, size), torch.randn(2, 6)
    a, b = discriminator.eval()(face, embedding), other.eval()(face, embedding)
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True) if x is not None)


@pytest.mark.parametrize(
    ("name", "looks"),
    [("conditional", True), ("conditional_patch", True), ("image", False), ("identity", False), ("shared_trunk", False)],
)
def test_who_looks_at_the_voice(name: str, looks: bool) -> None:
    discriminator = built(name, {}).eval()
    face = torch.randn(2, 3, 64, 64)
    one, other = (discriminator(face, torch.full((2, 6), value)).realness for value in (0.0, 1.0))
    assert torch.equal(one, other) != looks


@pytest.mark.parametrize("size", [64, 128])
def test_patch_maps_are_six_by_six(size: int) -> None:
    assert PatchStack(size, 4)(torch.zeros(1, 3, size, size)).shape[2:] == (6, 6)


@pytest.mark.parametrize(
    ("name", "keys", "said"),
    [
        ("image", dict(image_size=32), "image_size 32 came, 64 or 128 px"),
        ("conditional", dict(image_size=48), "image_size 48 came, a power of two from 8 px"),
        ("shared_trunk", dict(image_size=48), "image_size 48 came, a power of two from 8 px"),
        ("identity", dict(stack="voice2face", image_size=8), "image_size 8 came, a power of two from 16 px"),
        ("identity", dict(stack="v2f"), "stack v2f came, patch or voice2face"),
    ],
)
def test_mistakes(name: str, keys: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        built(name, keys)
