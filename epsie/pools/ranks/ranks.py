"""The ranks of an MPI communicator, and messages between them that are awaited asleep."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from epsie.errors import PoolError

LAUNCHED = (
    "OMPI_COMM_WORLD_SIZE",
    "PMI_SIZE",
    "MPI_LOCALNRANKS",
    "PMIX_SIZE",
    "SLURM_STEP_NUM_TASKS",
)
"""The environment variables in which launchers say how many processes they started."""


def imported_mpi() -> Any:
    """mpi4py's `MPI`, begun.

    Raises
    ------
    ImportError
        If mpi4py or the MPI library is missing.
    PoolError
        If Open MPI started this process, but mpi4py loaded another library, which would abort.
    """
    try:
        import mpi4py

        # MPI begins when this is imported, unless told not to; what can go wrong is said before.
        begins = "mpi4py.MPI" not in sys.modules and mpi4py.rc.initialize
        if begins:
            mpi4py.rc(initialize=False, finalize=True)
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            f"mpi=True needs mpi4py and an MPI library: {error}. On a cluster load its MPI module "
            "and run `pip install mpi4py`; elsewhere `pip install mpi4py mpich`"
        ) from error
    if begins:
        if "OMPI_COMM_WORLD_SIZE" in os.environ and "Open MPI" not in _library(MPI):
            raise PoolError(_other_launcher(MPI, "OMPI_COMM_WORLD_SIZE"))
        MPI.Init_thread()
    return MPI


def _library(mpi: Any) -> str:
    """The name and version of the MPI library."""
    return " ".join(mpi.Get_library_version().partition(",")[0].splitlines()[0].strip("\0").split())


def _other_launcher(mpi: Any, variable: str) -> str:
    return (
        f"a launcher started {os.environ[variable]} processes ({variable}), but it is not of the "
        f"MPI library that mpi4py loaded, {_library(mpi)}, for which each of them is alone. Use "
        "the mpiexec of this library (with srun, --mpi=pmi2 or --mpi=pmix), or install mpi4py anew "
        "for the MPI of the launcher"
    )


def _alone(mpi: Any) -> str:
    for variable in LAUNCHED:
        count = os.environ.get(variable, "")
        if count.isdigit() and int(count) > 1:
            return _other_launcher(mpi, variable)
    return (
        f"mpi=True found one MPI rank, which leaves no worker ({_library(mpi)}). Start the script "
        "with `mpirun -n N python script.py`, N being the number of workers and one more; or leave "
        "mpi out to run on the cores of this machine"
    )


class Ranks:
    """The ranks of a communicator, and messages between them that are awaited asleep.

    A waiting rank looks for messages and sleeps in between, a hundredth of the time that it has
    waited so far. So it hardly needs its core, and what it waits for is late by one percent.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm, optional
        The communicator; ``COMM_WORLD`` by default. Messages go through a duplicate of it.

    Raises
    ------
    ImportError
        If mpi4py or the MPI library is missing.
    PoolError
        If there is one rank only.
    """

    part = 0.01
    """The part of the time waited so far to sleep before looking again."""
    shortest = 5e-5
    longest = 0.01
    """Seconds to sleep, at least and at most."""

    def __init__(self, comm: Any = None) -> None:
        self._mpi = imported_mpi()
        self._parent = os.getppid()
        self._origin = self._mpi.COMM_WORLD if comm is None else comm
        self.rank = self._origin.Get_rank()
        self.size = self._origin.Get_size()
        if self.size == 1:
            raise PoolError(_alone(self._mpi))
        self._comm, request = self._origin.Idup()
        self._until(request.Test)

    def made_from(self, comm: Any) -> bool:
        """Whether these are the ranks of a communicator."""
        return bool(self._origin == (self._mpi.COMM_WORLD if comm is None else comm))

    def _until(self, ready: Callable[[], Any], between: Callable[[], Any] = bool) -> None:
        """Sleep until something is so; do something now and then."""
        started = time.monotonic()
        while not ready():
            between()
            if os.getppid() != self._parent:
                raise PoolError("the mpiexec that started this rank is gone, and so are others")
            waited = time.monotonic() - started
            time.sleep(min(max(self.part * waited, self.shortest), self.longest))

    def wait(self, between: Callable[[], Any] = bool, seconds: float = float("inf")) -> int:
        """The rank from which a message is there; -1 if none comes for so many seconds.

        Meanwhile something is done, a hundred times a second or more often.
        """
        status = self._mpi.Status()
        end = time.monotonic() + seconds
        found = False

        def ready() -> bool:
            nonlocal found
            found = self._comm.iprobe(status=status)
            return found or time.monotonic() > end

        self._until(ready, between)
        return int(status.source) if found else -1

    def receive(self, rank: int) -> Any:
        """The next message of a rank."""
        return self._comm.recv(source=rank)

    def send(self, value: Any, rank: int) -> Any:
        """Begin to send a message. What it gives is to be kept until the message has arrived."""
        return self._comm.isend(value, rank)

    def send_all(self, value: Any, rank: int) -> None:
        """Send a message, and wait until it has left."""
        request = self.send(value, rank)
        self._until(lambda: request.test()[0])

    def abort(self, code: int) -> None:
        """End all ranks at once."""
        self._comm.Abort(code)

    def before_finalize(self, action: Callable[[], None]) -> None:
        """Do something if the script calls ``MPI.Finalize`` before its end."""
        key = self._mpi.Comm.Create_keyval(delete_fn=lambda *_: action())
        self._mpi.COMM_SELF.Set_attr(key, action)
