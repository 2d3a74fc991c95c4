from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, missing


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster of two nodes, which SLURM's commands in this process reach."""
    if lacking := missing():
        pytest.skip(f"needs SLURM ({', '.join(lacking)}): apt-get install slurmctld slurmd slurm-client")
    with Cluster(tmp_path / "cluster") as made:
        for name in ("PATH", "SLURM_CONF"):
            monkeypatch.setenv(name, made.environment[name])
        yield made
    assert not made.processes()
