"""gan/launchers/slurm.py on a real cluster: jobs that count, disturbed in every way that a night brings."""

import os
import signal
import sys
from pathlib import Path

import pytest

from gan.build import build
from gan.launchers.base import Job, Launcher
from tests.slurm import worker
from tests.slurm.cluster import Cluster

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
pytest.importorskip("submitit")


@pytest.fixture(autouse=True)
def always_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan.launchers.slurm.ASK_SECONDS", 0)


def job(folder: Path, name: str, steps: int, step_seconds: float = 0.02) -> Job:
    command = [sys.executable, worker.__file__, str(folder / name), str(steps), str(step_seconds)]
    return Job(name, command, folder / f"{name}.log")


def slurm(folder: Path, **arguments: object) -> Launcher:
    return build(Launcher, {"name": "slurm", "cpus": 1, **arguments}, "launcher", folder=folder / "slurm")


def history(folder: Path, name: str) -> list[str]:
    file = folder / name / "history.txt"
    return file.read_text().splitlines() if file.exists() else []


def count(folder: Path, name: str) -> tuple[int, int]:
    file = folder / name / "count.txt"
    step, total = map(int, file.read_text().split()) if file.exists() else (0, 0)
    return step, total


def finish(cluster: Cluster, launcher: Launcher, ids: set[str], seconds: float = 60) -> dict[str, int | None]:
    ended: dict[str, int | None] = {}

    def all_have() -> bool:
        ended.update(launcher.poll())
        return set(ended) == ids

    cluster.wait(all_have, f"{ids} to end", seconds)
    return ended


