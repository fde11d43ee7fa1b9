"""Clusters that have a scheduler of their own: ipyparallel and Dask."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import suppress
from threading import Thread
from time import monotonic
from typing import Any

from epsie.errors import PoolError
from epsie.pools.base import Function, Mapper
from epsie.pools.foreign.foreign import ExecutorMapper, resolved
from epsie.pools.transport import Ticket


class EnginesMapper(Mapper):
    """A view of ipyparallel, direct or load-balanced, blocking or not, or the executor of one.

    A direct view deals items out beforehand, and its executor gives each to all engines, so they
    are asked through a load-balanced one.
    """

    interval = 1.0
    """Seconds between looks at the engines."""
    patience = 60.0
    """Seconds that the controller has to answer."""

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        given = getattr(pool, "view", pool)
        self._client, targets = given.client, given.targets
        self._targets = [targets] if isinstance(targets, int) else targets
        self._question: Thread | None = None
        self._asked = 0.0

    @property
    def workers(self) -> int | None:
        """The number of engines, if they can be asked."""
        with suppress(Exception):
            return len(self._engines()) or None
        return None

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        self._check_engines()
        view = self._client.load_balanced_view(None if self._takes_all() else self._engines())
        given = [view.apply_async(function, task) for task in tasks]
        results = []
        for i, result in enumerate(given):
            while not result.ready():
                result.wait(self.interval)
                if not result.ready():
                    self._check(given[i:])
            results.append(resolved(result))
        return results

    def _check(self, waiting: list[Any]) -> None:
        """Fail if one of those that are waited for will not come."""
        for result in waiting:
            if result.ready():
                # What an engine had that died is an error, in whatever order.
                resolved(result)
        self._check_engines()
        self._check_controller()

    def _check_engines(self) -> None:
        """Fail if none is left: what none has taken yet would wait for ever."""
        if not self._engines():
            raise PoolError(
                f"no engine of the {type(self.pool).__name__} is left. Start new ones, and set "
                "sampler.pool to a new view of them"
            )

    def _engines(self) -> list[int]:
        """Those of the view that are alive."""
        if self._takes_all():
            return list(self._client.ids)
        return [engine for engine in self._targets if engine in self._client.ids]

    def _takes_all(self) -> bool:
        return self._targets in (None, "all")

    def _check_controller(self) -> None:
        """Ask it now and then; fail if it does not answer, as all would wait for ever."""
        waited = monotonic() - self._asked
        if self._question is not None and self._question.is_alive():
            if waited > self.patience:
                raise PoolError(
                    f"the controller of the engines has not answered for {waited:.0f} s. Start a "
                    "new cluster, and set sampler.pool to a view of it"
                )
        elif waited > self.patience / 6:
            self._question = Thread(target=_ask, args=(self._client,), daemon=True)
            self._asked = monotonic()
            self._question.start()

    def deliver(self, ticket: Ticket) -> Ticket:
        """Take a model to each engine once."""
        self._client.direct_view(self._engines()).apply_sync(Ticket.is_redeemed, ticket)
        return ticket.without_body()


class DaskMapper(ExecutorMapper):
    """A `Client` of Dask."""

    interval = 10.0
    """Seconds between looks at the workers."""

    @property
    def workers(self) -> int | None:
        """The number of threads of all workers, if they can be asked."""
        with suppress(Exception):
            return sum(self.pool.nthreads().values()) or None
        return None

    def submit(self, function: Function, task: Any) -> Any:
        """A future of one result."""
        return self.pool.submit(function, task, pure=False)

    def result(self, future: Any) -> Any:
        """The result of a future. Without any worker it comes when there is one, as on any Dask.

        Warns
        -----
        RuntimeWarning
            If there is none.
        """
        while not future.done():
            with suppress(TimeoutError):
                return resolved(future.result(timeout=self.interval))
            if self.workers is None:
                warnings.warn(_NO_WORKERS, RuntimeWarning, stacklevel=2)
        return resolved(future)

    def deliver(self, ticket: Ticket) -> Ticket:
        """Take a model to each worker once. One that joins later says that it lacks it."""
        self.pool.run(Ticket.is_redeemed, ticket, on_error="ignore")
        return ticket.without_body()


_NO_WORKERS = (
    "the Dask cluster has no workers, and the run waits for some: start them, as with "
    "cluster.scale(n). Set distributed.scheduler.no-workers-timeout for an error instead"
)


def _ask(client: Any) -> None:
    """Come back when the controller has answered anything."""
    with suppress(Exception):
        client.queue_status()


def is_view(pool: Any) -> bool:
    """Whether it is a view of ipyparallel, or the executor of one."""
    client = getattr(getattr(pool, "view", pool), "client", None)
    return callable(getattr(client, "load_balanced_view", None))


def is_dask(pool: Any) -> bool:
    """Whether it is a client of Dask."""
    return all(callable(getattr(pool, name, None)) for name in ("submit", "scatter", "run"))
