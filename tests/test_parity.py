"""Parameter counts and ordered tensor shapes against the published systems' tables, measured on the originals."""

import json

import pytest

from gan.__main__ import main


def norm(width: int) -> list[list[int]]:
    return [[width], [width]]


def inspected(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict]:
    assert main(["inspect", *arguments, "--json"]) == 0
    return {entry["path"]: entry for entry in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize(
    ("seconds", "parameters"), [(0.3, 10_708_992), (0.7, 11_233_280), (1, 11_495_424), (2, 12_544_000), (4, 14_641_152)]
)
def test_segan_at_every_published_length(seconds: float, parameters: int, capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(
        capsys, "wav2pix-64", f"encoder.num_samples={round(seconds * 16000)}", f"data.clip_seconds=[{seconds},{seconds}]"
    )
    assert modules["encoder"]["parameters"] == parameters


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "decoder", "vectors", "discriminator", "d_vectors", "generator"),
    [
        ("wav2pix-64", 3_804_160, 16_496, 2_765_824, 8_176, 15_327_814),
        ("wav2pix-128", 13_241_344, 33_904, 11_162_624, 17_392, 24_764_998),
    ],
)
def test_wav2pix(
    recipe: str,
    decoder: int,
    vectors: int,
    discriminator: int,
    d_vectors: int,
    generator: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
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
        *stack_shapes(64),
        [1024, 256],
        [1024],
        [1, 1024],
        [1],
        [3230, 1024],
        [3230],
    ]


@pytest.mark.slow
def test_sf2f_128(capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, "sf2f-128", "--identities", "100")
    assert modules["decoder"]["parameters"] == 11_577_734
    assert modules["decoder"]["shapes"] == decoder_shapes(two_heads=True)
    assert modules["discriminators.image_128"]["parameters"] == 2_757_953
    assert modules["discriminators.image_128"]["shapes"] == [*stack_shapes(128), [1, 512, 1, 1], [1]]
    assert modules["discriminators.identity_128"]["parameters"] == 3_283_777 + 1025 * 100
    assert modules["discriminators.identity_128"]["shapes"] == [
        *stack_shapes(128),
        [1024, 512],
        [1024],
        [1, 1024],
        [1],
        [100, 1024],
        [100],
    ]


def biased(*shapes: list[int]) -> list[list[int]]:
    """Each weight followed by its bias, of as many as the weight's first axis."""
    return [entry for shape in shapes for entry in (shape, [shape[0]])]


def transposed(*shapes: list[int]) -> list[list[int]]:
    return [entry for shape in shapes for entry in (shape, [shape[1]])]


def cnn1d_shapes(bands: int, width: int) -> list[list[int]]:
    shapes: list[list[int]] = []
    for channels, out in ((bands, 256), (256, 384), (384, 576), (576, 864)):
        shapes += [[out, channels, 3], *norm(out)]
    return [*shapes, [width, 864, 3], [width]]


def deconv_shapes(width: int) -> list[list[int]]:
    channels = [width, 1024, 512, 256, 128, 64]
    return transposed(*([a, b, 4, 4] for a, b in zip(channels, channels[1:], strict=False)), [64, 3, 1, 1])


def test_roldan(capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, "roldan")
    assert modules["encoder"]["parameters"] == 14_641_152
    assert modules["encoder"]["shapes"][-6] == [256, 16_384]
    assert (modules["decoder"]["parameters"], modules["discriminators.conditional"]["parameters"]) == (3_804_160, 2_765_824)
    assert "losses.embedding_identity" not in modules


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "stage_1", "total"), [("sf2f-64-fuser", "sf2f-64", 17_200_707), ("sf2f-128-fuser", "sf2f-128", 17_212_358)]
)
def test_sf2f_fuser(recipe: str, stage_1: str, total: int, capsys: pytest.CaptureFixture[str]) -> None:
    modules, before = inspected(capsys, recipe), inspected(capsys, stage_1)
    assert modules["fuser"]["shapes"] == [[512, 512], [512, 1024]]
    assert sum(modules[name]["parameters"] for name in ("encoder", "fuser", "decoder")) == total
    assert all(modules[path]["shapes"] == entry["shapes"] for path, entry in before.items())


