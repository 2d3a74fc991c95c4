"""A sweep on a real cluster: a node and a job are lost in the middle, and the rows are those of one that was left alone."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.cluster import Cluster

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
pytest.importorskip("submitit")

SWEEP = """
base: sf2f-64-tiny
set: {data.corpus: "toy:tiny", train.steps: 400, train.freeze_norm_from: 399, optimizer.decay_from: 399, train.save_every: 20,
      train.device: cpu, train.threads: 1, logging.embeddings: 0, logging.images_every: 1000, losses.perceptual: null}
variants: {full: {}, without L1: {losses.pixel: null}}
seeds: [0, 1]
evaluate: {runs: 1, seconds: [0.5], splits: [unseen_speech]}
"""


def sweep(file: Path, out: Path, *overrides: str) -> list[str]:
    return [sys.executable, "-m", "gan", "sweep", "run", str(file), "--out", str(out), *overrides]


def rows(out: Path) -> list[dict[str, Any]]:
    found = map(json.loads, (out / "results.jsonl").read_text().splitlines())
    return [{key: value for key, value in row.items() if key != "train_seconds"} for row in found]


def under_way(out: Path) -> list[Path]:
    """Cells that have a checkpoint and are still at work."""
    return [file.parent for file in out.glob("cells/*/lease.json") if list(file.parent.glob("run/checkpoints/step-*"))]


def test_a_sweep_survives_a_lost_node_and_a_killed_job(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SWEEP)
    alone = tmp_path / "alone"
    subprocess.run(sweep(file, alone, "launcher.parallel=2", "launcher.threads=1"), check=True, timeout=600)

    out = tmp_path / "cluster-sweep"
    started = subprocess.Popen(sweep(file, out, "launcher.name=slurm", "launcher.cpus=2", "launcher.parallel=4"))
    try:
        cluster.wait(lambda: len(under_way(out)) >= 2, "two cells to have a checkpoint", 300)
        victim = under_way(out)[0]
        lease = json.loads((victim / "lease.json").read_text())
        cluster.lose("n1")
        os.kill(lease["pid"], signal.SIGKILL) if Path(f"/proc/{lease['pid']}").exists() else None
        cluster.wait(lambda: "down" in cluster.state("n1"), "n1 to count as lost", 120)
        cluster.start_node("n1")
        assert started.wait(900) == 0
    finally:
        started.kill()
        started.wait()

    assert rows(out) == rows(alone)
    assert {row["system"] for row in rows(out)} >= {"full", "without L1", "shuffled full", "prior"}
    assert (out / "table.md").exists()
