import numpy as np
import pytest
import torch

from decoders.base import Decoder
from decoders.cole import Cole

TEXT = dict(image_size=224, num_landmarks=72, warp={})
PYTORCH = dict(
    image_size=224,
    trunk=[3072, 2048],
    landmark_hidden=[1024, 512, 256],
    batch_norm=True,
    num_landmarks=72,
    output="sigmoid",
    warp=None,
)
SMALL = dict(image_size=32, width=8, trunk=[12], landmark_hidden=[10])


def small(**changes) -> Cole:
    torch.manual_seed(0)
    return Cole(6, **(SMALL | dict(warp={}) | changes))


def shapes_of_people(count: int) -> np.ndarray:
    """The template, turned, resized and moved at random: (count, 68, 2)."""
    rng = np.random.default_rng(0)
    template = small().mean_landmarks.double().numpy()
    angle, size, move = rng.normal(0, 0.1, count), rng.uniform(0.8, 1.2, count), rng.normal(0, 0.02, (count, 1, 2))
    turn = np.stack([np.stack([np.cos(angle), -np.sin(angle)], -1), np.stack([np.sin(angle), np.cos(angle)], -1)], -2)
    return size[:, None, None] * (template - 0.5) @ turn + 0.5 + move


def test_text_form_has_the_published_layers() -> None:
    """57,055,275 parameters: 4096-1000, 1000-800-600-400-200-144, 14x14x256 and channels 256-128-64-32-32-3."""
    with torch.device("meta"):
        decoder = Cole(4096, **TEXT)
    dense = [(4096, 1000), (1000, 800), (800, 600), (600, 400), (400, 200), (200, 144), (1000, 14 * 14 * 256)]
    wanted = [shape for a, b in dense for shape in ([b, a], [b])]
    for a, b in ((256, 128), (128, 64), (64, 32), (32, 32)):
        wanted += [[a, b, 5, 5], [b]]
    assert [list(p.shape) for p in decoder.parameters()] == [*wanted, [3, 32, 1, 1], [3]]
    assert sum(p.numel() for p in decoder.parameters()) == 57_055_275


def test_pytorch_form_has_the_published_count() -> None:
    with torch.device("meta"):
        decoder = Cole(4096, **PYTORCH)
    assert sum(p.numel() for p in decoder.parameters()) == 125_596_403
    assert decoder.image_sizes == (224,)


@pytest.mark.parametrize(("image_size", "seed"), [(224, 14), (64, 4), (128, 8)])
def test_seed_is_a_sixteenth(image_size: int, seed: int) -> None:
    with torch.device("meta"):
        assert Cole(8, image_size=image_size).seed[2].unflattened_size == (256, seed, seed)


@pytest.mark.parametrize("num_landmarks", [68, 72])
@pytest.mark.parametrize("output", ["tanh", "sigmoid"])
def test_draw_gives_faces_and_parts(num_landmarks: int, output: str) -> None:
    decoder = small(num_landmarks=num_landmarks, output=output)
    embedding = torch.randn(3, 6)
    faces, parts = decoder.draw(embedding)
    assert torch.equal(faces[32], decoder(embedding)[32])
    assert parts["texture"].shape == faces[32].shape == (3, 3, 32, 32)
    assert parts["landmarks"].shape == (3, 68, 2)
    assert parts["texture"].abs().max() <= 1
    assert (parts["landmarks"] - decoder.mean_landmarks).abs().max() < 0.1, "training starts near the mean shape"
    assert not torch.equal(faces[32], parts["texture"])


def test_two_squashings() -> None:
    tanh, sigmoid = small(), small(output="sigmoid")
    sigmoid.load_state_dict(tanh.state_dict())
    embedding = torch.randn(2, 6)
    before = tanh.draw(embedding)[1]["texture"].atanh()
    assert torch.allclose(sigmoid.draw(embedding)[1]["texture"], 2 / (1 + (-before).exp()) - 1, atol=1e-5)


def test_without_a_warp_the_texture_is_the_face() -> None:
    decoder = small(warp=None)
    faces, parts = decoder.draw(torch.randn(2, 6))
    assert torch.equal(faces[32], parts["texture"])
    photo = torch.rand(2, 3, 32, 32)
    assert decoder.register(photo, parts["landmarks"]) is photo


def test_published_warp_unless_the_config_differs() -> None:
    assert small().warp == {"order": 1, "regularisation": 0.1, "border": 2}
    assert small(warp={"order": 2, "regularisation": 0}).warp == {"order": 2, "regularisation": 0, "border": 2}


