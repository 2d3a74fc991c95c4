"""Arrays that others pickled, read without running anything that is theirs: in a process of its own, with limits.

A pickle is a program that may call any function it names. Here it may name only what rebuilds NumPy's arrays, and even those
names stand for classes of ours that keep what they are given: NumPy runs on nothing that was not checked.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import re
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

LARGEST_BYTES = 1 << 28  # of a file: a float64 array of ten hours of 40 bands is not half of it
MEMORY_BYTES = 4 << 30
SECONDS = 60.0  # for one file
NUMBERS = re.compile(r"([<>=|]?)([fiu][1248]|b1)")
PICKLES, ARRAYS = (".pickle", ".pkl", ".p"), (".npy",)


class _Dtype:
    """numpy.dtype: its name, and the byte order that its state gives."""

    def __init__(self, name: object, *_: object):
        self.name, self.order = str(name), ""

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1]) if isinstance(state, tuple) and len(state) > 1 else ""

    def built(self) -> np.dtype:
        found = NUMBERS.fullmatch(self.name)
        if found is None:
            raise ValueError(f"holds an array of {'objects' if 'O' in self.name else 'type ' + self.name[:20]}; numbers are read")
        order = self.order if self.order in ("<", ">") else found[1]
        return np.dtype(order + found[2])


class _Array:
    """numpy.ndarray: shape, type and bytes, as its state or `_frombuffer` gives them."""

    def __init__(self, *_: object):
        self.parts: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise ValueError("holds an array whose state is none of NumPy's")
        _, shape, dtype, fortran, content = state
        self.parts = shape, dtype, "F" if fortran else "C", content

    @classmethod
    def of_buffer(cls, content: Any, dtype: Any, shape: Any, order: Any) -> _Array:
        array = cls()
        array.parts = shape, dtype, "F" if order == "F" else "C", content
        return array

    def built(self) -> np.ndarray:
        if not self.parts or not isinstance(self.parts[1], _Dtype):
            raise ValueError("holds an array without a state")
        shape, dtype, order, content = self.parts
        made = dtype.built()
        if not isinstance(content, bytes | bytearray):
            raise ValueError(f"holds an array of {type(content).__name__}, not of bytes")
        sizes = tuple(int(size) for size in shape)
        if min(sizes, default=0) < 0 or len(content) != made.itemsize * int(np.prod(sizes, dtype=object)):
            raise ValueError(f"holds an array of shape {sizes} with {len(content)} bytes")
        return np.frombuffer(content, made).reshape(sizes, order=order)


class _Scalar:
    def __init__(self, dtype: Any, content: Any = b"", *_: object):
        self.dtype, self.content = dtype, content


def _latin1(text: Any, encoding: Any) -> bytes:
    """How protocol 2 keeps bytes: `_codecs.encode(text, "latin1")`."""
    if str(encoding).replace("-", "").replace("_", "") not in ("latin1", "iso88591"):
        raise ValueError(f"encodes text as {str(encoding)[:20]}; NumPy's arrays are in latin1")
    return str(text).encode("latin1")


_KNOWN: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin1,
    **{
        (f"numpy.{core}.{module}", name): stand_in  # `core` until NumPy 2, `_core` since
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _Array),
            ("multiarray", "scalar", _Scalar),
            ("numeric", "_frombuffer", _Array.of_buffer),
        )
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise ValueError(f"calls {module[:60]}.{name[:60]}, which no stored array needs; nothing of it was run")
        return _KNOWN[module, name]

    def persistent_load(self, pid: object) -> Any:
        raise ValueError("refers to something outside of the file")


def load_here(path: Path) -> Any:
    """What a .npy holds, or a pickle: arrays of numbers, and None, bool, int, float, str, bytes, tuples, lists, dicts of such.

    Raises ValueError, in few words and without the path, for all else, and for what is cut short.
    """
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise ValueError(f"{size} bytes; at most {LARGEST_BYTES} are read")
    if not size:
        raise ValueError("empty file")
    content = path.read_bytes()
    try:
        if path.suffix.lower() in ARRAYS:
            return np.load(io.BytesIO(content), allow_pickle=False)
        return _plain(_Unpickler(io.BytesIO(content), encoding="latin1").load())
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise ValueError("holds an array of objects, which is a pickle in disguise; numbers are read") from None
        raise
    except MemoryError:
        raise ValueError(f"asks for more than {MEMORY_BYTES >> 30} GB of memory") from None
    except (pickle.UnpicklingError, EOFError) as error:
        raise ValueError(f"cut short, or no pickle ({_first_line(error)})") from None
    except Exception as error:  # a wrong pickle calls our stand-ins with anything
        raise ValueError(f"no stored array ({type(error).__name__}: {_first_line(error)})") from None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:100]


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.built()
    if isinstance(value, _Scalar):
        array = _Array.of_buffer(value.content, value.dtype, (1,), "C")
        return array.built()[0].item()
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, dict):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_plain(entry) for entry in value)
    raise ValueError(f"holds a {type(value).__name__.strip('_').lower()}; arrays, text and numbers are read")


class Loader:
    """load_here, in a process that is ended if a file takes it too long or too much memory. One serves file after file."""

    def __init__(self, seconds: float = SECONDS):
        self._seconds = seconds
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def load(self, path: Path) -> Any:
        """Raises ValueError as load_here, and if the process had to be ended."""
        if self._process is None or self._pipe is None:
            context = multiprocessing.get_context("spawn")  # nothing of this process is there
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
            self._pipe.recv()  # it has started: a file's seconds do not count that
        try:
            self._pipe.send(path)
            if not self._pipe.poll(self._seconds):
                raise ValueError(f"not read within {self._seconds:g} seconds")
            good, answer = self._pipe.recv()
        except (EOFError, ConnectionError):
            self.close()
            raise ValueError("ended the process that read it: damaged, or too much memory") from None
        except ValueError:
            self.close()
            raise
        if not good:
            raise ValueError(answer)
        return answer

    def close(self) -> None:
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None


@contextmanager
def loader(seconds: float = SECONDS) -> Iterator[Loader]:
    """A Loader whose process ends with the with-block."""
    made = Loader(seconds)
    try:
        yield made
    finally:
        made.close()


def _serve(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send(os.getpid())
    try:
        while True:
            path = pipe.recv()
            try:
                pipe.send((True, load_here(path)))
            except (ValueError, OSError) as error:
                pipe.send((False, _first_line(error) or type(error).__name__))
            except RecursionError:
                pipe.send((False, "nested too deeply"))
    except (EOFError, ConnectionError):
        return
