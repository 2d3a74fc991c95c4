from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch

from gan import frozen_nets
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory):
    """The user's own cache is neither read nor filled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOXFACE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """torch's number of threads, on which its sums depend, is every test's own: train.threads would stay for those after it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(cache_of_the_tests: None) -> Corpus:
    """The toy world's smallest size."""
    return open_corpus("toy:tiny")


@pytest.fixture(autouse=True, scope="session")
def full_training_of_face_nets() -> Iterator[Callable]:
    """The corpus's face nets are trained for 20 steps only: that takes seconds, and few tests ask how good they are. Those put
    back what this gives."""
    full = frozen_nets._trained
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen_nets, "_trained", partial(full, steps=20))
        yield full
