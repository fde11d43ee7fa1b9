"""Any pool that a user has, as one ordered and eager map."""

from __future__ import annotations

import concurrent.futures
import multiprocessing.pool
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from epsie.checks import as_count
from epsie.errors import PoolError
from epsie.pools.interruptible import Function, InterruptiblePool


class Mapper(ABC):
    """An ordered, eager map over a pool.

    Parameters
    ----------
    pool : object
        The user's pool.
    """

    in_process = False
    """Whether the tasks run in this process and share its memory."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    @abstractmethod
    def __call__(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""

    def close(self) -> None:
        """Close the pool, if it is not the user's to close."""


class SerialMapper(Mapper):
    """No pool: one task after the other, in this process."""

    in_process = True

    def __call__(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        return list(map(function, tasks))


class ExecutorMapper(Mapper):
    """An executor of `concurrent.futures`, or one with its interface."""

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self.in_process = isinstance(pool, concurrent.futures.ThreadPoolExecutor)

    def __call__(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        futures: list[Any] = []
        try:
            futures.extend(self.pool.submit(function, task) for task in tasks)
            return [future.result() for future in futures]
        except concurrent.futures.BrokenExecutor as error:
            raise PoolError(
                f"a worker of the {type(self.pool).__name__} died. Give the sampler a new executor"
            ) from error
        except BaseException:
            for future in futures:
                future.cancel()
            raise


class AsyncMapper(Mapper):
    """A `multiprocessing.Pool`, or one with its interface.

    Such a pool replaces a worker that died but forgets its task, and would wait for ever.
    """

    interval = 0.1
    """Seconds between looks at the workers."""

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self.in_process = isinstance(pool, multiprocessing.pool.ThreadPool)

    def __call__(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        before = self._workers()
        results = [self.pool.apply_async(function, (task,)) for task in tasks]
        return [self._waited_for(result, before) for result in results]

    def _waited_for(self, result: Any, before: set[Any]) -> Any:
        while not result.ready():
            result.wait(self.interval)
            if before - self._workers() and not self._recycles:
                # The last results may just be on their way.
                result.wait(10 * self.interval)
                if not result.ready():
                    raise PoolError(
                        f"a worker of the {type(self.pool).__name__} died, and what it did is "
                        "lost. The pool cannot be relied on any more: give the sampler a new one"
                    )
        return result.get()

    @property
    def _recycles(self) -> bool:
        return getattr(self.pool, "_maxtasksperchild", None) is not None

    def _workers(self) -> set[Any]:
        workers = getattr(self.pool, "_pool", None) or []
        return {worker for worker in workers if getattr(worker, "exitcode", None) is None}


class PlainMapper(Mapper):
    """Anything else that has a `map`."""

    def __call__(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        results = self.pool.map(function, tasks)
        if hasattr(results, "get") and hasattr(results, "ready"):
            results = results.get()
        return [r.result() if hasattr(r, "result") and hasattr(r, "done") else r for r in results]


class OwnMapper(PlainMapper):
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
        return SerialMapper(None) if processes == 1 else OwnMapper(InterruptiblePool(processes))
    if isinstance(pool, InterruptiblePool):
        return PlainMapper(pool)
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
