"""What every discriminator must do, over every file of discriminators/."""

import inspect

import pytest
import torch

from discriminators.base import Discriminator, Judgement, PatchStack
from gan.build import find, names

GIVEN = dict(embedding_dim=6, num_identities=5)


def built(name: str) -> Discriminator:
    torch.manual_seed(0)
    kind = find(Discriminator, name, "discriminator")
    asked = inspect.signature(kind).parameters
    return kind(**{k: v for k, v in GIVEN.items() if k in asked}, width=4)


def judged(discriminator: Discriminator, batch: int) -> Judgement:
    size = discriminator.image_size
    return discriminator(torch.randn(batch, 3, size, size), torch.randn(batch, 6))


@pytest.mark.parametrize("name", names(Discriminator))
def test_says_something_of_every_face(name: str) -> None:
    judgement = judged(built(name), 3)
    said = [value for value in judgement if value is not None]
    assert said
    assert all(len(value) == 3 and value.dtype == torch.float32 for value in said)
    if judgement.identity_logits is not None:
        assert judgement.identity_logits.shape == (3, 5)


@pytest.mark.parametrize("name", names(Discriminator))
def test_every_parameter_learns(name: str) -> None:
    discriminator = built(name)
    judgement = judged(discriminator, 4)
    heads = [v for v in (judgement.realness, judgement.identity_logits) if v is not None]
    torch.stack([(head * torch.randn_like(head)).sum() for head in heads]).sum().backward()
    for path, parameter in discriminator.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.abs().sum() > 0, path


@pytest.mark.parametrize("name", names(Discriminator))
def test_independence_is_as_declared(name: str) -> None:
    """An item alone is judged as in its batch in training mode, if and only if the discriminator says so."""
    discriminator = built(name)
    size = discriminator.image_size
    face, embedding = torch.randn(4, 3, size, size), torch.randn(4, 6)
    # Spectral norm moves at every pass in training; run it to rest first.
    for _ in range(300 if discriminator.items_independent else 0):
        discriminator(face, embedding)
    together = discriminator(face, embedding).realness
    alone = torch.cat([discriminator(face[i:i + 1], embedding[i:i + 1]).realness for i in range(4)])
    assert torch.allclose(together, alone, atol=1e-4) == discriminator.items_independent


@pytest.mark.parametrize("name", names(Discriminator))
def test_save_and_load(name: str) -> None:
    discriminator, other = built(name), built(name)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.add_(0.1)
    other.load_state_dict(discriminator.state_dict())
    size = discriminator.image_size
    face, embedding = torch.randn(2, 3, size, size), torch.randn(2, 6)
    a, b = discriminator.eval()(face, embedding), other.eval()(face, embedding)
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True) if x is not None)


@pytest.mark.parametrize("size", [64, 128])
def test_patch_maps_are_six_by_six(size: int) -> None:
    assert PatchStack(size, 4)(torch.zeros(1, 3, size, size)).shape[2:] == (6, 6)
