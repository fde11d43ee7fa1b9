"""Pools: any that a user has, as one ordered and eager map."""

from __future__ import annotations

import concurrent.futures
import multiprocessing.pool
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from epsie.checks import as_count
from epsie.errors import PoolError

Function = Callable[[Any], Any]


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
    def __call__(self, function: Function, tasks: Sequence[Any]) -> list[Any]:
        """The results, in the order of the tasks."""

    def close(self) -> None:
        """Close the pool, if it is not the user's to close."""


class SerialMapper(Mapper):
    """No pool: one task after the other, in this process."""

    in_process = True

    def __call__(self, function: Function, tasks: Sequence[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        return list(map(function, tasks))


class ExecutorMapper(Mapper):
    """An executor of `concurrent.futures`, or one with its interface."""

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self.in_process = isinstance(pool, concurrent.futures.ThreadPoolExecutor)

    def __call__(self, function: Function, tasks: Sequence[Any]) -> list[Any]:
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

    def __call__(self, function: Function, tasks: Sequence[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        before = self._workers()
        result = self.pool.map_async(function, tasks, chunksize=1)
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
        return list(result.get())

    @property
    def _recycles(self) -> bool:
        return getattr(self.pool, "_maxtasksperchild", None) is not None

    def _workers(self) -> set[Any]:
        workers = getattr(self.pool, "_pool", None) or []
        return {worker for worker in workers if getattr(worker, "exitcode", None) is None}


class PlainMapper(Mapper):
    """Anything else that has a `map`."""

    def __call__(self, function: Function, tasks: Sequence[Any]) -> list[Any]:
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


class InterruptiblePool:
    """A pool of worker processes that needs no guard in the script and stops at Ctrl-C.

    Its workers are fresh interpreters that do not import the main script. A worker that dies is
    replaced, and what it had not finished is done again. Linear algebra has one thread in each.

    Parameters
    ----------
    processes : int, optional
        The number of workers; by default one for each core that this process may use.
    """

    attempts = 3
    """How often a task is given to a worker before it is held to be what kills them."""

    def __init__(self, processes: int | None = None) -> None:
        if processes is None:
            processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
            processes = processes or os.cpu_count() or 1
        self.size = as_count(processes, "processes")
        self._executor: Any = None
        self._closed = False

    def __repr__(self) -> str:
        return f"InterruptiblePool({self.size})"

    def map(self, function: Function, iterable: Iterable[Any]) -> list[Any]:
        """The results, in the order of the items.

        Raises
        ------
        PoolError
            If the pool is closed, or workers died repeatedly.
        """
        tasks = list(iterable)
        results: dict[int, Any] = {}
        for _ in range(self.attempts):
            try:
                self._work(function, tasks, results)
            except concurrent.futures.BrokenExecutor:
                self._stop()
            except BaseException:
                self._stop()
                raise
            else:
                return [results[i] for i in range(len(tasks))]
        lost = [i for i in range(len(tasks)) if i not in results]
        raise PoolError(
            f"workers died {self.attempts} times, each time without a result for item(s) "
            f"{', '.join(map(str, lost))} of {len(tasks)}: killed for want of memory, or by a "
            "fault in compiled code of the model"
        )

    def _work(self, function: Function, tasks: list[Any], results: dict[int, Any]) -> None:
        executor = self._started()
        futures = {
            i: executor.submit(function, task) for i, task in enumerate(tasks) if i not in results
        }
        try:
            for i, future in futures.items():
                results[i] = future.result()
        except concurrent.futures.BrokenExecutor:
            for i, future in futures.items():
                if future.done() and future.exception() is None:
                    results[i] = future.result()
            raise

    def _started(self) -> Any:
        if self._closed:
            raise PoolError("this pool is closed; make a new one")
        if self._executor is None:
            from loky.process_executor import ProcessPoolExecutor

            self._executor = ProcessPoolExecutor(
                self.size, initializer=_begin_worker, initargs=(os.getpid(),), env=_ONE_THREAD
            )
        return self._executor

    def _stop(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True, kill_workers=True)

    def close(self) -> None:
        """End the workers. Closing again does nothing."""
        self._closed = True
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def _begin_worker(parent: int) -> None:
    """Leave Ctrl-C to the parent, which ends its workers; end if the parent was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when it is an orphan. It would wait for work for ever."""
    while os.getppid() == parent:
        time.sleep(_PARENT_INTERVAL)
    os._exit(1)


_PARENT_INTERVAL = 0.5
"""Seconds between looks at the parent."""


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
    if callable(getattr(pool, "map_async", None)):
        return AsyncMapper(pool)
    if callable(getattr(pool, "map", None)):
        return PlainMapper(pool)
    raise TypeError(
        f"pool must be None, a number of processes, or an object with a method `map`; got {pool!r} "
        f"of type {type(pool).__name__}"
    )
