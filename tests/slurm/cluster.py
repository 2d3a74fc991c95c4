"""A SLURM cluster on one machine, ordinary processes in a temporary folder: one slurmctld, and a slurmd for each pretended node.

No accounting, no authentication (auth/none, cred/none), therefore every port on the loopback. Debian's packages slurmctld, slurmd
and slurm-client have all that is needed: https://slurm.schedmd.com/programmer_guide.html (multiple slurmd).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
CONFIGURATION = """\
ClusterName=voxface
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
AuthInfo=cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=6
SlurmctldTimeout=2
MessageTimeout=2
KillWait=5
MinJobAge=2
NodeName={nodes} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports} CPUs={cpus} RealMemory=4000
PartitionName=main Nodes={nodes} Default=YES State=UP PriorityTier=1
PartitionName=patient Nodes={nodes} State=UP PriorityTier=1 GraceTime=30
PartitionName=urgent Nodes={nodes} State=UP PriorityTier=2
"""


def missing() -> list[str]:
    """The SLURM programs this machine lacks."""
    return [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]


class Cluster:
    """with Cluster(folder) as cluster: commands with cluster.environment reach it, and nothing of it is left afterwards.

    nodes are named n1, n2, ..., with `cpus` CPUs each, whatever the machine has. Partition `urgent` preempts `main`, the default.
    A node whose daemon is gone counts as down after SlurmdTimeout, six seconds.
    """

    def __init__(self, folder: Path, nodes: int = 2, cpus: int = 4) -> None:
        self.folder = folder
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.cpus = cpus
        self.environment = {**os.environ, "PATH": _path(), "SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Cluster:
        (self.folder / "state").mkdir(parents=True)
        controller, *ports = _free_ports(1 + len(self.nodes))
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=socket.gethostname().partition(".")[0],
                user=getpass.getuser(),
                folder=self.folder,
                controller_port=controller,
                ports=",".join(map(str, ports)),
                nodes=",".join(self.nodes),
                cpus=self.cpus,
            ),
            encoding="utf-8",
        )
        try:
            self.start_controller()
            for node in self.nodes:
                self.start_node(node)
            self.wait(lambda: all(self.state(node) == "idle" for node in self.nodes), "its nodes to be idle")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def start_controller(self) -> None:
        self._start("slurmctld", ["slurmctld", "-D"])
        self.wait(lambda: self.try_run("scontrol", "ping").returncode == 0, "slurmctld to answer")

    def start_node(self, node: str) -> None:
        self._start(node, ["slurmd", "-D", "-N", node])

    def kill(self, daemon: str, number: int = signal.SIGKILL) -> None:
        """End "slurmctld" or a node's slurmd; jobs on the node run on."""
        self._daemons[daemon].send_signal(number)
        self._daemons.pop(daemon).wait()

    def lose(self, node: str) -> None:
        """SIGKILL to all that runs on a node, as a power failure would."""
        self.kill(node)
        jobs = self.processes(f"SLURMD_NODENAME={node}")
        daemons = {daemon.pid for daemon in self._daemons.values()}
        keepers = {parent for _, parent in jobs.values()} & self.processes().keys() - jobs.keys() - daemons
        # The keepers first: they would report their jobs as failed.
        for pid in [*keepers, *jobs]:
            _kill(pid)

    def state(self, node: str) -> str:
        """A node's state in sinfo's words, such as idle, mixed, allocated, down; a trailing * says that it does not answer."""
        return self.run("sinfo", "--noheader", "--nodes", node, "--partition", "main", "--format", "%T").strip()

    def queue(self) -> dict[str, str]:
        """State of every job that is waiting, running or ending, by id (of an array: 5_0, 5_1, ...)."""
        rows = self.run("squeue", "--noheader", "--array", "--format", "%i %T").splitlines()
        return dict(row.split() for row in rows)

    def run(self, *command: str) -> str:
        """What a SLURM command prints."""
        done = self.try_run(*command)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{self.logs()}"
        return done.stdout

    def try_run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = 60) -> None:
        """Ask until it holds. Fails with the daemons' last lines when it does not."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}{self.logs()}"
            time.sleep(0.05)

    def logs(self) -> str:
        """The last lines of every daemon, for a failing test's message."""
        return "".join(
            f"\n--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            for log in sorted(self.folder.glob("*.log"))
        )

    def processes(self, also: str = "") -> dict[int, tuple[str, int]]:
        """Command line and parent of every process of the cluster: daemons, those that keep jobs (which leave them), jobs.

        also: NAME=VALUE that must be in a process' environment as well.
        """
        marks = {f"SLURM_CONF={self.folder / 'slurm.conf'}".encode(), also.encode()}
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if marks <= {b"", *(process / "environ").read_bytes().split(b"\0")}:
                    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, from field 3 on
                    state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
                    command = (process / "cmdline").read_text(errors="replace").replace("\0", " ")
                    if state != "Z":
                        found[int(process.name)] = command, int(parent)
            except OSError:  # it has ended, or is somebody else's
                continue
        found.pop(os.getpid(), None)
        return found

    def close(self) -> None:
        """End it all, at once: nothing of it is wanted any more."""
        deadline = time.monotonic() + 30
        while left := self.processes():
            assert time.monotonic() < deadline, f"processes {left} do not end"
            for pid in left:
                _kill(pid)
            time.sleep(0.05)
        for daemon in self._daemons.values():
            daemon.wait()
        self._daemons.clear()

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _path() -> str:
    """PATH with the folders of daemons, which an ordinary user's lacks."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
