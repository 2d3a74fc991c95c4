"""What needs no cluster; the rest is in tests/slurm."""

from pathlib import Path

import pytest

from gan.build import build
from gan.launchers.base import Launcher

pytest.importorskip("submitit")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"time_minutes": 1}, "save_seconds: 90 came. Allowed: less than 60, the seconds in time_minutes: 1."),
        ({"gpus": -1}, "gpus: -1 came. Allowed: 0 or more."),
        ({"nodes": 0}, "nodes: 0 came. Allowed: 1 or more."),
        ({"memory_gb": 0}, "memory_gb: 0 came. Allowed: more than 0."),
        ({}, "slurm needs sbatch, srun, squeue, scancel, scontrol, not found in PATH. Start the sweep where sbatch works."),
    ],
)
def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: dict[str, object], message: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError) as raised:
        build(Launcher, {"name": "slurm", **section}, "launcher", folder=tmp_path)
    assert str(raised.value) == f"launcher: {message}"
