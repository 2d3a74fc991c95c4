import math

import pytest
import torch

from decoders.deconv import Deconv

VOICE2FACE = dict(head="1x1", output="linear", bias=True, dropout=0.0, spectral_norm=None, noise=0.05)
SF2F_BASELINE = VOICE2FACE | dict(pixel_space="imagenet", noise_in_evaluation=True)
SMALL = dict(image_size=16, width=4)


def shapes(decoder: Deconv) -> list[list[int]]:
    return [list(parameter.shape) for parameter in decoder.parameters()]


def test_dropout_is_the_noise_in_evaluation_too() -> None:
    decoder = Deconv(6, image_size=16, width=4).eval()
    embedding = torch.ones(1, 6)
    assert not torch.equal(decoder(embedding)[16], decoder(embedding)[16])
    still = Deconv(6, image_size=16, width=4, dropout=0.0).eval()
    assert torch.equal(still(embedding)[16], still(embedding)[16])


@pytest.mark.parametrize(("spectral_norm", "rows"), [("published", 0), ("torch", 1)])
def test_sigma_is_of_the_named_matrix_view(spectral_norm: str, rows: int) -> None:
    """Input channels x rest as published: after many iterations the layer's largest singular value in that view is 1."""
    torch.manual_seed(0)
    decoder = Deconv(6, image_size=16, width=4, spectral_norm=spectral_norm)
    for _ in range(200):
        decoder(torch.ones(2, 6))
    for layer in decoder.eval().layers:
        assert torch.linalg.matrix_norm(layer.weight.detach().movedim(rows, 0).flatten(1), 2) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "embedding_dim", "parameters"),
    [
        ({}, 128, 3_804_160),
        ({"image_size": 128}, 128, 13_241_344),
        (VOICE2FACE, 64, 12_191_875),
        (SF2F_BASELINE, 512, 19_531_907),
        (SF2F_BASELINE | {"batch_norm": True}, 512, 19_535_875),
    ],
)
def test_published_counts(arguments: dict, embedding_dim: int, parameters: int) -> None:
    with torch.device("meta"):
        decoder = Deconv(embedding_dim, **arguments)
    assert sum(parameter.numel() for parameter in decoder.parameters()) == parameters


@pytest.mark.parametrize("batch_norm", [False, True])
def test_tensors_of_sf2f_in_their_order(batch_norm: bool) -> None:
    """Sheet of SF2F, section 10: weight, bias and, with batch norm, its pair behind each hidden layer."""
    with torch.device("meta"):
        decoder = Deconv(512, **SF2F_BASELINE, batch_norm=batch_norm)
    channels = [512, 1024, 512, 256, 128, 64]
    wanted: list[list[int]] = []
    for a, b in zip(channels, channels[1:], strict=False):
        wanted += [[a, b, 4, 4], [b], *([[b], [b]] if batch_norm else [])]
    assert shapes(decoder) == [*wanted, [64, 3, 1, 1], [3]]


def test_wav2pix_keeps_its_names() -> None:
    """Checkpoints of before the other forms load."""
    names = [name for name, _ in Deconv(6, **SMALL).named_parameters()]
    assert names == [f"layers.{i}.parametrizations.weight.original" for i in range(3)]


def test_batch_norm_comes_after_the_relu() -> None:
    torch.manual_seed(0)
    decoder = Deconv(6, **SMALL, dropout=0.0, batch_norm=True)
    seen: list[torch.Tensor] = []
    for layer in decoder.layers:
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    decoder(torch.randn(4, 6))
    assert [x.shape[1] for x in seen] == [8, 4]
    assert all((x >= 0).all() and (x == 0).any() for x in seen)


def test_noise_has_the_published_size() -> None:
    """A unit vector of 64 numbers plus 0.05 N(0, 1) a number: length of the noise 0.4, so the cosine is 1 / sqrt(1 + 0.16)."""
    torch.manual_seed(0)
    decoder = Deconv(64, **SMALL, **VOICE2FACE)
    embedding = 7 * torch.randn(500, 64)
    varied = decoder._vary(embedding)
    assert torch.allclose(varied.norm(dim=1), torch.ones(500))
    assert torch.cosine_similarity(varied, embedding).mean() == pytest.approx(1 / math.sqrt(1.16), abs=5e-3)


def test_noise_in_evaluation_is_a_choice_and_the_length_never_tells() -> None:
    torch.manual_seed(0)
    embedding = torch.randn(2, 6)
    quiet, noisy = Deconv(6, **SMALL, **VOICE2FACE).eval(), Deconv(6, **SMALL, **SF2F_BASELINE).eval()
    assert torch.equal(quiet(embedding)[16], quiet(embedding)[16])
    assert torch.allclose(quiet(embedding)[16], quiet(3 * embedding)[16], atol=1e-6)
    assert not torch.equal(noisy(embedding)[16], noisy(embedding)[16])
    assert not torch.equal(quiet.train()(embedding)[16], quiet(embedding)[16])


def test_linear_output_is_not_squashed() -> None:
    torch.manual_seed(0)
    decoder = Deconv(6, **SMALL, **SF2F_BASELINE)
    with torch.no_grad():
        decoder.layers[-1].bias.fill_(2.5)
    assert decoder.pixel_space == "imagenet"
    assert decoder(torch.randn(2, 6))[16].max() > 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(image_size=60), "power of two"),
        (dict(dropout=1.0), "dropout 1.0"),
        (dict(width=0), "width 0"),
        (dict(spectral_norm="numpy"), "published, torch, None"),
        (dict(head="2x2"), "deconv, 1x1"),
        (dict(output="relu"), "tanh, linear"),
        (dict(output="linear", pixel_space="lab"), "unit, imagenet"),
        (dict(pixel_space="imagenet"), "output tanh"),
        (dict(noise=-0.1), "noise -0.1"),
        (dict(noise=math.nan), "noise nan"),
        (dict(noise_in_evaluation=True), "noise above 0"),
    ],
)
def test_mistakes(arguments: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        Deconv(6, **arguments)
    assert "\n" not in str(caught.value)
