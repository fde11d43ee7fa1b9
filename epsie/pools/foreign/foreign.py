"""Pools of Python's standard library, and all that have their interface."""

from __future__ import annotations

import atexit
import concurrent.futures
import inspect
import multiprocessing.pool
import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from epsie.errors import PoolError
from epsie.pools.base import Function, Mapper
from epsie.pools.foreign.interrupts import deaf_to_interrupts, interrupted_in_tasks_only
from epsie.pools.foreign.scripts import guard_advice


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

    @property
    def workers(self) -> int | None:
        """The number of workers, if they are processes of this host."""
        size = None if self.in_process else getattr(self.pool, "_max_workers", None)
        return size if isinstance(size, int) else None

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        futures: list[Any] = []
        try:
            futures.extend(self.submit(function, task) for task in tasks)
            return [self.result(future) for future in futures]
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
        if hasattr(self.pool, "_processes"):
            function = partial(interrupted_in_tasks_only, os.getpid(), function)
        return self.pool.submit(function, task)

    def result(self, future: Any) -> Any:
        """The result of a future."""
        return resolved(future)


class AsyncMapper(Mapper):
    """A `multiprocessing.Pool`, or one with its interface.

    Such a pool replaces a worker that died but forgets its task, and would wait for ever.
    """

    interval = 0.1
    """Seconds between looks at the workers."""
    grace = 1.0
    """Seconds that a result has to come in after a worker died."""
    patience = 3.0
    """Seconds that a task lies ready, and who has the lock of the queue does not take it."""

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self.in_process = isinstance(pool, multiprocessing.pool.ThreadPool)
        self._replaces = getattr(pool, "_maxtasksperchild", None) is not None
        if self._replaces:
            # Workers may live shorter, and one that was never seen is not missed.
            self.interval = 0.002
        self._known = self._workers()

    @property
    def workers(self) -> int | None:
        """The number of workers, if they are processes."""
        return None if self.in_process else len(self._workers()) or None

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        if self._lost_a_worker():
            # An idle worker dies with the lock of the queue that all others wait for.
            self._refuse()
        if not self.in_process:
            function = partial(deaf_to_interrupts, os.getpid(), function)
        results = [self.pool.apply_async(function, (task,)) for task in tasks]
        return [self._waited_for(result) for result in results]

    def _waited_for(self, result: Any) -> Any:
        held_up = 0.0
        while not result.ready():
            result.wait(self.interval)
            # By looks and not by the clock, which goes on while all processes are stopped.
            held_up = held_up + self.interval if self._is_held_up() else 0.0
            if self._lost_a_worker() or held_up > self.patience:
                # The last results may just be on their way.
                result.wait(self.grace)
                if not result.ready():
                    self._refuse()
        return resolved(result)

    def _lost_a_worker(self) -> bool:
        present = self._workers()
        gone = self._known - present
        if not self._replaces:
            return bool(gone)
        # One that has done all its tasks ends with code 0.
        self._known = present | {worker for worker in gone if worker.exitcode}
        return bool(self._known - present)

    def _is_held_up(self) -> bool:
        """Whether a task lies ready while the lock to take it is held.

        For moments by one who is alive: for longer by one who died as it waited for tasks.
        """
        with suppress(AttributeError, ValueError, OSError):
            tasks = self.pool._inqueue
            if tasks._reader.poll():
                if not tasks._rlock.acquire(False):
                    return True
                tasks._rlock.release()
        return False

    def _refuse(self) -> None:
        with suppress(AttributeError):
            self._end()
        raise PoolError(
            f"a worker of the {type(self.pool).__name__} died, and what it did is lost. The pool "
            "was ended, as its queues may be locked for good: give the sampler a new one"
            + guard_advice(self.pool)
        )

    def _end(self) -> None:
        """End the pool by force.

        Its own `terminate` would wait for locks with which a worker died, and for the rest of what
        one read or wrote as it died. It has nothing to do afterwards.
        """
        pool, over = self.pool, multiprocessing.pool.TERMINATE
        threads = pool._worker_handler, pool._task_handler, pool._result_handler
        pool._terminate.cancel()
        for each in (pool, *threads):
            each._state = over
        pool._change_notifier.put(None)
        pool._worker_handler.join()
        for worker in pool._pool:
            worker.kill()
        for worker in pool._pool:
            worker.join()
        # Those that wait to write tasks, for tasks, and to read results.
        pool._inqueue._reader.close()
        pool._taskqueue.put(None)
        pool._outqueue._writer.close()

    def _workers(self) -> set[Any]:
        """The workers that are not known to have ended."""
        workers = getattr(self.pool, "_pool", None) or []
        keeper = getattr(self.pool, "_worker_handler", None)
        with suppress(TypeError):
            if keeper is not None and keeper.is_alive():
                # It takes out who has ended. The exit code can be read once: not beside it.
                return set(workers)
            return {worker for worker in list(workers) if getattr(worker, "exitcode", None) is None}
        return set()


def collected(given: Any) -> list[Any]:
    """The results that a `map` gave: as an iterable, a future or an AsyncResult of one, or of such.

    Raises
    ------
    PoolError
        If it is nothing of this, or has to be awaited.
    """
    given = resolved(given)
    if not isinstance(given, Iterable) or isinstance(given, str | bytes):
        raise PoolError(
            f"the pool's map gave {given!r} of type {type(given).__name__}; it must give the "
            "results, as a list, an iterator, futures or an AsyncResult"
        )
    return [resolved(item) for item in given]


def resolved(value: Any) -> Any:
    """The result of a future or of an AsyncResult; anything else as it is.

    Raises
    ------
    PoolError
        If it has to be awaited.
    """
    if _has(value, "get", "ready"):
        value = value.get()
    elif _has(value, "result", "done"):
        value = value.result()
    if inspect.iscoroutine(value):
        value.close()
    if inspect.isawaitable(value) or hasattr(value, "__aiter__"):
        raise PoolError(
            f"the pool is asynchronous: it gave a {type(value).__name__}, which has to be awaited. "
            "Give the sampler a pool whose map returns results, or futures with a result()"
        )
    return value


def _has(value: Any, *methods: str) -> bool:
    return all(callable(getattr(value, name, None)) for name in methods)


def is_mpi_pool(pool: Any) -> bool:
    """Whether it is schwimmbad's `MPIPool`."""
    module = sys.modules.get("schwimmbad.mpi")
    return module is not None and isinstance(pool, module.MPIPool)


class SchwimmbadMapper(PlainMapper):
    """schwimmbad's `MPIPool`.

    When it is closed it tells its workers to quit, and does so again at the end of the process.
    They are gone then, which MPICH takes as an error: good jobs end with code 9. So it is to close
    once.

    A worker whose result nobody takes waits for ever. So if a call is given up all ranks are
    aborted at the end of the process.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        close = pool.close

        def close_once() -> None:
            close()
            pool.workers = set()

        pool.close = close_once

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        if not self.pool.workers:
            raise PoolError("the MPIPool is closed, and its workers have ended")
        try:
            return super().results(function, tasks)
        except BaseException:
            atexit.register(_abort, self.pool.comm)
            raise


def _abort(comm: Any) -> None:
    """End all ranks, once what was written has left: mpiexec may drop what is on its way."""
    sys.stdout.flush()
    sys.stderr.flush()
    time.sleep(_ON_ITS_WAY)
    comm.Abort(1)


_ON_ITS_WAY = 0.5
"""Seconds for mpiexec to pass on the traceback."""
