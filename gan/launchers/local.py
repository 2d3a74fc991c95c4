"""Processes of this machine, its threads and GPUs shared out among them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence

import torch

from gan.launchers.base import Job, Launcher, at_least, torchrun

# A killed sweep takes its jobs along, which save first: left alone they would run beside those of the next one.
# https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html; its parent may have gone before it was set.
_WITH_PARENT = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, {term})
if os.getppid() == {parent}:
    os.execvp(sys.argv[1], sys.argv[1:])
sys.exit(128 + {term})
"""


class Local(Launcher):
    """parallel: jobs at a time. threads: CPU threads each, default the cores by the jobs. torchrun: processes of a job.

    Each process has a GPU to itself while there are enough; else jobs share them.
    """

    def __init__(self, parallel: int = 1, threads: int | None = None, torchrun: int = 1):
        at_least("parallel", parallel, 1)
        at_least("threads", 1 if threads is None else threads, 1)
        at_least("torchrun", torchrun, 1)
        self.parallel = parallel
        self._processes = torchrun
        self._threads = max(1, (threads or (os.cpu_count() or 1) // parallel) // torchrun)
        self._running: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
        self._asked: set[str] = set()  # to stop

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            slot = min(set(range(self.parallel)) - {slot for _, slot in self._running.values()})
            environment = os.environ | {"OMP_NUM_THREADS": str(self._threads)} | self._gpus(slot)
            command = torchrun(job.command, self._processes)
            if sys.platform == "linux":
                bond = _WITH_PARENT.format(term=int(signal.SIGTERM), parent=os.getpid())
                command = [sys.executable, "-I", "-S", "-c", bond, *command]
            with open(job.log, "ab") as log:
                # A session of its own: Ctrl-C reaches only the sweep, which then asks its jobs to stop.
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
            self._running[job.id] = process, slot

    def poll(self) -> dict[str, int | None]:
        ended: dict[str, int | None] = {
            job: code for job, (process, _) in self._running.items() if (code := process.poll()) is not None
        }
        for job in ended:
            del self._running[job]
            self._asked.discard(job)
        return ended

    def stop_jobs(self, ids: Collection[str]) -> None:
        for job in set(ids) & self._running.keys() - self._asked:  # asked once more, they would not save
            self._running[job][0].send_signal(signal.SIGTERM)
            self._asked.add(job)

    def stop(self) -> None:
        self.stop_jobs(self._running)
        for process, _ in self._running.values():
            process.wait()
        self._running.clear()

    def _gpus(self, slot: int) -> dict[str, str]:
        """The GPUs of a slot, by the numbers or names this process sees them under."""
        count = torch.cuda.device_count()
        if count < 2:
            return {}
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(number) for number in range(count)]
        first = slot * self._processes
        chosen = [names[(first + number) % count] for number in range(min(self._processes, count))]
        return {"CUDA_VISIBLE_DEVICES": ",".join(chosen)}