@pytest.mark.parametrize(
    ("fuser", "shapes"),
    [
        ("attention_v1", [[512, 512], [512, 1024]]),
        ("attention_v2", [[512, 512], [512, 1024]] * 2),
        ("attention_v3", [[512, 512], [512, 1024], [1024, 1024], [512, 2048]]),
    ],
)
def test_every_published_fuser(fuser: str, shapes: list[list[int]], capsys: pytest.CaptureFixture[str]) -> None:
    assert inspected(capsys, "sf2f-64-fuser", f"fuser={{name: {fuser}}}")["fuser"]["shapes"] == shapes


@pytest.mark.slow
def test_sf2f_v2f_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, "sf2f-v2f-baseline", "--identities", "100")
    assert modules["encoder"]["shapes"] == cnn1d_shapes(40, 512)
    assert modules["decoder"]["shapes"] == deconv_shapes(512)
    assert modules["encoder"]["parameters"] + modules["decoder"]["parameters"] == 23_345_859
    assert modules["discriminators.identity"]["parameters"] == 3_312_705 + 1025 * 100
    assert modules["discriminators.identity"]["shapes"] == biased(
        [32, 3, 1, 1], [64, 32, 4, 4], [128, 64, 4, 4], [256, 128, 4, 4], [512, 256, 4, 4], [1024, 512], [1, 1024], [100, 1024]
    )


@pytest.mark.slow
def test_sf2f_deconv_with_batch_norm(capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, "sf2f-v2f-baseline", "decoder.batch_norm=true")
    plain, (*hidden, last, last_bias) = [], deconv_shapes(512)
    for weight, bias in zip(hidden[::2], hidden[1::2], strict=True):
        plain += [weight, bias, *norm(bias[0])]
    assert sorted(map(str, modules["decoder"]["shapes"])) == sorted(map(str, [*plain, last, last_bias]))
    assert modules["decoder"]["parameters"] == 19_535_875


@pytest.mark.slow
def test_voice2face(capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, "voice2face")
    assert modules["encoder"]["parameters"] == 2_670_720
    assert modules["encoder"]["shapes"] == cnn1d_shapes(64, 64)
    assert modules["decoder"]["parameters"] == 12_191_875
    assert modules["decoder"]["shapes"] == deconv_shapes(64)
    face = modules["discriminators.face"]
    assert face["parameters"] == 3_310_720 + 64 + 59_136
    assert face["shapes"] == [
        *biased([32, 3, 1, 1], [64, 32, 4, 4], [128, 64, 4, 4], [256, 128, 4, 4], [512, 256, 4, 4], [64, 512, 4, 4]),
        [1, 64],
        [924, 64],
    ]
    speaker = inspected(capsys, "voice2face-speaker")
    assert speaker["encoder"]["shapes"] == modules["encoder"]["shapes"]
    assert speaker["losses.speaker"]["shapes"] == [[924, 64], [924]]


@pytest.mark.slow
def test_speech2face(capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(capsys, "speech2face")
    encoder = modules["encoder"]
    channels = [2, 64, 64, 128, 128, 128, 256, 512, 512, 512]
    shapes: list[list[int]] = []
    for a, b in zip(channels, channels[1:], strict=False):
        shapes += [[b, a, 4, 4], [b], *norm(b)]
    assert encoder["shapes"] == [*shapes, [4096, 29_184], [4096], [4096, 4096], [4096]]
    assert encoder["parameters"] == 148_062_976
    assert encoder["buffers"] == 4_608 + 9  # torch counts batches in a tenth number a norm
    assert encoder["flops"] == pytest.approx(2 * 89.2e9, rel=0.01)
    assert modules["decoder"]["parameters"] == 57_055_275


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "parameters"), [("cole", 57_055_275), ("cole-released", 125_596_403)])
def test_cole(recipe: str, parameters: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspected(capsys, recipe)["decoder"]["parameters"] == parameters


def test_the_single_128_px_decoder(capsys: pytest.CaptureFixture[str]) -> None:
    modules = inspected(
        capsys,
        "sf2f-64",
        "decoder.image_sizes=[128]",
        "discriminators.image.image_size=128",
        "discriminators.identity.image_size=128",
    )
    assert modules["decoder"]["parameters"] == 11_568_387


def test_flops_of_a_convolution_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    """64 px conditional discriminator: four 4x4 convolutions and the last one, two operations a multiply-add."""
    modules = inspected(capsys, "wav2pix-64")
    by_hand = 2 * 16 * (3 * 64 * 32**2 + 64 * 128 * 16**2 + 128 * 256 * 8**2 + 256 * 512 * 4**2 + 640)
    assert modules["discriminators.conditional"]["flops"] == by_hand
