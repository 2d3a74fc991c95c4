import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan.features.base import repeated, window_and_hop
from tests.properties import examples


@examples(40)
@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=4), least=st.integers(0, 12))
def test_each_item_is_tiled_by_its_own_length(lengths: list[int], least: int) -> None:
    longest = max(1, *lengths)
    rows = [[100 * item + i + 1 if i < length else 0 for i in range(longest)] for item, length in enumerate(lengths)]
    tiled, new = repeated(torch.tensor(rows), torch.tensor(lengths), least)
    expected = []
    for row, length in zip(rows, lengths, strict=True):
        own = row[:length] if length >= least else ((row[:length] or [0]) * least)[:least]
        expected.append(own + [0] * (max(longest, least) - len(own)))
    assert tiled.tolist() == expected
    assert new.tolist() == [max(length, least) for length in lengths]


def test_channels_are_tiled_alike() -> None:
    sequence = torch.arange(12.0).reshape(2, 2, 3)
    tiled, lengths = repeated(sequence, torch.tensor([3, 3]), 7)
    assert lengths.tolist() == [7, 7]
    assert torch.equal(tiled, sequence.repeat(1, 1, 3)[:, :, :7])


def test_windows_that_cannot_be() -> None:
    assert window_and_hop(25, 10, 512, 16_000) == (400, 160)
    for window_ms, hop_ms in ((33, 10), (0, 10), (25, 0.01)):
        with pytest.raises(ValueError, match="samples, "):
            window_and_hop(window_ms, hop_ms, 512, 16_000)
