"""Jobs of a SLURM cluster, through submitit: https://github.com/facebookincubator/submitit (MIT).

What is started together is one job array. A job that runs out of time, is preempted or loses its node goes back to the queue, and
on from its checkpoint. Nothing is asked of SLURM's accounting, which not every cluster has: squeue says which jobs there are, and
submitit's files how the others ended.
"""

from __future__ import annotations

import getpass
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from gan.launchers.base import Job, Launcher, at_least, torchrun

NAME = "voxface"
PROGRAMS = ("sbatch", "srun", "squeue", "scancel", "scontrol")
AGAIN, ENOUGH = signal.SIGUSR2, signal.SIGUSR1  # submitit's for "save and queue again", ours for "save and end"
ASK_SECONDS = 10  # at most so often is squeue run, which all users of a cluster share
STOP_SECONDS = 1


class Slurm(Launcher):
    """parallel: jobs in the queue at a time. time_minutes: of a job; one that needs more saves, and queues again.

    cpus, gpus, memory_gb, torchrun (processes that train together): of a job, on each of its nodes. save_seconds: how long before
    its time is up a job is told to save. setup: lines of shell before it. options: more of sbatch's, such as {account: lab}.
    folder: for the launcher's own files; one for each sweep.
    """

    def __init__(
        self,
        folder: Path,
        partition: str | None = None,
        parallel: int = 4,
        time_minutes: int = 60,
        cpus: int = 2,
        gpus: int = 0,
        memory_gb: float | None = None,
        nodes: int = 1,
        torchrun: int = 1,
        save_seconds: int = 90,
        setup: Sequence[str] = (),
        options: dict[str, Any] | None = None,
    ):
        for name, value in (
            ("parallel", parallel),
            ("time_minutes", time_minutes),
            ("cpus", cpus),
            ("nodes", nodes),
            ("torchrun", torchrun),
            ("save_seconds", save_seconds),
        ):
            at_least(name, value, 1)
        at_least("gpus", gpus, 0)
        if memory_gb is not None and memory_gb <= 0:
            raise ValueError(f"memory_gb: {memory_gb:g} came. Allowed: more than 0.")
        if save_seconds >= 60 * time_minutes:
            raise ValueError(
                f"save_seconds: {save_seconds} came. Allowed: less than {60 * time_minutes}, the seconds in "
                f"time_minutes: {time_minutes}."
            )
        try:
            import submitit
        except ImportError:
            raise ValueError("slurm needs submitit, which is not installed. Run pip install 'voxface[slurm]'.") from None
        if lacking := [program for program in PROGRAMS if shutil.which(program) is None]:
            raise ValueError(f"slurm needs {', '.join(lacking)}, not found in PATH. Start the sweep where sbatch works.")
        self.parallel = parallel
        self._nodes, self._processes, self._cpus = nodes, torchrun, cpus
        # As often as it takes: whether a job gets anywhere is for the sweep to judge.
        self._executor = submitit.SlurmExecutor(folder, max_num_timeout=10**6)
        wanted = dict(
            partition=partition,
            gpus_per_node=gpus or None,
            setup=list(setup) or None,
            mem=None if memory_gb is None else f"{round(1024 * memory_gb)}M",
        )
        self._executor.update_parameters(
            job_name=NAME,
            time=time_minutes,
            nodes=nodes,
            ntasks_per_node=1,
            cpus_per_task=cpus,
            signal_delay_s=save_seconds,
            array_parallelism=parallel,
            additional_parameters={"requeue": True} | dict(options or {}),
            srun_args=[f"--cpus-per-task={cpus}"],  # which srun no longer takes over from sbatch, since 22.05
            **{name: value for name, value in wanted.items() if value is not None},
        )
        self._ours: dict[str, Job] = {}  # by number in the queue
        self._queue: dict[str, str] | None = None
        self._ask_at = 0.0
        self._started = folder / "jobs.jsonl"
        if self._started.exists():
            queue = self._look() or {}
            for line in self._started.read_text(encoding="utf-8").splitlines():
                number, job, log = json.loads(line)
                if number in queue:
                    self._ours[number] = Job(job, [], Path(log))

    def found(self) -> set[str]:
        return {job.id for job in self._ours.values()}

    def start(self, jobs: Sequence[Job]) -> None:
        from submitit.core.utils import FailedJobError

        try:
            with self._executor.batch():
                queued = [self._executor.submit(_Worker(job, self._nodes, self._processes, self._cpus)) for job in jobs]
        except FailedJobError as error:
            raise ValueError(f"launcher: {'; '.join(str(error).strip().splitlines())}") from None
        self._ask_at = 0.0
        with self._started.open("a", encoding="utf-8") as file:
            for job, one in zip(jobs, queued, strict=True):
                self._ours[one.job_id] = job
                file.write(json.dumps([one.job_id, job.id, str(job.log)]) + "\n")

    def poll(self) -> dict[str, int | None]:
        if not self._ours or (queue := self._look()) is None:
            return {}
        ended = [number for number in self._ours if number not in queue]
        return {job.id: self._outcome(number, job) for number in ended for job in [self._ours.pop(number)]}

    def stop_jobs(self, ids: Collection[str]) -> None:
        queue = (self._look() if ids else None) or {}
        # Said again each time: a job may just have begun, or be on its way back to the queue.
        for state, cancel in (("PENDING", ["scancel"]), ("RUNNING", ["scancel", f"--signal={ENOUGH.name}"])):
            if those := [number for number, job in self._ours.items() if job.id in ids and queue.get(number) == state]:
                subprocess.run([*cancel, *those], check=False)

    def stop(self) -> None:
        while self._ours:
            self.poll()
            self.stop_jobs(self.found())
            time.sleep(STOP_SECONDS)
            self._ask_at = 0.0

    def _look(self) -> dict[str, str] | None:
        """State of our jobs that wait, run or end, by number, as of ten seconds ago or less; None if SLURM does not answer."""
        if time.monotonic() >= self._ask_at:
            asked = subprocess.run(
                ["squeue", "--noheader", "--array", "--user", getpass.getuser(), "--name", NAME, "--format", "%i %T"],
                capture_output=True,
                text=True,
                check=False,
            )
            if asked.returncode:
                print(f"squeue: {asked.stderr.strip()}", file=sys.stderr)
            self._queue = None if asked.returncode else dict(line.split() for line in asked.stdout.splitlines())
            self._ask_at = time.monotonic() + ASK_SECONDS
        return self._queue

    def _outcome(self, number: str, job: Job) -> int | None:
        """Exit code of a job that has left the queue. Where submitit or SLURM ended it, the job's log is told what they said."""
        from submitit.core.utils import JobPaths

        files = JobPaths(self._executor.folder, number)
        if files.result_pickle.exists():
            outcome, result = pickle.loads(files.result_pickle.read_bytes())
            if outcome == "success":
                return int(result)
            said = str(result)
        else:
            said = files.stderr.read_text(encoding="utf-8", errors="replace") if files.stderr.exists() else "It never ran.\n"
        with open(job.log, "a", encoding="utf-8") as log:
            log.write(f"SLURM job {number}: {said[-2000:]}")
        return None


