"""A process told from any other, on this machine and on other hosts; what another one does."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_BARE = "pid:[4026531836]"
"""The name space of processes that is there before any container."""

_JOBS = {
    "SLURM_JOB_ID": ("SLURM_STEP_ID", "SLURM_PROCID"),
    "PBS_JOBID": (),
    "LSB_JOBID": ("LSB_JOBINDEX",),
    "FLUX_JOB_ID": ("FLUX_TASK_RANK",),
    "COBALT_JOBID": (),
    "AWS_BATCH_JOB_ID": (),
    "JOB_ID": ("SGE_TASK_ID",),
}
"""The variables of batch systems: that of the job, and those of its parts."""

_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")


@dataclass(frozen=True)
class Identity:
    """A process.

    Parameters
    ----------
    pid : int
        Its number.
    host : str
        The name of the host.
    started : int, optional
        When it was started, in ticks since the machine was; numbers are used again.
    boot : str, optional
        The start of the machine.
    machine : str, optional
        The machine, whatever it is called.
    namespace : str, optional
        In which its number holds: a container has its own.
    job : str, optional
        The job of a batch system, which keeps its name when it is requeued.

    What is not known is None, or empty.
    """

    pid: int
    host: str
    started: int | None = None
    boot: str = ""
    machine: str = ""
    namespace: str = ""
    job: str = ""

    @property
    def exists(self) -> bool | None:
        """Whether it runs; None if that cannot be told from here."""
        here = this_process()
        if not self.shares_kernel(here):
            same = self.host == here.host and self.machine and self.machine == here.machine
            return False if same and self.namespace == here.namespace == _BARE else None
        if self.namespace and self.namespace != here.namespace:
            return None
        return _exists(self.pid, self.started)

    def shares_kernel(self, other: Identity) -> bool:
        """Whether both are of one start of one machine, maybe in containers."""
        return self.host == other.host and (not self.boot or self.boot == other.boot)

    def is_same_job(self) -> bool:
        """Whether it was of the job that this process is of."""
        return bool(self.job) and self.job == this_process().job


def this_process() -> Identity:
    """The process that asks."""
    pid = os.getpid()
    return Identity(
        pid,
        socket.gethostname(),
        _status(pid)[1],
        _line("/proc/sys/kernel/random/boot_id"),
        _line("/etc/machine-id"),
        _namespace(),
        _job(),
    )


def _exists(pid: int, started: int | None) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    except OverflowError:
        return False
    state, found = _status(pid)
    return state not in ("Z", "X") and (started is None or found is None or found == started)


def _fields(pid: int) -> list[str]:
    """The fields of a process in its /proc/PID/stat, from its state on."""
    # Before that is the name of the program, with whatever it contains in parentheses.
    return _line(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _status(pid: int) -> tuple[str, int | None]:
    """The state of a process, and when it was started; '' and None where nobody says."""
    fields = _fields(pid)
    return (fields[0], int(fields[19])) if len(fields) > 19 else ("", None)


def _line(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _job() -> str:
    for name, parts in _JOBS.items():
        if os.environ.get(name):
            values = [os.environ.get(part, "") for part in (name, *parts, *_RANKS)]
            return f"{name} {'.'.join(values)}"
    return ""


class Activity(NamedTuple):
    """The activity of a process: whether it is stopped, and the processor time that it has used."""

    is_stopped: bool
    """Whether it goes on only when it is told to."""
    seconds: float
    """The processor time that it has used, with the processes that it started."""


def activity(pid: int) -> Activity | None:
    """The activity of a process; None if that cannot be known."""
    fields = _fields(pid)
    try:
        is_stopped = fields[0] in ("T", "t")
        seconds = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError, IndexError):
        return None
    for child in _children(pid):
        seconds += getattr(activity(child), "seconds", 0.0)
    return Activity(is_stopped, seconds)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            found += map(int, path.read_text().split())
    return found
