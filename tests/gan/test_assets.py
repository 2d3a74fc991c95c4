"""Weight files are checked before they are kept; small files made here stand in for the real ones."""

import argparse
import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.face_nets.resnet50 import Resnet50
from gan import assets
from gan.assets import Asset
from gan.commands import assets as command


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VOXFACE_ASSETS", str(tmp_path / "assets"))
    return tmp_path / "assets"


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "downloaded.pth"
    torch.save({"layer.weight": torch.arange(6.0)}, path)
    return path


@pytest.fixture
def known(folder, weights, monkeypatch):
    """Three assets: one whose checksum is known, one whose is not, one that is not a pickle."""
    content = weights.read_bytes()
    checksum = hashlib.sha256(content).hexdigest()
    net = Asset("net", "net.pth", len(content), checksum, "CC0", "https://example.org/net", "tests")
    monkeypatch.setattr(
        assets,
        "ASSETS",
        (
            net,
            replace(net, name="other", file="other.pth", size=None, sha256=None),
            replace(net, name="bundle", file="bundle.task", size=4, sha256=hashlib.sha256(b"task").hexdigest()),
        ),
    )
    return net


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.execute(parser.parse_args(words))


def refused(name, path, reason, folder):
    with pytest.raises(ValueError, match=reason) as caught:
        assets.add(name, path)
    assert "\n" not in str(caught.value)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_add_find_verify(known, folder, weights):
    with pytest.raises(ValueError, match="voxface assets add net PATH"):
        assets.find("net")
    path = assets.add("net", weights)
    assert path == assets.find("net") == folder / "net.pth"
    assert path.read_bytes() == weights.read_bytes()
    assert [row["result"] for row in assets.verify()] == ["ok", "missing", "missing"]
    assert [row["state"] for row in assets.list_assets()] == ["present", "missing", "missing"]
    assert [file.name for file in folder.iterdir()] == ["net.pth"]


def test_a_missing_file_says_all_that_is_needed(known, folder):
    with pytest.raises(ValueError, match=r"net\.pth") as caught:
        assets.find("net")
    message = str(caught.value)
    for wanted in (known.sha256, "CC0", "https://example.org/net", "voxface assets add net PATH", str(folder)):
        assert wanted in message
    assert "\n" not in message


def test_an_unknown_checksum_is_recorded_when_added(known, folder, weights):
    assert assets.list_assets()[1]["sha256"] == "recorded when added"
    assets.add("other", weights)
    assert assets.list_assets()[1]["sha256"] == known.sha256
    assert assets.verify()[1]["result"] == "ok"
    (folder / "other.pth").write_bytes(weights.read_bytes()[:-1] + b"x")
    assert assets.verify()[1]["result"] == "differs"
    (folder / "other.pth").write_bytes(b"short")
    with pytest.raises(ValueError, match="cut short or another file"):
        assets.find("other")


def test_a_changed_file_is_noticed(known, folder, weights, capsys):
    assets.add("net", weights)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    (folder / "net.pth").write_bytes(content)
    assert run("verify") == 1
    assert "differs" in capsys.readouterr().out
    (folder / "net.pth").write_bytes(content[:-1])
    with pytest.raises(ValueError, match="cut short or another file"):
        assets.find("net")


def test_other_content_is_refused(known, folder, weights, tmp_path):
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    (tmp_path / "changed.pth").write_bytes(content)
    refused("net", tmp_path / "changed.pth", "SHA-256", folder)
    (tmp_path / "short.pth").write_bytes(content[:-1])
    refused("net", tmp_path / "short.pth", f"{len(content) - 1} bytes", folder)
    (tmp_path / "empty.pth").touch()
    refused("other", tmp_path / "empty.pth", "0 bytes", folder)
    refused("net", tmp_path / "nowhere.pth", "no such file", folder)


class Evil:
    def __reduce__(self):
        return print, ("ran",)


