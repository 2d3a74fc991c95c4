import pytest
import torch
from torch import Tensor

from encoders.spectrogram2d import Spectrogram2d

# The published table: width, time and frequency after the convolution, time after the pool, weights and biases, norm.
TABLE = [
    (64, 595, 254, 595, 2_112, 256),
    (64, 592, 251, 592, 65_600, 256),
    (128, 589, 248, 294, 131_200, 512),
    (128, 291, 245, 145, 262_272, 512),
    (128, 142, 242, 71, 262_272, 512),
    (256, 68, 239, 34, 524_544, 1_024),
    (512, 31, 236, 31, 2_097_664, 2_048),
    (512, 14, 117, 14, 4_194_816, 2_048),
]


def small(**changes) -> Spectrogram2d:
    torch.manual_seed(0)
    return Spectrogram2d(**(dict(embedding_dim=5, channels=[3] * 9, hidden=6, bins=35) | changes)).eval()


def total(tensors) -> int:
    return sum(tensor.numel() for tensor in tensors)


def test_published_parameters_row_by_row() -> None:
    with torch.device("meta"):
        encoder = Spectrogram2d()
    for block, (width, _, _, _, weights, norm) in zip(encoder.blocks, TABLE, strict=True):
        assert block.convolution.out_channels == width
        assert total(block.convolution.parameters()) == weights
        assert 4 * block.norm.num_features == norm
    assert total(encoder.last.parameters()) == 4_194_816
    assert 4 * encoder.norm.num_features == 2_048
    assert total(encoder.hidden.parameters()) == 119_541_760
    assert total(encoder.out.parameters()) == 16_781_312
    assert encoder.hidden.in_features == 29_184
    assert total(encoder.parameters()) == 148_062_976
    assert total(b for name, b in encoder.named_buffers() if "running" in name) == 4_608
    assert {(m.eps, m.momentum) for m in encoder.modules() if hasattr(m, "momentum")} == {(1e-3, 0.01)}
    assert [p.dim() for p in encoder.parameters()] == [4, 1, 1, 1] * 9 + [2, 1] * 2


def test_published_maps_row_by_row() -> None:
    encoder, convolved, blocks = small(channels=[1] * 9, bins=257), [], []
    for block in encoder.blocks:
        block.convolution.register_forward_hook(lambda _m, _i, output: convolved.append(tuple(output.shape[2:])))
        block.register_forward_hook(lambda _m, _i, output: blocks.append(tuple(output.shape[2:])))
    encoder.last.register_forward_hook(lambda _m, _i, output: convolved.append(tuple(output.shape[2:])))
    with torch.no_grad():
        encoder(torch.randn(1, 2, 598, 257), torch.tensor([598]))
    assert convolved == [*((time, frequency) for _, time, frequency, *_ in TABLE), (6, 57)]
    assert blocks == [(pooled, frequency) for _, _, frequency, pooled, *_ in TABLE]


@pytest.mark.parametrize(("frames", "steps"), [(259, 1), (298, 1), (301, 1), (598, 6), (601, 6), (998, 12)])
def test_published_durations(frames: int, steps: int) -> None:
    encoder, seen = small(channels=[1] * 9), []
    encoder.last.register_forward_hook(lambda _m, _i, output: seen.append(output.shape[2]))
    with torch.no_grad():
        encoder(torch.randn(1, 2, frames, 35), torch.tensor([frames]))
    assert seen == [steps]


def test_fewest_frames() -> None:
    assert small().min_frames == 259
    features = torch.randn(2, 2, 300, 35)
    with pytest.raises(ValueError, match=r"258 .*259 or more"):
        small()(features, torch.tensor([300, 258]))


def plain(encoder: Spectrogram2d, features: Tensor) -> Tensor:
    """What the table says, in the fewest words, for one item without padding, in evaluation mode."""
    x = features
    for number, block in enumerate(encoder.blocks):
        x = block.norm(torch.relu(block.convolution(x)))
        if number in (2, 3, 4, 5):
            x = torch.nn.functional.max_pool2d(x, (2, 1))
    x = encoder.norm(torch.relu(encoder.last(x).mean(2)))
    return encoder.out(torch.relu(encoder.hidden(x.flatten(1))))


@pytest.mark.slow
@pytest.mark.parametrize("frames", [*range(387, 451, 7), 451])
def test_each_of_a_batch_is_the_plain_network_alone(frames: int) -> None:
    """Lengths over one full stride of 64: every pool meets even and odd counts, and the mean one to four time steps."""
    encoder, features = small(), torch.randn(3, 2, 520, 35)
    for norm in encoder.modules():
        if hasattr(norm, "running_mean"):
            norm.momentum = 1.0
    lengths = torch.tensor([frames, 259, 520])
    with torch.no_grad():
        encoder.train()(torch.randn(4, 2, 400, 35), torch.full((4,), 400))  # else the signal dies on the way: no norm fits
        together = encoder.eval()(features, lengths)
        for item, length in enumerate(lengths.tolist()):
            assert torch.allclose(together[item], plain(encoder, features[item : item + 1, :, :length])[0], atol=1e-5)
            assert not torch.allclose(together[item], plain(encoder, features[item : item + 1, :, 64:])[0], atol=1e-3)


def test_what_lies_beyond_the_end_is_in_no_statistics() -> None:
    features, lengths = torch.randn(2, 2, 400, 35), torch.tensor([300, 400])
    other = features.clone()
    other[0, :, 300:] = 50.0
    one, two = small().train(), small().train()
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(features, lengths), two(other, lengths))


def test_relu_on_the_embedding() -> None:
    features, frames = torch.randn(4, 2, 260, 35), torch.full((4,), 260)
    signed, positive = small(), small(final_relu=True)
    positive.load_state_dict(signed.state_dict())
    assert (signed(features, frames) < 0).any()
    assert torch.equal(positive(features, frames), signed(features, frames).relu())


@pytest.mark.parametrize(
    ("changes", "message"),
    [(dict(channels=[4] * 8), "channels .* came, a list of 9"), (dict(bins=30), "bins 30 came, 31 or more")],
)
def test_what_it_refuses(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)


@pytest.mark.parametrize("shape", [(2, 2, 300), (2, 2, 300, 257)])
def test_features_it_cannot_read(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"spectrogram2d reads \(B, C, F, 35\).*encoder.bins"):
        small()(torch.zeros(shape), torch.tensor([300, 300]))
