"""Parameter counts and ordered tensor shapes of the published discriminators, as measured on the originals."""

import pytest
import torch

from discriminators.base import Discriminator
from discriminators.conditional import Conditional
from discriminators.conditional_patch import ConditionalPatch
from discriminators.identity import Identity
from discriminators.image import Image
from discriminators.shared_trunk import SharedTrunk


def norm(width: int) -> list[list[int]]:
    return [[width], [width]]


def patch_stack(image_size: int) -> list[list[int]]:
    shapes = [[64, 3, 4, 4], [64], *norm(64), [128, 64, 4, 4], [128], *norm(128), [256, 128, 4, 4], [256]]
    return shapes if image_size == 64 else [*shapes, *norm(256), [512, 256, 4, 4], [512]]


def plain_stack(last: int) -> list[list[int]]:
    shapes = [[32, 3, 1, 1], [32], [64, 32, 4, 4], [64], [128, 64, 4, 4], [128], [256, 128, 4, 4], [256], [512, 256, 4, 4], [512]]
    return shapes if last == 512 else [*shapes, [last, 512, 4, 4], [last]]


def identity_heads(features: int, identities: int) -> list[list[int]]:
    return [[1024, features], [1024], [1, 1024], [1], [identities, 1024], [identities]]


K = 924
WAV2PIX_64 = [[64, 3, 4, 4], [128, 64, 4, 4], [256, 128, 4, 4], [512, 256, 4, 4]]
PUBLISHED = {
    "sf2f image 64": (lambda: Image(), 659_521, [*patch_stack(64), [1, 256, 1, 1], [1]]),
    "sf2f image 128": (lambda: Image(image_size=128), 2_757_953, [*patch_stack(128), [1, 512, 1, 1], [1]]),
    "sf2f identity 64": (lambda: Identity(K), 923_457 + 1025 * K, patch_stack(64) + identity_heads(256, K)),
    "sf2f identity 128": (lambda: Identity(K, image_size=128), 3_283_777 + 1025 * K, patch_stack(128) + identity_heads(512, K)),
    "sf2f identity v2f": (
        lambda: Identity(K, stack="voice2face"),
        3_312_705 + 1025 * K,
        plain_stack(512) + identity_heads(512, K),
    ),
    "sf2f conditional 64": (
        lambda: ConditionalPatch(512),
        2_429_505,
        [*patch_stack(64), [256, 768, 3, 3], *norm(256), [1, 256, 1, 1], [1]],
    ),
    "voice2face": (lambda: SharedTrunk(K), 3_310_720 + 64 + 59_136, [*plain_stack(64), [1, 64], [K, 64]]),
    "wav2pix 64": (lambda: Conditional(128), 2_765_824, [*WAV2PIX_64, [1, 640, 4, 4]]),
    "wav2pix 128": (lambda: Conditional(128, image_size=128), 11_162_624, [*WAV2PIX_64, [1024, 512, 4, 4], [1, 1152, 4, 4]]),
}


@pytest.mark.parametrize("system", PUBLISHED)
def test_counts_and_ordered_shapes(system: str) -> None:
    build, total, shapes = PUBLISHED[system]
    with torch.device("meta"):
        discriminator: Discriminator = build()
    assert sum(p.numel() for p in discriminator.parameters()) == total
    assert [list(p.shape) for p in discriminator.parameters()] == shapes


@pytest.mark.parametrize(("image_size", "vectors"), [(64, 8_176), (128, 17_392)])
def test_spectral_norm_has_the_published_vectors_or_none(image_size: int, vectors: int) -> None:
    with torch.device("meta"):
        normed, plain = (Conditional(128, image_size, spectral_norm=on) for on in (True, False))
    assert sum(b.numel() for b in normed.buffers()) == vectors
    assert list(plain.buffers()) == []
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in normed.parameters())


def test_maps_are_of_the_published_sizes() -> None:
    """voice2face 1x1; SF2F's form of it 64, 32, 16, 8, 5."""
    face = torch.zeros(1, 3, 64, 64)
    assert SharedTrunk(3, width=2).trunk(face).shape == (1, 64, 1, 1)
    sizes = []
    x = face
    for layer in Identity(3, stack="voice2face", width=2).stack:
        x = layer(x)
        if isinstance(layer, torch.nn.Conv2d):
            sizes.append(x.shape[-1])
    assert sizes == [64, 32, 16, 8, 5]


def test_spectral_norm_divides_by_the_largest_singular_value_of_output_channels_by_the_rest() -> None:
    torch.manual_seed(0)
    layer = Conditional(4, image_size=8, width=8).layers[0]
    for _ in range(300):
        weight = layer.weight
    raw = layer.parametrizations.weight.original
    sigma = torch.linalg.matrix_norm(raw.flatten(1), ord=2)
    assert torch.allclose(weight, raw / sigma, atol=1e-5)
