"""The one line a script needs to run serially, on cores and under mpirun."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from epsie.checks import as_count
from epsie.pools.own.interruptible import InterruptiblePool
from epsie.pools.pool import Function, Pool
from epsie.pools.ranks.mpi import MPIPool


class SerialPool(Pool):
    """No workers: one item after the other, in this process.

    Parameters
    ----------
    threads_per_worker : int, optional
        How many threads linear algebra (BLAS, OpenMP) may use while chains run.
    """

    size = 1

    def __init__(self, threads_per_worker: int = 1) -> None:
        self.threads_per_worker = as_count(threads_per_worker, "threads_per_worker")

    def map(self, function: Function, iterable: Iterable[Any]) -> list[Any]:
        """The results, in the order of the items."""
        return list(map(function, iterable))

    def close(self) -> None:
        """Do nothing."""


def choose_pool(
    mpi: bool = False, processes: int | None = 1, **kwargs: Any
) -> SerialPool | InterruptiblePool | MPIPool:
    """The pool that a script was started for: nothing, cores, or the ranks of ``mpirun``.

    ::

        with choose_pool(mpi=args.mpi, processes=args.processes) as pool:
            sampler = MetropolisHastingsSampler(..., pool=pool)

    With `mpi` the rank 0 goes on and all others work for it; they never return from here, and end
    with it. So ``if not pool.is_master(): pool.wait(); sys.exit(0)`` may follow, and need not.

    Parameters
    ----------
    mpi : bool, optional
        Whether to use the ranks of MPI. Then `processes` has no meaning.
    processes : int, optional
        How many worker processes to start; 1 for none, None for one on each core.
    **kwargs
        For the pool: ``threads_per_worker`` for all; ``comm``, see `MPIPool`.

    Raises
    ------
    ValueError
        If `processes` is less than 1.
    TypeError
        If the pool does not know a keyword, or `processes` is no whole number.
    ImportError
        If mpi4py or the MPI library is missing.
    PoolError
        If there is one MPI rank only.
    """
    if processes is not None:
        processes = as_count(processes, "processes")
    if mpi:
        return MPIPool(**kwargs)
    if processes != 1:
        return InterruptiblePool(processes, **kwargs)
    return SerialPool(**kwargs)
