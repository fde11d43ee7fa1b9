"""The ranks of MPI as a pool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from epsie.checks import as_count
from epsie.errors import PoolError
from epsie.pools.base import Function, Pool
from epsie.pools.ranks.team import Team, team_of
from epsie.pools.transport import Ticket


class MPIPool(Pool):
    """The ranks of MPI as a pool: rank 0 deals, all others work.

    Every rank makes it, and only rank 0 goes on. The others work for it, asleep while there is
    nothing to do, and end when its process ends; so a script may make one pool after the other.
    What fails in a worker is raised in rank 0. If rank 0 ends while workers are busy, all ranks are
    aborted with a code that is not 0.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm, optional
        Whose ranks they are; by default ``COMM_WORLD``.
    threads_per_worker : int, optional
        How many threads linear algebra (BLAS, OpenMP) may use in each. The last bits of results can
        depend on it.

    Raises
    ------
    ImportError
        If mpi4py or the MPI library is missing.
    PoolError
        If there is one rank only.
    ValueError
        If `threads_per_worker` is less than 1.
    """

    def __init__(self, comm: Any = None, threads_per_worker: int = 1) -> None:
        self.threads_per_worker = as_count(threads_per_worker, "threads_per_worker")
        self._team: Team = team_of(comm)
        self.size = self._team.size
        """The number of workers."""
        self._closed = False

    def __repr__(self) -> str:
        return f"<MPIPool of {self.size} workers>"

    def map(self, function: Function, iterable: Iterable[Any]) -> list[Any]:
        """The results, in the order of the items, which are dealt out one at a time.

        Raises
        ------
        PoolError
            If the pool is closed.
        Exception
            What the function raised, with the traceback of the worker as a note.
        """
        if self._closed:
            raise PoolError("this pool is closed; make a new one")
        self._team.threads = self.threads_per_worker
        return self._team.map(function, iterable)

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes sent to the workers and received from them so far."""
        return self._team.sent, self._team.received

    def deliver(self, ticket: Ticket) -> Ticket:
        """Take a model to the ranks that cannot read it from a file, once each.

        Returns
        -------
        Ticket
            What suffices from then on: a key.
        """
        key = ticket.without_body()
        has = self._team.on_each(Ticket.is_redeemed, key)
        self._team.on_each(Ticket.is_redeemed, ticket, [rank for rank in has if not has[rank]])
        return key

    def close(self) -> None:
        """Take no more work. Closing again does nothing. The workers sleep until rank 0 ends."""
        self._closed = True
