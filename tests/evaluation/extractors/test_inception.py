import numpy as np
import pytest
import torch
from torch import nn

from evaluation.extractors import inception
from evaluation.extractors.inception import FILE, InceptionV3
from tests.evaluation.world import BOX, person


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as the published one, but for its weights: random, and large enough that pictures differ at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "read_weights", lambda path, error: {})
        patch.setattr(nn.Module, "load_state_dict", lambda self, state, assign: self.to_empty(device="cpu"))
        net = inception._read(tmp_path_factory.mktemp("none"))
    torch.manual_seed(0)
    for name, value in net.state_dict().items():
        if value.ndim > 1:
            nn.init.kaiming_normal_(value)
        else:
            nn.init.constant_(value, float(name.endswith(("running_var", "bn.weight"))))
    path = tmp_path_factory.mktemp("weights") / FILE
    torch.save({name: value for name, value in net.state_dict().items() if "num_batches" not in name}, path)
    return path


@pytest.fixture(scope="module")
def embedder(weights):
    return InceptionV3(str(weights))


@pytest.mark.slow
def test_equals_pytorch_fid_on_the_whole_picture(weights, embedder, monkeypatch):
    from pytorch_fid import inception as published

    faces = np.concatenate([person(one, 1, size=64) for one in range(2)])
    state = torch.load(weights, weights_only=True)
    monkeypatch.setattr(published, "load_state_dict_from_url", lambda *_, **__: state)
    planar = torch.from_numpy(faces).movedim(-1, 1).float() / 255
    with torch.no_grad():
        expected = published.InceptionV3().eval()(planar)[0][:, :, 0, 0].numpy()
    found = embedder.embed(faces, BOX)
    assert found.shape == (2, 2048)
    assert np.abs(expected[0] - expected[1]).max() > 0.01 * np.abs(expected).max()
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    classes = embedder.logits(found)
    assert classes.shape == (2, embedder.classes)
    assert np.allclose(classes, expected @ state["fc.weight"].numpy().T, rtol=1e-4, atol=1e-4 * np.abs(classes).max())


def test_the_face_box_is_not_part_of_the_cache_key(embedder, monkeypatch):
    seen = []
    monkeypatch.setattr(embedder, "embed", lambda images, box: seen.append(len(images)) or np.zeros((len(images), 2048)))
    embedder(person(7, 1, size=16), BOX)
    embedder(person(7, 1, size=16), (0.1, 0.1, 0.9, 0.9))
    assert seen == [1]


def test_only_published_weights_make_it_fids(embedder, weights, monkeypatch):
    assert not embedder.is_fids
    assert "Inception 2048-d, whole picture at 299 px" in embedder.label
    assert inception.PUBLISHED.startswith(FILE[-12:-4])
    monkeypatch.setattr(inception, "file_checksum", lambda path: inception.PUBLISHED)
    assert InceptionV3(str(weights)).is_fids


@pytest.mark.parametrize("content", [None, b"text", [1], {"a": torch.zeros(2)}, {"fc.weight": torch.zeros(3, 2048)}])
def test_another_file_is_one_line_with_the_command(tmp_path, content):
    path = tmp_path / FILE
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match="voxface assets add fid-inception FILE") as caught:
        InceptionV3(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_downloaded(weights, monkeypatch):
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: pytest.fail("a download"))
    monkeypatch.setattr("pytorch_fid.inception.load_state_dict_from_url", lambda *_, **__: pytest.fail("a download"))
    InceptionV3(str(weights))
