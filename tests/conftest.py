import pytest

from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory):
    """The user's own cache is neither read nor filled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOXFACE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny(cache_of_the_tests: None) -> Corpus:
    """The toy world's smallest size."""
    return open_corpus("toy:tiny")
