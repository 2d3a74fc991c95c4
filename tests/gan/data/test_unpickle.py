"""Pickles of others: arrays come through, nothing of theirs runs."""

import os
import pickle
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gan.data.unpickle import Loader, load_here, loader


@pytest.fixture(scope="module")
def reading() -> Iterator[Loader]:
    with loader() as made:
        yield made


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "<i2"])
def test_arrays_come_through(protocol: int, dtype: str, tmp_path: Path) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    stored = {"array": array, "turned": array.T, "id": "id1", "many": [1, 2.5, None, (True, b"x")], "one": array[1, 1]}
    (tmp_path / "a.pickle").write_bytes(pickle.dumps(stored, protocol))
    found = load_here(tmp_path / "a.pickle")
    np.testing.assert_array_equal(found["array"], array)
    np.testing.assert_array_equal(found["turned"], array.T)
    assert found["array"].dtype == np.dtype(dtype)
    assert found["id"] == "id1"
    assert found["many"] == stored["many"]
    assert found["one"] == 5


@pytest.mark.parametrize("old", [True, False])
def test_of_numpy_1_and_2(old: bool, tmp_path: Path) -> None:
    content = pickle.dumps(np.ones(3), 0).replace(b"numpy._core", b"numpy.core")
    content = content if old else content.replace(b"numpy.core", b"numpy._core")
    (tmp_path / "a.pickle").write_bytes(content)
    np.testing.assert_array_equal(load_here(tmp_path / "a.pickle"), np.ones(3))


class _Calls:
    def __init__(self, function: object, *arguments: object):
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.slow
def test_nothing_of_theirs_runs(reading: Loader, tmp_path: Path) -> None:
    """Also where a harmless array stands before the call, and where the call is the dictionary's key."""
    mark = tmp_path / "was here"
    for number, call in enumerate((_Calls(os.system, f"touch '{mark}'"), _Calls(eval, "1"), _Calls(open, str(mark), "w"))):
        for thing in (call, [np.ones(3), call], {"LogMel_Features": np.ones(3), "spkid": call}):
            path = tmp_path / f"{number}.pickle"
            path.write_bytes(pickle.dumps(thing))
            with pytest.raises(ValueError, match=r"calls .*nothing of it was run"):
                reading.load(path)
    assert not mark.exists()


def test_numpy_does_not_see_what_is_wrong(tmp_path: Path) -> None:
    """Sizes that do not fit the bytes, states that are none, arrays of objects, other encodings: never given to NumPy."""
    rebuild, state = np.ones(3).__reduce__()[:2], np.ones(3).__reduce__()[2]
    wrong = {
        "shape": (state[0], (1 << 40,), *state[2:]),
        "objects": (state[0], (1,), np.dtype(object), False, [1]),
        "state": ("a", "b"),
    }

    class Array:
        def __init__(self, bad: object):
            self.bad = bad

        def __reduce__(self) -> tuple:
            return (*rebuild, self.bad)

    for name, bad in wrong.items():
        (tmp_path / "a.pickle").write_bytes(pickle.dumps(Array(bad)))
        with pytest.raises(ValueError, match={"shape": "with 24 bytes", "objects": "objects", "state": "none of NumPy's"}[name]):
            load_here(tmp_path / "a.pickle")


@pytest.mark.slow
def test_each_fault_has_its_reason(reading: Loader, tmp_path: Path) -> None:
    whole = pickle.dumps({"a": np.ones(100)})
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "good.npy", np.ones((3, 4), np.float32))
    (tmp_path / "half.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:-9])
    (tmp_path / "half.pickle").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.pickle").touch()
    (tmp_path / "text.pickle").write_text("<html>gone</html>")
    (tmp_path / "huge.pickle").write_bytes(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b".")
    (tmp_path / "set.pickle").write_bytes(pickle.dumps({1, 2}))
    for name, reason in {
        "objects.npy": "pickle in disguise",
        "half.npy": "cut short|reading array data",
        "half.pickle": "cut short",
        "empty.pickle": "empty file",
        "text.pickle": "no pickle",
        "huge.pickle": "no pickle|memory|no stored",
        "set.pickle": "holds a set",
        "missing.pickle": "No such file",
    }.items():
        with pytest.raises(ValueError, match=reason) as told:
            reading.load(tmp_path / name)
        assert "\n" not in str(told.value)
    np.testing.assert_array_equal(reading.load(tmp_path / "good.npy"), np.ones((3, 4)))


@pytest.mark.slow
def test_too_slow_a_file_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "good.pickle"
    path.write_bytes(pickle.dumps(np.ones(2)))
    with loader() as reading:
        assert len(reading.load(path)) == 2
        assert reading._process is not None
        assert reading._process.pid is not None
        os.kill(reading._process.pid, signal.SIGSTOP)
        reading._seconds = 0.01
        with pytest.raises(ValueError, match="not read within"):
            reading.load(path)
        reading._seconds = 60.0
        assert len(reading.load(path)) == 2
        os.kill(reading._process.pid, signal.SIGKILL)
        with pytest.raises(ValueError, match="ended the process"):
            reading.load(path)
        assert len(reading.load(path)) == 2
