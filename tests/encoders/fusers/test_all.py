"""What every fuser must do, over every file of encoders/fusers/."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from encoders.fusers.base import Fuser
from gan.build import find, names
from tests.properties import examples

every_fuser = pytest.mark.parametrize("name", names(Fuser))
VALID = torch.tensor([[True] * 5, [True, False, True, False, True], [False, False, False, True, False]])


def built(name: str) -> Fuser:
    torch.manual_seed(0)
    return find(Fuser, name, "fuser")(embedding_dim=6)


def drawn(items: int = 3, segments: int = 5) -> torch.Tensor:
    return F.normalize(torch.randn(items, segments, 6), dim=2)


@every_fuser
@pytest.mark.parametrize("segments", [1, 2, 20])
def test_shape_and_type(name: str, segments: int) -> None:
    fused = built(name)(drawn(3, segments), torch.ones(3, segments, dtype=torch.bool))
    assert fused.shape == (3, 6)
    assert fused.dtype == torch.float32


@every_fuser
def test_gradients(name: str) -> None:
    fuser, embeddings = built(name), drawn().requires_grad_()
    fused = fuser(embeddings, VALID)
    (fused * torch.randn_like(fused)).sum().backward()
    for path, parameter in fuser.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.abs().sum() > 0, path
    assert embeddings.grad is not None
    assert torch.equal(embeddings.grad.abs().sum(2) > 0, VALID)


@every_fuser
@pytest.mark.parametrize("absent", [7.0, float("nan")])
def test_absent_segments_change_nothing(name: str, absent: float) -> None:
    fuser, embeddings = built(name), drawn()
    embeddings[~VALID] = absent
    fused = fuser(embeddings, VALID)
    for item, valid in enumerate(VALID):
        alone = embeddings[item, valid][None]
        assert torch.allclose(fuser(alone, torch.ones(1, len(alone[0]), dtype=torch.bool))[0], fused[item], atol=1e-6)


@every_fuser
@examples(25)
@given(
    valid=st.integers(1, 24).flatmap(
        lambda number: st.lists(st.lists(st.booleans(), min_size=number, max_size=number).filter(any), min_size=1, max_size=4)
    ),
    absent=st.sampled_from([1e6, float("nan"), float("inf")]),
)
def test_any_number_of_segments_and_any_mask(name: str, valid: list[list[bool]], absent: float) -> None:
    fuser, mask = built(name), torch.tensor(valid)
    embeddings = drawn(*mask.shape)
    embeddings[~mask] = absent
    fused = fuser(embeddings, mask)
    assert fused.shape == (len(mask), 6)
    for item, present in enumerate(mask):
        alone = embeddings[item, present][None]
        assert torch.allclose(fuser(alone, torch.ones(alone.shape[:2], dtype=torch.bool))[0], fused[item], atol=1e-6)


@every_fuser
def test_absent_segments_leave_the_gradient_finite(name: str) -> None:
    fuser, embeddings = built(name), drawn()
    embeddings[~VALID] = float("nan")
    embeddings.requires_grad_()
    fuser(embeddings, VALID).sum().backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in fuser.parameters())


@every_fuser
def test_the_order_of_segments_changes_nothing(name: str) -> None:
    fuser, embeddings, order = built(name), drawn(), torch.tensor([3, 0, 4, 2, 1])
    assert torch.allclose(fuser(embeddings[:, order], VALID[:, order]), fuser(embeddings, VALID), atol=1e-6)


@every_fuser
def test_save_and_load(name: str) -> None:
    fuser, other, embeddings = built(name), built(name), drawn()
    with torch.no_grad():
        for parameter in fuser.parameters():
            parameter.add_(0.1)
    other.load_state_dict(fuser.state_dict())
    assert torch.equal(fuser(embeddings, VALID), other(embeddings, VALID))
