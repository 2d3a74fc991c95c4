import contextlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
LISTENS = "0A"


def test_it_listens_on_the_loopback_alone(cluster: Cluster) -> None:
    """Nobody has to say who he is, and jobs run as whoever started the cluster: nothing may be reached from elsewhere."""
    inodes = {re.sub(r"\D", "", target) for pid in cluster.processes() for target in open_files(pid)}
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    addresses = [local.partition(":")[0] for _, local, _, state, *rest in rows if state == LISTENS and rest[5] in inodes]
    assert addresses == ["0100007F"] * 3


def open_files(pid: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(link))
    return found


def test_nothing_is_left_of_it(cluster: Cluster) -> None:
    """Not even of a job that leaves its session and ignores what it is told."""
    cluster.run("sbatch", "--output", "/dev/null", "--wrap", "trap '' TERM; setsid sleep 1000 & wait")
    cluster.wait(lambda: "sleep 1000 " in [command for command, _ in cluster.processes().values()], "the job")
    cluster.close()
    assert cluster.processes() == {}
    assert subprocess.run(["squeue"], capture_output=True, check=False).returncode != 0
