"""What all tests share. Under pytest-xdist every worker is a process of its own: what takes long to make (`tiny`, runs, the cache
of features and nets) lies in one folder that all workers read, made by whoever comes first.
"""

import os

# Before torch is imported: one thread a worker, and nobody turns in a loop while it waits.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path

import hypothesis
import pytest
import torch
from filelock import FileLock

from gan import frozen_nets
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus

# Property tests try as many examples as their own @examples says; make check tries few.
hypothesis.settings.register_profile("test", deadline=None, max_examples=1000)
hypothesis.settings.register_profile("check", deadline=None, max_examples=6)
hypothesis.settings.load_profile("test")

Once = Callable[[str, Callable[[Path], object]], Path]
_BEGAN = pytest.StashKey[float]()


def _processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    item.stash[_BEGAN] = _processor_seconds()
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """A test's processor seconds, for benchmarks/suite.py."""
    try:
        yield
    finally:
        item.user_properties.append(("processor_seconds", round(_processor_seconds() - item.stash[_BEGAN], 3)))


@pytest.fixture(scope="session")
def of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this test session, the same in every worker."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def once(of_all_workers: Path) -> Once:
    """once(name, make): a folder that make(folder) has filled, in one worker only. Read-only: who changes it copies it."""

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = of_all_workers / name, of_all_workers / f"{name}.done"
        with FileLock(of_all_workers / f"{name}.lock"):
            if not done.exists():
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(of_all_workers: Path) -> Iterator[None]:
    """The user's own cache is neither read nor filled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOXFACE_CACHE", str(of_all_workers / "cache"))
        # Kernels that torch.compile made for other vector instructions abort.
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(of_all_workers / "kernels"))
        yield


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """torch's number of threads, on which its sums depend, is every test's own: train.threads would stay for those after it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(cache_of_the_tests: None, once: Once) -> Corpus:
    """The toy world's smallest size."""
    once("tiny", lambda _: open_corpus("toy:tiny"))
    return open_corpus("toy:tiny")


@pytest.fixture(autouse=True, scope="session")
def full_training_of_face_nets() -> Iterator[Callable]:
    """The corpus's face nets are trained for 20 steps only: that takes seconds, and few tests ask how good they are. Those put
    back what this gives."""
    full = frozen_nets._trained
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen_nets, "_trained", partial(full, steps=20))
        yield full
