"""Any pool that a user has, as one ordered and eager map."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from epsie.checks import as_count
from epsie.pools.base import Mapper
from epsie.pools.clusters import DaskMapper, EnginesMapper, is_dask, is_view
from epsie.pools.foreign import AsyncMapper, ExecutorMapper, PlainMapper
from epsie.pools.interruptible import Function, InterruptiblePool


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
    """Our own pool: it takes tasks one by one."""

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
    if pool is None:
        return SerialMapper(pool)
    if isinstance(pool, int) and not isinstance(pool, bool):
        processes = as_count(pool, "pool, a number of processes,")
        return SerialMapper(None) if processes == 1 else ClosingMapper(InterruptiblePool(processes))
    if isinstance(pool, InterruptiblePool):
        return OwnMapper(pool)
    if isinstance(pool, type):
        raise TypeError(f"pool must be a pool, not the class {pool.__name__}: make one of it")
    if is_view(pool):
        return EnginesMapper(pool)
    if is_dask(pool):
        return DaskMapper(pool)
    if callable(getattr(pool, "submit", None)):
        return ExecutorMapper(pool)
    if callable(getattr(pool, "apply_async", None)):
        return AsyncMapper(pool)
    if callable(getattr(pool, "map", None)):
        return PlainMapper(pool)
    raise TypeError(
        f"pool must be None, a number of processes, or an object with a method `map`; got {pool!r} "
        f"of type {type(pool).__name__}"
    )
