"""A pool of worker processes that needs no guard in the script and stops at Ctrl-C."""

from __future__ import annotations

import os
import pickle
import selectors
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from epsie.checks import as_count
from epsie.errors import PoolError, WorkersDied
from epsie.pools.base import Function, Pool
from epsie.pools.own.process import Process, Silence
from epsie.pools.transport import pickled


class InterruptiblePool(Pool):
    """A pool of worker processes that needs no guard in the script and stops at Ctrl-C.

    Its workers are fresh interpreters that do not import the main script. They start when there is
    work, and get one item at a time. A worker that dies is replaced, and what it had is done again.
    They end with the process that made them, whatever ends it.

    Parameters
    ----------
    processes : int, optional
        The number of workers; by default one for each core that this process may use.
    threads_per_worker : int, optional
        How many threads linear algebra (BLAS, OpenMP) may use in each. The last bits of results can
        depend on it; a pool of one process with as many threads gives the same.

    Raises
    ------
    ValueError
        If one of them is less than 1.
    """

    attempts = 3
    """The number of times an item is given to a worker before it is held to be what kills them."""

    def __init__(self, processes: int | None = None, threads_per_worker: int = 1) -> None:
        self.size = as_count(_cores() if processes is None else processes, "processes")
        self.threads_per_worker = as_count(threads_per_worker, "threads_per_worker")
        self._workers: set[Process] = set()
        self._lock = threading.RLock()
        self._closed = False
        weakref.finalize(self, _end, self._workers)
        _pools.add(self)

    def __repr__(self) -> str:
        return f"InterruptiblePool({self.size})"

    def map(self, function: Function, iterable: Iterable[Any]) -> list[Any]:
        """The results, in the order of the items.

        Raises
        ------
        PoolError
            If the pool is closed, or workers died repeatedly.
        Exception
            The first that the function raised.
        """
        with self._lock:
            if self._closed:
                raise PoolError("this pool is closed; make a new one")
            dealing = Dealing(self, function, iterable)
            try:
                return dealing.results()
            finally:
                # Of those that still work nobody wants the result.
                for worker in dealing.busy:
                    self.discard(worker)

    def idle_worker(self, busy: dict[Process, Any]) -> Process | None:
        """One that is not busy, a new one if there are too few; None if all are busy."""
        for worker in self._workers - busy.keys():
            if not worker.owes:
                return worker
            # A call that was given up could not say so: what it brings is of no use.
            self.discard(worker)
        if len(self._workers) == self.size:
            return None
        worker = Process(self.threads_per_worker)
        self._workers.add(worker)
        return worker

    def discard(self, worker: Process) -> str:
        """End a worker; what it ended with, in words."""
        self._workers.discard(worker)
        return worker.killed()

    def close(self) -> None:
        """End the workers. Closing again does nothing."""
        with self._lock:
            self._closed = True
            _end(self._workers)

    def _begin_fork(self) -> None:
        """In a forked process: the workers are the parent's."""
        for worker in self._workers:
            worker.abandon()
        self._workers.clear()
        self._lock = threading.RLock()


@dataclass(slots=True)
class Item:
    """One thing to do, pickled, and how often a worker died of it."""

    index: int
    body: bytes
    name: str
    deaths: int = 0


class Dealing:
    """One call of `map`: deals items to workers, one each, and again if a worker dies.

    Parameters
    ----------
    pool : InterruptiblePool
        Whose workers.
    function : callable
        What they do.
    iterable : iterable
        With what. It is asked for the next item when there is nothing else to do, so that for each
        worker one lies ready when it becomes free.
    """

    def __init__(
        self, pool: InterruptiblePool, function: Function, iterable: Iterable[Any]
    ) -> None:
        self.pool = pool
        self.busy: dict[Process, Item] = {}
        self._function = pickled(function, "the function")
        self._fresh = self._items(iterable)
        self._ready: deque[Item] = deque()
        self._results: dict[int, Any] = {}
        self._selector = selectors.DefaultSelector()
        self._silence = Silence()

    def _items(self, iterable: Iterable[Any]) -> Iterator[Item]:
        for index, item in enumerate(iterable):
            name = getattr(item, "name", f"item {index}")
            yield Item(index, pickled(item, "an item"), name)

    def results(self) -> list[Any]:
        """The results of the function, in order."""
        with self._selector:
            while self._make_ready():
                pass
            self._deal()
            while self.busy:
                heard = self._selector.select(0)
                if not heard and not self._make_ready():
                    heard = self._selector.select(self._silence.room)
                self._look()
                bodies = [self._heard(key.fileobj) for key, _ in heard]
                self._deal()
                for index, body in filter(None, bodies):
                    self._keep(index, body)
        return [self._results[i] for i in range(len(self._results))]

    def _look(self) -> None:
        self._silence.look(self.busy)

    def _make_ready(self) -> bool:
        """Pack a further item; whether there was one, and not one for each worker already."""
        item = next(self._fresh, None) if len(self._ready) < self.pool.size else None
        if item is not None:
            self._ready.append(item)
        return item is not None

    def _deal(self) -> None:
        """Give what is to be done to those who have nothing to do."""
        while (self._ready or self._make_ready()) and (worker := self.pool.idle_worker(self.busy)):
            self.busy[worker] = item = self._ready.popleft()
            self._selector.register(worker, selectors.EVENT_READ)
            try:
                worker.give(self._function, item.body, self._look)
            except EOFError:
                self._died(worker)

    def _heard(self, worker: Any) -> tuple[int, bytearray] | None:
        """The index of a worker's item and the reply to it; None if the worker came up or died."""
        try:
            body = worker.receive()
        except EOFError:
            self._died(worker)
            return None
        if not body:
            return None
        self._selector.unregister(worker)
        return self.busy.pop(worker).index, body

    def _keep(self, index: int, body: bytearray) -> None:
        result, trace = pickle.loads(body)
        if trace is not None:
            result.add_note(f"\nIn a worker:\n\n{trace}")
            raise result
        self._results[index] = result

    def _died(self, worker: Process) -> None:
        """Do again what it had to do; not for ever."""
        self._selector.unregister(worker)
        item = self.busy.pop(worker)
        end = self.pool.discard(worker)
        item.deaths += 1
        if item.deaths < self.pool.attempts:
            self._ready.append(item)
            return
        if not worker.ready:
            raise PoolError(f"{item.deaths} workers ended as they started, the last with {end}")
        raise WorkersDied(
            f"{item.deaths} workers died one after the other while they worked on {item.name}, the "
            f"last with {end}: killed for want of memory, or by a fault in compiled code that it "
            "calls"
        )


def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1


def _end(workers: set[Process]) -> None:
    for worker in workers:
        worker.dismiss()
    for worker in workers:
        worker.await_end()
    workers.clear()


_pools: weakref.WeakSet[InterruptiblePool] = weakref.WeakSet()


def _begin_fork() -> None:
    for pool in list(_pools):
        pool._begin_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_fork)
