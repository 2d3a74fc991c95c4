import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan.build import build, names
from gan.launchers.base import Job, Launcher, torchrun
from gan.launchers.local import Local

SAVES = """
import pathlib, signal, sys
def save(number, frame):
    pathlib.Path(sys.argv[1]).write_text("saved")
    raise SystemExit(128 + number)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True:
    signal.pause()
"""


def wait(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def python(folder: Path, name: str, code: str, *arguments: object) -> Job:
    return Job(name, [sys.executable, "-S", "-c", code, *map(str, arguments)], folder / f"{name}.log")


def finish(launcher: Launcher, count: int) -> dict[str, int | None]:
    ended: dict[str, int | None] = {}
    wait(lambda: ended.update(launcher.poll()) or len(ended) == count)
    return ended


def ready(job: Job) -> bool:
    return job.log.exists() and "ready" in job.log.read_text()


def test_the_launchers_are_found_by_name() -> None:
    assert names(Launcher) == ["local", "slurm"]
    assert build(Launcher, {"name": "local", "parallel": 3}, "launcher").parallel == 3
    with pytest.raises(ValueError, match=r"launcher.paralell: local .*parallel\b"):
        build(Launcher, {"name": "local", "paralell": 3}, "launcher")


@pytest.mark.parametrize("key", ["parallel", "threads", "torchrun"])
def test_numbers_below_one_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match=f"launcher: {key}: 0 .*1 or more"):
        build(Launcher, {"name": "local", key: 0}, "launcher")


def test_exit_codes_signals_and_logs(tmp_path: Path) -> None:
    launcher = Local(parallel=3)
    (tmp_path / "good.log").write_text("before\n")
    launcher.start(
        [
            python(tmp_path, "good", "print('done')"),
            python(tmp_path, "bad", "import sys; sys.exit('no')"),
            python(tmp_path, "killed", "import os; os.kill(os.getpid(), 9)"),
        ]
    )
    assert finish(launcher, 3) == {"good": 0, "bad": 1, "killed": -signal.SIGKILL}
    assert (tmp_path / "good.log").read_text() == "before\ndone\n"
    assert (tmp_path / "bad.log").read_text() == "no\n"
    assert launcher.poll() == {}


def test_threads_and_gpus_are_shared_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,7")
    code = "import json, os; print(json.dumps([os.environ[k] for k in ('OMP_NUM_THREADS', 'CUDA_VISIBLE_DEVICES')]))"
    jobs = [python(tmp_path, str(number), code) for number in range(4)]
    launcher = Local(parallel=4, threads=2)
    launcher.start(jobs)
    finish(launcher, 4)
    assert [json.loads(job.log.read_text()) for job in jobs] == [["2", gpu] for gpu in ("4", "5", "7", "4")]


def test_a_free_gpu_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    show = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    launcher = Local(parallel=2)
    first, long = python(tmp_path, "first", show), python(tmp_path, "long", show + SAVES, tmp_path / "saved")
    launcher.start([first, long])
    assert finish(launcher, 1) == {"first": 0}
    again = python(tmp_path, "again", show)
    launcher.start([again])
    assert finish(launcher, 1) == {"again": 0}
    assert (first.log.read_text(), again.log.read_text()) == ("0\n", "0\n")
    wait(lambda: ready(long))
    launcher.stop()
    assert long.log.read_text() == "1\nready\n"


def test_stop_waits_until_all_have_saved(tmp_path: Path) -> None:
    launcher = Local(parallel=2)
    jobs = [python(tmp_path, name, SAVES, tmp_path / f"{name}.saved") for name in "ab"]
    launcher.start(jobs)
    wait(lambda: all(map(ready, jobs)))
    launcher.stop()
    assert all((tmp_path / f"{name}.saved").exists() for name in "ab")
    assert launcher.poll() == {}


def test_one_job_is_asked_to_stop_once_however_often_it_is_said(tmp_path: Path) -> None:
    launcher = Local(parallel=2)
    jobs = [python(tmp_path, name, SAVES, tmp_path / f"{name}.saved") for name in "ab"]
    launcher.start(jobs)
    wait(lambda: all(map(ready, jobs)))
    launcher.stop_jobs(["a"])
    launcher.stop_jobs(["a"])
    assert finish(launcher, 1) == {"a": 128 + signal.SIGTERM}
    assert not (tmp_path / "b.saved").exists()
    launcher.stop()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a process is told of its parent's end by Linux alone")
def test_jobs_save_and_end_with_a_killed_sweep(tmp_path: Path) -> None:
    job = python(tmp_path, "a", SAVES, tmp_path / "saved")
    code = (
        "import pathlib, signal, sys\nfrom gan.launchers.base import Job\nfrom gan.launchers.local import Local\n"
        "Local().start([Job('a', sys.argv[2:], pathlib.Path(sys.argv[1]))])\nsignal.pause()\n"
    )
    sweep = subprocess.Popen([sys.executable, "-c", code, str(job.log), *job.command])
    try:
        wait(lambda: ready(job), 120)
    finally:
        sweep.kill()
        sweep.wait()
    wait((tmp_path / "saved").exists)


def test_ctrl_c_does_not_reach_jobs(tmp_path: Path) -> None:
    job = python(tmp_path, "a", "import os; print(os.getsid(0) == os.getpid())")
    launcher = Local()
    launcher.start([job])
    finish(launcher, 1)
    assert job.log.read_text() == "True\n"


def test_torchrun_wraps_what_follows_python() -> None:
    assert torchrun(["python", "-m", "gan", "x"], 1) == ["python", "-m", "gan", "x"]
    assert torchrun(["python", "-m", "gan", "x"], 2) == [
        "python",
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--standalone",
        "-m",
        "gan",
        "x",
    ]


@pytest.mark.slow
def test_a_job_of_two_processes_saves_when_stopped(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import os, sys\nsys.argv[1] += os.environ['RANK']\n" + SAVES)
    job = Job("a", [sys.executable, str(script), str(tmp_path / "saved")], tmp_path / "a.log")
    launcher = Local(torchrun=2)
    launcher.start([job])
    wait(lambda: job.log.exists() and job.log.read_text().count("ready") == 2, 120)
    launcher.stop()
    assert {path.name for path in tmp_path.glob("saved*")} == {"saved0", "saved1"}


def test_some_are_stopped_and_the_others_go_on(tmp_path: Path) -> None:
    launcher = Local(2)
    jobs = [python(tmp_path, name, SAVES, tmp_path / f"{name}.txt") for name in ("given up", "kept")]
    launcher.start(jobs)
    wait(lambda: all(map(ready, jobs)))
    launcher.stop_jobs(["given up", "another sweep's"])
    launcher.stop_jobs(["given up"])
    assert finish(launcher, 1) == {"given up": 128 + signal.SIGTERM}
    assert (tmp_path / "given up.txt").exists()
    assert launcher.poll() == {}
    launcher.stop()
    assert (tmp_path / "kept.txt").exists()
