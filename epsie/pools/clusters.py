"""Clusters that have a scheduler of their own: ipyparallel and Dask."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from epsie.pools.base import Mapper
from epsie.pools.collecting import resolved
from epsie.pools.foreign import ExecutorMapper
from epsie.pools.pool import Function
from epsie.transport import Ticket


class EnginesMapper(Mapper):
    """A view of ipyparallel, direct or load-balanced, blocking or not, or the executor of one.

    A direct view deals items out beforehand, and its executor gives each to all engines, so they
    are asked through a load-balanced one.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        given = getattr(pool, "view", pool)
        self._view = given.client.load_balanced_view(given.targets)

    @property
    def workers(self) -> int | None:
        """The number of engines, if they can be asked."""
        with suppress(Exception):
            return len(self._view.targets or self._view.client.ids) or None
        return None

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        given = [self._view.apply_async(function, task) for task in tasks]
        return [resolved(result) for result in given]

    def deliver(self, ticket: Ticket) -> Ticket:
        """Take a model to each engine once."""
        engines = self._view.client.direct_view(self._view.targets or "all")
        engines.apply_sync(accept, ticket)
        return ticket.without_body()


class DaskMapper(ExecutorMapper):
    """A `Client` of Dask."""

    @property
    def workers(self) -> int | None:
        """The number of threads of all workers, if they can be asked."""
        with suppress(Exception):
            return sum(self.pool.nthreads().values()) or None
        return None

    def submit(self, function: Function, task: Any) -> Any:
        """A future of one result."""
        return self.pool.submit(function, task, pure=False)

    def deliver(self, ticket: Ticket) -> Ticket:
        """Take a model to each worker once. One that joins later says that it lacks it."""
        self.pool.run(accept, ticket)
        return ticket.without_body()


def accept(ticket: Ticket) -> None:
    """Keep a model; in a worker."""
    ticket.redeem()


def is_view(pool: Any) -> bool:
    """Whether it is a view of ipyparallel, or the executor of one."""
    client = getattr(getattr(pool, "view", pool), "client", None)
    return callable(getattr(client, "load_balanced_view", None))


def is_dask(pool: Any) -> bool:
    """Whether it is a client of Dask."""
    return all(callable(getattr(pool, name, None)) for name in ("submit", "scatter", "run"))
