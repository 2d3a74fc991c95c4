import os

import numpy as np
import pytest

from evaluation.cache import cache_folder, cached_features, file_checksum, write_atomically


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))
    return tmp_path


class Counting:
    """Mean and maximum of each picture; counts the pictures it was shown."""

    def __init__(self):
        self.seen = 0

    def __call__(self, images):
        self.seen += len(images)
        return np.stack([images.mean((1, 2, 3)), images.max((1, 2, 3))], axis=1).astype(np.float32)


def pictures(count=6):
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)


def test_same_picture_is_computed_once(folder):
    compute, images = Counting(), pictures()
    twice = cached_features(np.concatenate([images, images[::-1]]), "net", compute, 2, batch_size=4)
    assert compute.seen == 6
    assert np.array_equal(twice, compute(np.concatenate([images, images[::-1]])))
    again = cached_features(images, "net", compute, 2)
    assert compute.seen == 18  # the 12 of the line above the last, and none more
    assert np.array_equal(again, twice[:6])


def test_label_and_shape_are_part_of_the_key(folder):
    compute, images = Counting(), pictures()
    cached_features(images, "net", compute, 2)
    cached_features(images, "other net", compute, 2)
    cached_features(images.reshape(6, 2, 8, 3), "net", compute, 2)
    assert compute.seen == 18


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'", b"not an array at all"])
def test_damaged_file_is_made_again(folder, damage):
    compute, images = Counting(), pictures()
    before = cached_features(images, "net", compute, 2)
    for path in folder.rglob("*.npy"):
        path.write_bytes(damage)
    assert np.array_equal(cached_features(images, "net", compute, 2), before)
    assert compute.seen == 12


def test_no_pickle_is_read(folder):
    compute, images = Counting(), pictures(1)
    cached_features(images, "net", compute, 2)
    (path,) = folder.rglob("*.npy")
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    cached_features(images, "net", compute, 2)
    assert compute.seen == 2


def test_interrupted_work_keeps_its_batches(folder):
    compute, images = Counting(), pictures()

    def breaking(batch):
        if compute.seen >= 4:
            raise KeyboardInterrupt
        return compute(batch)

    with pytest.raises(KeyboardInterrupt):
        cached_features(images, "net", breaking, 2, batch_size=2)
    cached_features(images, "net", compute, 2)
    assert compute.seen == 6


def test_nothing_in_nothing_out(folder):
    assert cached_features(pictures(0), "net", Counting(), 2).shape == (0, 2)


def test_a_broken_write_leaves_nothing(folder):
    def broken(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(folder / "file.txt", broken)
    assert list(folder.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="Set VOXFACE_CACHE"):
        cache_folder("features")


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("VOXFACE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("a") == tmp_path / ".cache" / "voxface" / "a"


def test_checksum_follows_the_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_checksum(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    path.write_bytes(b"abd")
    os.utime(path, ns=(1, 1))
    assert file_checksum(path) != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
