"""Clusters that have a scheduler of their own: ipyparallel and Dask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from epsie.pools.base import Mapper
from epsie.pools.collecting import resolved
from epsie.pools.foreign import ExecutorMapper
from epsie.pools.interruptible import Function
from epsie.transport import Ticket


class EnginesMapper(Mapper):
    """A view of ipyparallel, direct or load-balanced, blocking or not.

    A direct view deals items out beforehand, so its engines are asked through a load-balanced one.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self._view = pool.client.load_balanced_view(pool.targets)

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        given = [self._view.apply_async(function, task) for task in tasks]
        return [resolved(result) for result in given]

    def deliver(self, ticket: Ticket) -> Ticket:
        """Take a model to each engine once."""
        engines = self.pool.client.direct_view(self.pool.targets or "all")
        engines.apply_sync(accept, ticket)
        return ticket.without_body()


class DaskMapper(ExecutorMapper):
    """A `Client` of Dask."""

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
    """Whether it is a view of ipyparallel."""
    return callable(getattr(getattr(pool, "client", None), "load_balanced_view", None))


def is_dask(pool: Any) -> bool:
    """Whether it is a client of Dask."""
    return all(callable(getattr(pool, name, None)) for name in ("submit", "scatter", "run"))
