"""Any pool that a user has, as one ordered and eager map."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from epsie.checks import as_count
from epsie.pools.base import Mapper
from epsie.pools.choose import SerialPool
from epsie.pools.foreign.clusters import DaskMapper, EnginesMapper, is_dask, is_view
from epsie.pools.foreign.foreign import AsyncMapper, ExecutorMapper, PlainMapper
from epsie.pools.foreign.schwimmbad import SchwimmbadMapper, is_mpi_pool
from epsie.pools.own.interruptible import InterruptiblePool
from epsie.pools.pool import Function
from epsie.pools.ranks.mpi import MPIPool


class SerialMapper(Mapper):
    """No pool: one task after the other, in this process."""

    in_process = True

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
"""What a pool is recognised by, and how it is used then; the first that fits."""
