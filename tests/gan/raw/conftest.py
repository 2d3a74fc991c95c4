import pytest

from gan.raw import work


@pytest.fixture
def one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is made of work lies in one shard."""
    monkeypatch.setattr(work, "FEWEST_SHARDS", 1)
