import pytest

from gan.data.corpus import Corpus
from tests.gan.audit.planted import Planted


@pytest.fixture
def planted(tiny: Corpus) -> Planted:
    """Six speakers of the toy world, without a fault so far."""
    return Planted(tiny)
