"""Processes of this machine, its threads and GPUs shared out among them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence

import torch

from gan.launchers.base import Job, Launcher


class Local(Launcher):
    """parallel: processes at a time. threads: CPU threads each; default the cores by the processes."""

    def __init__(self, parallel: int = 1, threads: int | None = None):
        if parallel < 1:
            raise ValueError(f"parallel: {parallel} came. Allowed: 1 or more.")
        self.parallel = parallel
        self._threads = threads or max(1, (os.cpu_count() or 1) // parallel)
        self._running: dict[str, tuple[subprocess.Popen[bytes], int]] = {}

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            slot = min(set(range(self.parallel)) - {slot for _, slot in self._running.values()})
            environment = os.environ | {"OMP_NUM_THREADS": str(self._threads)}
            if torch.cuda.device_count() > 1:
                environment["CUDA_VISIBLE_DEVICES"] = str(slot % torch.cuda.device_count())
            with open(job.log, "ab") as log:
                # A session of its own: Ctrl-C reaches only the sweep, which then asks its jobs to stop.
                process = subprocess.Popen(job.command, stdout=log, stderr=subprocess.STDOUT, env=environment,
                                           start_new_session=True)
            self._running[job.id] = process, slot

    def poll(self) -> dict[str, int | None]:
        ended: dict[str, int | None] = {job: code for job, (process, _) in self._running.items()
                                        if (code := process.poll()) is not None}
        for job in ended:
            del self._running[job]
        return ended

    def stop(self) -> None:
        for process, _ in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process, _ in self._running.values():
            process.wait()
        self._running.clear()