def test_copies_of_a_lip_point_count_as_their_mean() -> None:
    """The dictionary's 72 points, each holding its number in the 68-point model, give 0 to 67; the copies give their mean."""
    decoder = small(num_landmarks=72)
    lips = [48, 49, 50, 51, 52, 53, 54, 64, 63, 62, 61, 60, 54, 55, 56, 57, 58, 59, 48, 60, 67, 66, 65, 64]
    numbers = torch.tensor([*range(48), *lips], dtype=torch.float32)
    assert torch.equal(decoder.copies @ numbers, torch.arange(68.0))
    numbers[48] += 1  # one of the two corners of the mouth
    assert (decoder.copies @ numbers)[48] == 48.5


def test_trunk_features_are_the_first_layer() -> None:
    decoder = small(trunk=[12, 7])
    embedding = torch.randn(4, 6)
    features = decoder.trunk_features(embedding)
    assert features.shape == (4, 12)
    assert torch.equal(features, torch.relu(embedding @ decoder.trunk[0][0].weight.T + decoder.trunk[0][0].bias))


def test_points_go_where_the_head_says() -> None:
    """A dark spot at the tip of the nose of the mean shape is drawn where the predicted tip lies."""
    decoder = small(image_size=64, warp={"order": 2, "regularisation": 0.0, "border": 0})
    tip = (decoder.mean_landmarks[30] * 64 - 0.5).round()
    decoder.mean_landmarks += (tip + 0.5) / 64 - decoder.mean_landmarks[30]  # the tip on a pixel's centre
    texture = torch.zeros(1, 3, 64, 64)
    texture[0, :, int(tip[1]), int(tip[0])] = 1
    moved = decoder.mean_landmarks + torch.tensor([4.0, -3.0]) / 64  # 4 px right, 3 px up
    face = decoder._move(texture, decoder.mean_landmarks, moved[None])
    assert face[0, 0, int(tip[1]) - 3, int(tip[0]) + 4] == pytest.approx(1, abs=1e-3)
    assert torch.allclose(decoder.register(face, moved[None]), texture, atol=1e-3)


def test_mean_shape_is_aligned_and_kept() -> None:
    """Turned, resized and moved copies of one shape have that shape as their mean, at their mean size and position."""
    decoder, shapes = small(), shapes_of_people(40)
    template = decoder.mean_landmarks.double().numpy()
    decoder.settle(lambda: shapes)
    found = decoder.mean_landmarks.double().numpy()
    centred, wanted = found - found.mean(0), template - template.mean(0)
    assert np.allclose(found.mean(0), shapes.mean((0, 1)), atol=1e-6)
    assert np.linalg.norm(centred) == pytest.approx(np.linalg.norm(shapes - shapes.mean(1, keepdims=True), axis=(1, 2)).mean())
    left, singular, right = np.linalg.svd(centred.T @ wanted)
    assert singular.sum() == pytest.approx(np.linalg.norm(centred) * np.linalg.norm(wanted), rel=1e-6), "another shape"
    assert abs(np.arcsin((left @ right)[0, 1])) < 0.1
    other = small()
    other.load_state_dict(decoder.state_dict())
    assert torch.equal(other.mean_landmarks, decoder.mean_landmarks)


def test_one_face_is_its_own_mean() -> None:
    decoder, shape = small(), shapes_of_people(1)
    decoder.settle(lambda: shape)
    assert np.allclose(decoder.mean_landmarks.numpy(), shape[0], atol=1e-6)


def test_other_decoders_do_not_ask_for_landmarks() -> None:
    def landmarks() -> np.ndarray:
        raise AssertionError("they take time to find")

    class Plain(Decoder):
        def forward(self, embedding: torch.Tensor) -> dict[int, torch.Tensor]:
            return {8: embedding}

    decoder = Plain()
    decoder.settle(landmarks)
    assert decoder.draw(torch.ones(1, 3))[1] == {}


@pytest.mark.parametrize("shapes", [np.zeros((0, 68, 2)), np.zeros((3, 72, 2)), np.zeros((68, 2)), np.full((2, 68, 2), np.nan)])
def test_unfit_landmarks_are_refused(shapes: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"finite \(N, 68, 2\)"):
        small().settle(lambda: shapes)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(image_size=60), "multiple of 16"),
        (dict(image_size=0), "image_size 0"),
        (dict(trunk=[]), "trunk"),
        (dict(landmark_hidden=[0]), "landmark_hidden"),
        (dict(width=12), "multiple of 8"),
        (dict(num_landmarks=5), "68 or 72"),
        (dict(output="relu"), "tanh or sigmoid"),
        (dict(warp={"k": 1}), "warp.k .*order, regularisation, border"),
        (dict(warp={"order": 4}), "warp.order 4"),
        (dict(warp={"border": 1.5}), "warp.border 1.5"),
        (dict(warp={"order": True}), "warp.order True"),
        (dict(warp={"regularisation": -1}), "warp.regularisation -1"),
    ],
)
def test_mistakes(arguments: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        Cole(6, **(SMALL | arguments))
    assert "\n" not in str(caught.value)
