"""What every feature front end that reads a waveform must do, over every file of gan/features/."""

import inspect

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from gan.build import build, find, names
from gan.features.base import Features
from tests.properties import examples

WAVEFORM = [name for name in names(Features) if find(Features, name, "features").reads == "waveform"]
REPEATING = [name for name in WAVEFORM if "repeat_to_seconds" in inspect.signature(find(Features, name, "features")).parameters]
# Every one as it comes, and those that repeat short items without that too.
SECTIONS = [{"name": name} for name in WAVEFORM] + [{"name": name, "repeat_to_seconds": 0} for name in REPEATING]
every = pytest.mark.parametrize("section", SECTIONS, ids=lambda section: "-".join(map(str, section.values())))


def built(section: dict) -> Features:
    return build(Features, section, "features", sample_rate_hz=16_000)


def noise(samples: int, items: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(items, samples, generator=torch.Generator().manual_seed(seed)).mul(0.2).clamp(-1, 1)


@every
@pytest.mark.parametrize("samples", [1, 159, 160, 399, 400, 401, 3200])
def test_shape_and_lengths(section: dict, samples: int) -> None:
    features, num_frames = built(section)(noise(samples, 2), torch.tensor([samples, samples]))
    assert features.shape[:3] == (2, built(section).num_channels, int(num_frames[0]))
    assert num_frames.dtype == torch.int64
    assert features.dtype == torch.float32
    assert features.isfinite().all()
    assert not list(built(section).parameters())


@every
@examples(8)
@given(lengths=st.lists(st.integers(0, 3000), min_size=1, max_size=3), scale=st.sampled_from([0.0, 1e-5, 1.0]))
@example(lengths=[1], scale=1.0)
@example(lengths=[0, 1], scale=0.0)
@example(lengths=[1600], scale=0.0)
def test_anything_is_finite(section: dict, lengths: list[int], scale: float) -> None:
    """Silence, a single sample, and the absent segments of a batch, which have none at all."""
    num_samples = torch.tensor(lengths)
    waveform = noise(max(1, *lengths, 1), len(lengths)) * scale
    waveform[torch.arange(waveform.shape[1]) >= num_samples[:, None]] = 0.0
    features, num_frames = built(section)(waveform, num_samples)
    assert features.isfinite().all()
    assert (num_frames <= features.shape[2]).all()
    assert (num_frames[num_samples > 0] >= 1).all()


@every
@examples(8)
@given(own=st.integers(1, 3500), longer=st.integers(0, 1700))
@example(own=250, longer=1700)
@example(own=480, longer=160)
@example(own=2880, longer=1)
def test_alone_as_in_a_batch(section: dict, own: int, longer: int) -> None:
    front = built(section)
    waveform = noise(own)
    alone, frames = front(waveform, torch.tensor([own]))
    batch = torch.cat([torch.cat([waveform, torch.zeros(1, longer)], dim=1), noise(own + longer, seed=1)])
    batched, same = front(batch, torch.tensor([own, own + longer]))
    assert int(frames[0]) == int(same[0]) == alone.shape[2]
    # Bands normalised over two or three nearly equal frames make much of rounding.
    assert torch.allclose(batched[:1, :, : int(frames[0])], alone, atol=1e-4 if own >= 1000 else 1e-3)


@every
def test_samples_is_the_inverse_of_frames(section: dict) -> None:
    front = built(section)
    _, fewest = front(torch.zeros(1, 1), torch.tensor([1]))  # more than one where short items are repeated
    for frames in (0, 1, 6, 99):
        samples = front.samples(int(fewest) + frames)
        assert int(front(torch.zeros(1, samples), torch.tensor([samples]))[1]) == int(fewest) + frames


@every
def test_mixed_precision_still_hears_in_float32(section: dict) -> None:
    waveform = noise(3200) * 0.01
    with torch.autocast("cpu", torch.bfloat16):
        low, _ = built(section)(waveform, torch.tensor([3200]))
    assert torch.equal(low, built(section)(waveform, torch.tensor([3200]))[0])


@every
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_same_on_a_gpu(section: dict) -> None:
    front, waveform, num_samples = built(section), noise(5000, 2), torch.tensor([5000, 5000])
    features, num_frames = front(waveform, num_samples)
    there, same = front.to("cuda")(waveform.cuda(), num_samples.cuda())
    assert torch.equal(same.cpu(), num_frames)
    assert torch.allclose(there.cpu(), features, atol=1e-2)


def test_repeating_comes_back_to_the_beginning() -> None:
    for name in REPEATING:
        assert built({"name": name, "repeat_to_seconds": None})(noise(800), torch.tensor([800]))[1] < 10
        with pytest.raises(ValueError, match="repeat_to_seconds -1"):
            built({"name": name, "repeat_to_seconds": -1})
