"""Pools of Python's standard library, and all that have their interface."""

from __future__ import annotations

import concurrent.futures
import multiprocessing.pool
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from epsie.errors import PoolError
from epsie.pools.base import Mapper
from epsie.pools.collecting import collected, resolved
from epsie.pools.pool import Function
from epsie.pools.scripts import guard_advice


class PlainMapper(Mapper):
    """Anything that has a `map`."""

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        return collected(self.pool.map(function, list(tasks)))


class ExecutorMapper(Mapper):
    """An executor of `concurrent.futures`, or one with its interface."""

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self.in_process = isinstance(pool, concurrent.futures.ThreadPoolExecutor)

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        futures: list[Any] = []
        try:
            futures.extend(self.submit(function, task) for task in tasks)
            return [resolved(future) for future in futures]
        except concurrent.futures.BrokenExecutor as error:
            raise PoolError(
                f"a worker of the {type(self.pool).__name__} died. Give the sampler a new executor"
                + guard_advice(self.pool)
            ) from error
        finally:
            for future in futures:
                if not future.done():
                    future.cancel()

    def submit(self, function: Function, task: Any) -> Any:
        """A future of one result."""
        return self.pool.submit(function, task)


class AsyncMapper(Mapper):
    """A `multiprocessing.Pool`, or one with its interface.

    Such a pool replaces a worker that died but forgets its task, and would wait for ever.
    """

    interval = 0.1
    """Seconds between looks at the workers."""

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self.in_process = isinstance(pool, multiprocessing.pool.ThreadPool)
        self._known = self._workers()

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        if self._lost_a_worker():
            # An idle worker dies with the lock of the queue that all others wait for.
            self._refuse()
        results = [self.pool.apply_async(function, (task,)) for task in tasks]
        return [self._waited_for(result) for result in results]

    def _waited_for(self, result: Any) -> Any:
        while not result.ready():
            result.wait(self.interval)
            if self._lost_a_worker():
                # The last results may just be on their way.
                result.wait(10 * self.interval)
                if not result.ready():
                    self._refuse()
        return resolved(result)

    def _lost_a_worker(self) -> bool:
        if getattr(self.pool, "_maxtasksperchild", None) is not None:
            return False
        return bool(self._known - self._workers())

    def _refuse(self) -> None:
        # Else `terminate` would wait for ever for a lock that an idle worker died with.
        with suppress(AttributeError, ValueError):
            self.pool._inqueue._rlock.release()
        raise PoolError(
            f"a worker of the {type(self.pool).__name__} died, and what it did is lost. The pool "
            "cannot be relied on any more: end it with terminate(), and give the sampler a new one"
            + guard_advice(self.pool)
        )

    def _workers(self) -> set[Any]:
        workers = getattr(self.pool, "_pool", None) or []
        with suppress(TypeError):
            return {worker for worker in workers if getattr(worker, "exitcode", None) is None}
        return set()