def test_a_pickle_that_holds_code_is_refused_and_never_run(known, folder, tmp_path, capsys):
    torch.save({"layer.weight": torch.zeros(1), "extra": Evil()}, tmp_path / "zip.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "text.pth").write_text("not weights")
    for name in ("zip", "plain", "text"):
        refused("other", tmp_path / f"{name}.pth", "weights_only=True", folder)
    assert "ran" not in capsys.readouterr().out


def test_a_file_without_tensors_is_refused(known, folder, tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    refused("other", tmp_path / "a.pth", "no named tensors", folder)


def test_a_file_of_another_kind_is_only_compared(known, folder, tmp_path):
    (tmp_path / "bundle").write_bytes(b"task")
    assert assets.add("bundle", tmp_path / "bundle").read_bytes() == b"task"


def test_adding_again_replaces(known, folder, weights):
    assets.add("net", weights)
    (folder / "net.pth").write_bytes(b"damaged")
    assets.add("net", weights)
    assert assets.find("net").read_bytes() == weights.read_bytes()


def test_unknown_and_packaged_names(folder, weights):
    with pytest.raises(ValueError, match="Did you mean facenet-vggface2"):
        assets.find("facenet-vggface")
    refused("dlib-face-resnet", weights, "comes with the package face_recognition_models", folder)


def test_folders(tmp_path, monkeypatch):
    monkeypatch.delenv("VOXFACE_ASSETS", raising=False)
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))
    assert assets.assets_folder() == tmp_path / "assets"
    monkeypatch.setenv("VOXFACE_ASSETS", str(tmp_path / "mine"))
    assert assets.assets_folder() == tmp_path / "mine"


def test_packaged_files_are_the_ones_listed(folder):
    packaged = {asset.name for asset in assets.ASSETS if asset.package}
    results = {row["name"]: row["result"] for row in assets.verify()}
    assert {results[name] for name in packaged} == {"ok"}
    for name in packaged:
        assert assets.find(name).is_file()


def test_a_package_that_is_not_installed(folder, monkeypatch):
    monkeypatch.setattr(assets, "ASSETS", (replace(assets.ASSETS[-1], package="no_such_package"),))
    assert assets.list_assets()[0]["state"] == "missing"
    with pytest.raises(ValueError, match="pip install"):
        assets.find(assets.ASSETS[0].name)


def test_command(known, folder, weights, capsys):
    assert run("list") == 0
    assert run("list", "--long") == 0
    printed = capsys.readouterr().out
    assert "https://example.org/net" in printed
    assert known.sha256 in printed
    assert run("add", "net", str(weights)) == 0
    assert "Licence: CC0" in capsys.readouterr().out
    assert run("verify") == 0
    assert "missing" in capsys.readouterr().out


def test_every_asset_is_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "weights.md").read_text(encoding="utf-8")
    for asset in assets.ASSETS:
        assert f"`{asset.name}`" in page
        assert asset.sha256 is None or asset.sha256 in page


@pytest.fixture
def resnet50(folder, tmp_path, monkeypatch):
    """A weight file of the ResNet-50, which is a small one here."""
    monkeypatch.setattr(Resnet50.__init__, "__defaults__", (7, 2, "rgb"))
    path = tmp_path / "downloaded.pkl"
    layers = Resnet50(None).state_dict()
    path.write_bytes(pickle.dumps({name: value.numpy() for name, value in layers.items()}, protocol=2))
    return path


def test_every_file_is_told_from_another():
    for asset in assets.ASSETS:
        assert asset.sha256 is not None or asset.face_net is not None, asset.name


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("page.pkl", b"<!DOCTYPE html><html>Quota exceeded</html>", "web page"),
        ("other.pkl", pickle.dumps({"fc.weight": np.zeros((2, 2), np.float32)}, protocol=2), "does not hold the layers"),
        ("text.pkl", b"no weights", "not a weight file"),
        ("vggface2.t7", b"\x04\0\0\0", r"torch7's format.*resnet50_ft_weight\.pkl"),
        ("resnet50_ft.caffemodel", b"\x0a", r"Caffe's format.*resnet50_ft_weight\.pkl"),
    ],
)
def test_what_its_net_does_not_read_is_refused_and_a_good_file_stays(resnet50, folder, tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    refused("vggface2-resnet50", tmp_path / name, reason, folder)
    assets.add("vggface2-resnet50", resnet50)
    there = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(ValueError, match=reason) as caught:
        assets.add("vggface2-resnet50", tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == there
    assert {row["name"]: row["result"] for row in assets.verify()}["vggface2-resnet50"] == "ok"


def test_verify_reads_what_an_older_version_let_in(resnet50, folder, capsys):
    folder.mkdir()
    (folder / "resnet50_ft_weight.pkl").write_bytes(b"<!DOCTYPE html>")
    assert run("verify") == 1
    assert "differs" in capsys.readouterr().out
