"""Parameter counts and ordered tensor shapes against the published systems' tables, measured on the originals."""

import json

import pytest

from gan.__main__ import main


def norm(width: int) -> list[list[int]]:
    return [[width], [width]]


def inspected(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict]:
    assert main(["inspect", *arguments, "--json"]) == 0
    return {entry["path"]: entry for entry in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize(("seconds", "parameters"), [(0.3, 10_708_992), (0.7, 11_233_280), (1, 11_495_424),
                                                     (2, 12_544_000), (4, 14_641_152)])
def test_segan_at_every_published_length(seconds: float, parameters: int, capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, "wav2pix-64", f"encoder.num_samples={round(seconds * 16000)}",
                        f"data.clip_seconds=[{seconds},{seconds}]")
    assert modules["encoder"]["parameters"] == parameters


@pytest.mark.parametrize(("recipe", "decoder", "vectors", "discriminator", "d_vectors", "generator"), [
    ("wav2pix-64", 3_804_160, 16_496, 2_765_824, 8_176, 15_327_814),
    ("wav2pix-128", 13_241_344, 33_904, 11_162_624, 17_392, 24_764_998)])
def test_wav2pix(recipe: str, decoder: int, vectors: int, discriminator: int, d_vectors: int, generator: int,
                 capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, recipe)
    assert modules["encoder"]["parameters"] == 11_495_424
    convolutions = [s for s in modules["encoder"]["shapes"] if len(s) == 3]
    assert convolutions == [[b, a, 15] for a, b in zip([1, 16, 32, 128, 256, 512], [16, 32, 128, 256, 512, 1024], strict=True)]
    assert modules["losses.embedding_identity"]["parameters"] == 28_230
    assert (modules["decoder"]["parameters"], modules["decoder"]["buffers"]) == (decoder, vectors)
    conditional = modules["discriminators.conditional"]
    assert (conditional["parameters"], conditional["buffers"]) == (discriminator, d_vectors)
    trained = sum(modules[name]["parameters"] for name in ("encoder", "decoder", "losses.embedding_identity"))
    assert trained == generator
    top = 512 if recipe == "wav2pix-64" else 1024
    channels = [128]
    while top >= 64:
        channels.append(top)
        top //= 2
    assert modules["decoder"]["shapes"] == [[a, b, 4, 4] for a, b in zip(channels, [*channels[1:], 3], strict=True)]


def inception_shapes() -> list[list[int]]:
    shapes: list[list[int]] = []
    for width, channels in ((64, 40), (96, 256), (144, 384), (216, 576)):
        for kernel in (2, 3, 5, 7):
            shapes += [[width, channels, kernel], *norm(width)]
    return [*shapes, [512, 864, 3], [512]]


def decoder_shapes(*, two_heads: bool) -> list[list[int]]:
    shapes = [[16384, 512], *norm(16384)]
    for width in (512, 256, 128, 64):
        shapes += [[width, width, 3, 3], *norm(width)]
    head_64 = [[32, 32, 3, 3], [32], [3, 32, 1, 1], [3]]
    if not two_heads:
        return shapes + head_64
    return [*shapes, [32, 32, 3, 3], *norm(32), *head_64, [16, 16, 3, 3], [16], [3, 16, 1, 1], [3]]


def stack_shapes(image_size: int) -> list[list[int]]:
    shapes = [[64, 3, 4, 4], [64], *norm(64), [128, 64, 4, 4], [128], *norm(128), [256, 128, 4, 4], [256]]
    return shapes if image_size == 64 else [*shapes, *norm(256), [512, 256, 4, 4], [512]]


def test_sf2f_64(capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, "sf2f-64", "--identities", "3230")
    assert modules["encoder"]["parameters"] == 4_848_192
    assert modules["encoder"]["shapes"] == inception_shapes()
    assert modules["decoder"]["parameters"] == 11_566_083
    assert modules["decoder"]["shapes"] == decoder_shapes(two_heads=False)
    assert modules["encoder"]["parameters"] + modules["decoder"]["parameters"] == 16_414_275
    assert modules["discriminators.image"]["parameters"] == 659_521
    assert modules["discriminators.image"]["shapes"] == [*stack_shapes(64), [1, 256, 1, 1], [1]]
    assert modules["discriminators.identity"]["parameters"] == 923_457 + 1025 * 3230
    assert modules["discriminators.identity"]["shapes"] == [
        *stack_shapes(64), [1024, 256], [1024], [1, 1024], [1], [3230, 1024], [3230]]


def test_sf2f_128(capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, "sf2f-128", "--identities", "100")
    assert modules["decoder"]["parameters"] == 11_577_734
    assert modules["decoder"]["shapes"] == decoder_shapes(two_heads=True)
    assert modules["discriminators.image_128"]["parameters"] == 2_757_953
    assert modules["discriminators.image_128"]["shapes"] == [*stack_shapes(128), [1, 512, 1, 1], [1]]
    assert modules["discriminators.identity_128"]["parameters"] == 3_283_777 + 1025 * 100
    assert modules["discriminators.identity_128"]["shapes"] == [
        *stack_shapes(128), [1024, 512], [1024], [1, 1024], [1], [100, 1024], [100]]


def test_the_single_128_px_decoder(capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, "sf2f-64", "decoder.image_sizes=[128]", "discriminators.image.image_size=128",
                        "discriminators.identity.image_size=128")
    assert modules["decoder"]["parameters"] == 11_568_387


def test_flops_of_a_convolution_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    """64 px conditional discriminator: four 4x4 convolutions and the last one, two operations a multiply-add."""
    modules = inspected(capsys, "wav2pix-64")
    by_hand = 2 * 16 * (3 * 64 * 32**2 + 64 * 128 * 16**2 + 128 * 256 * 8**2 + 256 * 512 * 4**2 + 640)
    assert modules["discriminators.conditional"]["flops"] == by_hand