def test_jobs_of_an_array_end_with_their_exit_codes(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(tmp_path)
    bad = Job("bad", [sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"], tmp_path / "bad.log")
    launcher.start([job(tmp_path, "a", 20), job(tmp_path, "b", 20), bad])
    launcher.start([job(tmp_path, "alone", 20)])
    assert finish(cluster, launcher, {"a", "b", "bad", "alone"}) == {"a": 0, "b": 0, "bad": 3, "alone": 0}
    assert (tmp_path / "bad.log").read_text() == "no such thing\n"
    assert count(tmp_path, "a") == count(tmp_path, "alone") == (20, 210)
    assert launcher.poll() == {}


def test_a_lost_node_and_a_killed_job_cost_no_result(cluster: Cluster, tmp_path: Path) -> None:
    """The node's jobs go to the other one by themselves; the killed job is told of, and goes on when it is started again."""
    launcher = slurm(tmp_path, cpus=2)  # two jobs on each node
    names = {f"job{number}" for number in range(6)}
    jobs = {name: job(tmp_path, name, 150, 0.05) for name in sorted(names)}
    launcher.start(list(jobs.values()))
    cluster.wait(lambda: sum(count(tmp_path, name)[0] >= 30 for name in names) >= 4, "four jobs to be under way")
    places = {name: history(tmp_path, name)[-1].split()[-1] for name in names if history(tmp_path, name)}
    victim = next(name for name in sorted(places) if places[name] == "n2")
    lost = {name for name in places if places[name] == "n1"}
    assert lost

    cluster.lose("n1")
    (process,) = [pid for pid, (command, _) in cluster.processes().items() if str(tmp_path / victim) in command]
    os.kill(process, signal.SIGKILL)
    assert finish(cluster, launcher, {victim}) == {victim: -signal.SIGKILL}
    launcher.start([jobs[victim]])
    cluster.wait(lambda: "down" in cluster.state("n1"), "n1 to count as lost")
    assert finish(cluster, launcher, names) == dict.fromkeys(names, 0)

    assert all(count(tmp_path, name) == (150, 11325) for name in names)
    for name in lost | {victim}:
        starts = [line for line in history(tmp_path, name) if line.startswith("from")]
        assert [line.startswith("from 0 ") for line in starts] == [True, False]
        _, step, _, place = starts[1].split()
        assert int(step) >= 30
        assert place == "n2"
    cluster.start_node("n1")
    cluster.wait(lambda: cluster.state("n1") == "idle", "n1 to be back")


def test_a_node_whose_daemon_is_back_in_time_keeps_its_jobs(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(tmp_path)
    launcher.start([job(tmp_path, "a", 100)])
    cluster.wait(lambda: history(tmp_path, "a"), "a to start")
    cluster.kill("n1")
    cluster.start_node("n1")
    assert finish(cluster, launcher, {"a"}) == {"a": 0}
    assert history(tmp_path, "a") == ["from 0 on n1", "done 100"]


def test_a_controller_that_does_not_answer_ends_no_job(
    cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    launcher = slurm(tmp_path)
    launcher.start([job(tmp_path, "a", 50)])
    cluster.wait(lambda: history(tmp_path, "a"), "a to start")
    cluster.kill("slurmctld", signal.SIGTERM)  # killed, it would forget the last seconds
    assert launcher.poll() == {}
    assert capfd.readouterr().err.startswith("squeue: ")
    cluster.start_controller()
    assert finish(cluster, launcher, {"a"}) == {"a": 0}
    assert history(tmp_path, "a") == ["from 0 on n1", "done 50"]


@pytest.mark.parametrize("partition", ["main", "patient"])
def test_a_preempted_job_saves_and_goes_on_later(cluster: Cluster, tmp_path: Path, partition: str) -> None:
    """patient: with a grace time, within which what ends counts as done for SLURM."""
    launcher = slurm(tmp_path, partition=partition)
    launcher.start([job(tmp_path, "a", 100)])
    cluster.wait(lambda: history(tmp_path, "a"), "a to start")
    cluster.run("sbatch", "--partition", "urgent", "--nodes", "2", "--exclusive", "--output", "/dev/null", "--wrap", "true")
    assert finish(cluster, launcher, {"a"}) == {"a": 0}
    assert_saved_once(tmp_path, "a", 100)


def test_a_job_out_of_time_saves_and_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(tmp_path, time_minutes=1, save_seconds=55)
    launcher.start([job(tmp_path, "a", 1800)])
    assert finish(cluster, launcher, {"a"}, seconds=150) == {"a": 0}
    saved = [int(line.split()[1]) for line in history(tmp_path, "a") if line.startswith("saved")]
    assert saved
    assert history(tmp_path, "a")[-1] == "done 1800"
    assert [f"from {step}" for step in [0, *saved]] == [line.partition(" on")[0] for line in history(tmp_path, "a")[:-1:2]]
    assert count(tmp_path, "a") == (1800, 1620900)


def test_a_cancelled_job_saves_and_stays_away(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(tmp_path)
    launcher.start([job(tmp_path, "a", 1000)])
    cluster.wait(lambda: history(tmp_path, "a"), "a to start")
    cluster.run("scancel", *cluster.queue())
    assert finish(cluster, launcher, {"a"}) == {"a": 128 + signal.SIGTERM}
    assert [line.split()[0] for line in history(tmp_path, "a")] == ["from", "saved"]


def test_stop_waits_until_all_have_saved(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(tmp_path, parallel=2)
    names = ("a", "b", "c")
    launcher.start([job(tmp_path, name, 1000) for name in names])
    cluster.wait(lambda: sum(bool(history(tmp_path, name)) for name in names) == 2, "two to start")
    launcher.stop()
    assert cluster.queue() == {}
    assert sorted(len(history(tmp_path, name)) for name in names) == [0, 2, 2]
    assert all(history(tmp_path, name)[-1].startswith("saved") for name in names if history(tmp_path, name))
    assert launcher.poll() == {}


def test_jobs_outlive_a_sweep_and_are_found_by_the_next(cluster: Cluster, tmp_path: Path) -> None:
    slurm(tmp_path).start([job(tmp_path, "a", 50), job(tmp_path, "b", 1)])
    cluster.wait(lambda: "done 1" in history(tmp_path, "b") and len(cluster.queue()) == 1, "b to end")
    launcher = slurm(tmp_path)
    assert launcher.found() == {"a"}
    assert finish(cluster, launcher, {"a"}) == {"a": 0}
    assert slurm(tmp_path).found() == set()


def test_a_job_that_cannot_begin_says_why_in_its_log(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(tmp_path, setup=["echo no such module >&2", "exit 1"])
    launcher.start([job(tmp_path, "a", 10)])
    assert finish(cluster, launcher, {"a"}) == {"a": None}
    assert "no such module" in (tmp_path / "a.log").read_text()


def test_what_a_job_asks_for(cluster: Cluster, tmp_path: Path) -> None:
    launcher = slurm(
        tmp_path, cpus=3, memory_gb=1.5, time_minutes=90, setup=["export GREETING=hello"], options={"comment": "ours"}
    )
    code = "import os; print(os.environ['GREETING'], os.environ['OMP_NUM_THREADS'], flush=True); import signal; signal.pause()"
    launcher.start([Job("a", [sys.executable, "-c", code], tmp_path / "a.log")])
    log = tmp_path / "a.log"
    cluster.wait(lambda: log.exists() and log.read_text() == "hello 3\n", "its greeting")
    (number,) = cluster.queue()
    shown = cluster.run("scontrol", "show", "job", number)
    for words in ("NumCPUs=3", "MinMemoryNode=1.50G", "TimeLimit=01:30:00", "Comment=ours", "Requeue=1", "JobName=voxface"):
        assert words in shown


def test_what_sbatch_refuses_is_told(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^launcher: .*invalid partition.*nowhere"):
        slurm(tmp_path, partition="nowhere").start([job(tmp_path, "a", 10)])


def test_squeue_is_run_now_and_then(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan.launchers.slurm.ASK_SECONDS", 1000)
    launcher = slurm(tmp_path)
    launcher.start([job(tmp_path, "a", 1)])
    assert launcher.poll() == {}
    cluster.wait(lambda: not cluster.queue(), "a to end")
    assert launcher.poll() == {}
    launcher.start([job(tmp_path, "b", 1)])
    assert launcher.poll() == {"a": 0}


def test_one_job_trains_on_two_nodes(cluster: Cluster, tmp_path: Path) -> None:
    script = tmp_path / "sum.py"
    script.write_text(
        "import os, sys, torch, torch.distributed as d\n"
        "d.init_process_group('gloo')\n"
        "total = torch.tensor(float(d.get_rank() + 1))\n"
        "d.all_reduce(total)\n"
        "open(f'{sys.argv[1]}.{d.get_rank()}', 'w').write(f\"{total.item()} on {os.environ['SLURMD_NODENAME']}\")\n"
        "d.destroy_process_group()\n"
    )
    launcher = slurm(tmp_path, nodes=2, torchrun=2, cpus=2)
    launcher.start([Job("a", [sys.executable, str(script), str(tmp_path / "rank")], tmp_path / "a.log")])
    assert finish(cluster, launcher, {"a"}) == {"a": 0}, (tmp_path / "a.log").read_text()
    assert [(tmp_path / f"rank.{rank}").read_text() for rank in range(4)] == ["10.0 on n1"] * 2 + ["10.0 on n2"] * 2


def assert_saved_once(folder: Path, name: str, steps: int) -> None:
    begun, saved, again, done = history(folder, name)
    assert begun.startswith("from 0 ")
    assert again.startswith(f"from {saved.removeprefix('saved ')} ")
    assert done == f"done {steps}"
    assert count(folder, name) == (steps, steps * (steps + 1) // 2)
