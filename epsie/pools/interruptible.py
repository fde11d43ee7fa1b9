"""A pool of worker processes that needs no guard in the script and stops at Ctrl-C."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from epsie.checks import as_count
from epsie.errors import PoolError

Function = Callable[[Any], Any]


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
        waiting = iter(iterable)
        tasks: list[Any] = []
        results: dict[int, Any] = {}
        for _ in range(self.attempts):
            try:
                self._work(function, tasks, waiting, results)
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

    def _work(
        self,
        function: Function,
        tasks: list[Any],
        waiting: Iterator[Any],
        results: dict[int, Any],
    ) -> None:
        """Do what has no result yet, then what is `waiting`, which becomes tasks as it goes."""
        executor = self._started()
        futures = {
            i: executor.submit(function, task) for i, task in enumerate(tasks) if i not in results
        }
        try:
            for task in waiting:
                tasks.append(task)
                futures[len(tasks) - 1] = executor.submit(function, task)
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