class _Worker:
    """What submitit runs on each node of a job: the job's command, which it alone tells to save.

    SLURM sends its signals to every process of a job. The command ignores the two meant for its keeper: a second SIGTERM, from
    torchrun or from here, would end it before it has saved.
    """

    def __init__(self, job: Job, nodes: int, processes: int, cpus: int):
        self.job, self.nodes, self.processes, self.cpus = job, nodes, processes, cpus
        self.process: int | None = None
        self.enough = self.preempted = False

    def __call__(self) -> int:
        self.process, self.enough, self.preempted = None, False, False
        signal.signal(ENOUGH, self._end)
        signal.signal(signal.SIGTERM, self._note_preemption)
        environment = os.environ | {"OMP_NUM_THREADS": str(max(1, self.cpus // self.processes))}
        with open(self.job.log, "ab") as log:
            self.process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                preexec_fn=_ignore_keepers_signals,
            ).pid
        if self.enough:
            os.kill(self.process, signal.SIGTERM)
        code = self._wait()
        if code and self.preempted and not self.enough and self._is_wanted():
            os.kill(os.getpid(), AGAIN)
        return code

    def checkpoint(self) -> Any:
        """Called by submitit at AGAIN: what to queue again, once the command has saved."""
        from submitit.helpers import DelayedSubmission

        if self.process is not None:
            os.kill(self.process, signal.SIGTERM)
            self._wait()
        return DelayedSubmission(self)

    def _command(self) -> list[str]:
        if self.nodes == 1:
            return torchrun(self.job.command, self.processes)
        # The batch script and the first of its tasks run on the first node, so this is its address.
        return torchrun(
            self.job.command,
            self.processes,
            [
                f"--nnodes={self.nodes}",
                f"--node-rank={os.environ['SLURM_NODEID']}",
                f"--master-addr={os.environ['SLURM_LAUNCH_NODE_IPADDR']}",
                f"--master-port={20000 + int(os.environ['SLURM_JOB_ID']) % 20000}",
            ],
        )

    def _wait(self) -> int:
        # Not Popen.wait, whose lock checkpoint, which comes in its middle, would wait for without end.
        assert self.process is not None
        code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        self.process = None
        return code

    def _end(self, *_: object) -> None:
        if self.process is not None and not self.enough:
            os.kill(self.process, signal.SIGTERM)
        self.enough = True

    def _note_preemption(self, *_: object) -> None:
        """The command got it too. Where SLURM only preempts after a grace time, it does not queue again what ends within."""
        self.preempted = True

    def _is_wanted(self) -> bool:
        """Whether nobody has cancelled the job or queued it again: asked to, SLURM would start even a cancelled one anew."""
        asked = subprocess.run(
            ["squeue", "--noheader", "--jobs", os.environ["SLURM_JOB_ID"], "--format", "%T"],
            capture_output=True,
            text=True,
            check=False,
        )
        return asked.stdout.strip() == "RUNNING"


def _ignore_keepers_signals() -> None:
    signal.signal(AGAIN, signal.SIG_IGN)
    signal.signal(ENOUGH, signal.SIG_IGN)
