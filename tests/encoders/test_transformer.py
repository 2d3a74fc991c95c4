import math

import pytest
import torch

from encoders.transformer import Transformer, sine_code


def small(**changes) -> Transformer:
    torch.manual_seed(0)
    return Transformer(
        **(dict(num_channels=3, embedding_dim=4, convolutions=[6, 4], depth=2, num_heads=2, feed_forward=8) | changes)
    ).eval()


def test_the_measured_demo() -> None:
    with torch.device("meta"):
        encoder = Transformer(40, convolutions=[512, 512], depth=2)
    assert sum(p.numel() for p in encoder.parameters()) == 4_005_888


def test_the_learned_table() -> None:
    with torch.device("meta"):
        plain, learned = Transformer(40, position=None), Transformer(40, position="learned")
    extra = sum(p.numel() for p in learned.parameters()) - sum(p.numel() for p in plain.parameters())
    assert extra == 2000 * 8 + 512 * 8 * 3  # the table, and the eight channels more of the first convolution


@pytest.mark.parametrize("position", ["sine", "learned", None])
def test_padding_changes_nothing_with_any_position(position: str | None) -> None:
    encoder, features = small(position=position), torch.randn(2, 3, 30)
    alone = encoder(features[:1, :, :17], torch.tensor([17]))
    assert torch.allclose(encoder(features, torch.tensor([17, 30]))[:1], alone, atol=1e-5)


def test_it_attends_over_time_not_across_the_batch() -> None:
    encoder, features = small(), torch.randn(2, 3, 32, requires_grad=True)
    seen: list[torch.Tensor] = []
    encoder.attention.register_forward_hook(lambda _m, _i, output: seen.append(output))
    encoder(features, torch.tensor([32, 32]))
    (gradient,) = torch.autograd.grad((seen[0][0, 0] * torch.randn(4)).sum(), features)
    assert gradient[0, :, -1].abs().sum() > 0
    assert gradient[1].abs().sum() == 0


def test_sine_code_by_hand() -> None:
    expected = torch.tensor([[0, 1, 0, 1], [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]])
    assert torch.allclose(sine_code(2, 4), expected)


@pytest.mark.parametrize("position", ["sine", "learned"])
def test_the_order_of_frames_counts(position: str) -> None:
    encoder, features = small(position=position, convolutions=[4]), torch.randn(1, 3, 40)
    swapped = torch.cat([features[:, :, 20:], features[:, :, :20]], dim=2)
    frames = torch.tensor([40])
    assert not torch.allclose(encoder(features, frames), encoder(swapped, frames), atol=1e-3)


def test_embeddings_are_of_unit_length() -> None:
    embedding = small()(torch.randn(6, 3, 20), torch.full((6,), 20))
    assert torch.allclose(embedding.norm(dim=1), torch.ones(6), atol=1e-5)


def test_too_long_for_the_learned_table() -> None:
    with pytest.raises(ValueError, match=r"2001 .*2000.*encoder.position"):
        small(position="learned")(torch.zeros(1, 3, 2001), torch.tensor([2001]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(convolutions=[4, 6]), r"convolutions \[4, 6\] .*embedding_dim, 4"),
        (dict(num_heads=3), "embedding_dim 4 .*num_heads, 3"),
        (dict(depth=0), "depth 0 came, 1 or more"),
        (dict(position="cosine"), "position 'cosine' .*sine, learned, null"),
    ],
)
def test_what_it_refuses(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)
