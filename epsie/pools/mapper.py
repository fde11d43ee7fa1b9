"""Any pool that a user has as one ordered and eager map; the pool that a script was started for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from epsie.checks import as_count
from epsie.pools.base import Function, Mapper, Pool
from epsie.pools.foreign.clusters import DaskMapper, EnginesMapper, is_dask, is_view
from epsie.pools.foreign.foreign import (
    AsyncMapper,
    ExecutorMapper,
    PlainMapper,
    SchwimmbadMapper,
    is_mpi_pool,
)
from epsie.pools.own.interruptible import InterruptiblePool
from epsie.pools.ranks.mpi import MPIPool


class SerialMapper(Mapper):
    """No pool: one task after the other, in this process."""

    in_process = True
    shares = 1

    def __call__(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        return self.results(function, tasks)

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        return list(map(function, tasks))


class OwnMapper(Mapper):
    """Our own pools: they take tasks one by one."""

    @property
    def workers(self) -> int | None:
        """The number of workers."""
        return self.pool.size  # type: ignore[no-any-return]

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        return self.pool.map(function, tasks)  # type: ignore[no-any-return]


class ClosingMapper(OwnMapper):
    """A pool that was made for one sampler, and is closed with it."""

    def close(self) -> None:
        """Close the pool."""
        self.pool.close()


def mapper_for(pool: Any) -> Mapper:
    """An ordered map over whatever pool a user has.

    Parameters
    ----------
    pool : object
        None (this process), a number of processes, an executor, or anything that has a ``map``.

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If the number is less than 1.
    """
    if isinstance(pool, int) and not isinstance(pool, bool):
        processes = as_count(pool, "pool, a number of processes,")
        return SerialMapper(None) if processes == 1 else ClosingMapper(InterruptiblePool(processes))
    if isinstance(pool, type):
        raise TypeError(f"pool must be a pool, not the class {pool.__name__}: make one of it")
    for is_one, mapper in _KINDS:
        if is_one(pool):
            return mapper(pool)
    raise TypeError(
        f"pool must be None, a number of processes, or an object with a method `map`; got {pool!r} "
        f"of type {type(pool).__name__}"
    )


def _has(method: str) -> Callable[[Any], bool]:
    return lambda pool: callable(getattr(pool, method, None))


_KINDS: tuple[tuple[Callable[[Any], bool], type[Mapper]], ...] = (
    (lambda pool: pool is None or isinstance(pool, SerialPool), SerialMapper),
    (lambda pool: isinstance(pool, (InterruptiblePool, MPIPool)), OwnMapper),
    (is_view, EnginesMapper),
    (is_dask, DaskMapper),
    (is_mpi_pool, SchwimmbadMapper),
    (_has("submit"), ExecutorMapper),
    (_has("apply_async"), AsyncMapper),
    (_has("map"), PlainMapper),
)
"""Tests by which a pool is recognised, and the mapper for it; the first that fits is used."""


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
