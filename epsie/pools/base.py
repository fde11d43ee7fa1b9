"""The bases of all mappers, ordered and eager maps over a pool, and of our own pools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from epsie.errors import EpsieError, PoolError
from epsie.pools.foreign.scripts import refuse_early_start
from epsie.pools.transport import Ticket


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
        threads = getattr(pool, "threads_per_worker", 1)
        self.threads: int = threads if isinstance(threads, int) else 1
        """The number of threads that linear algebra may use in each worker."""

    @property
    def workers(self) -> int | None:
        """The number of workers, if they can be given several chains at once."""
        return None

    @property
    def shares(self) -> int | None:
        """The number of equal shares of all chains that keep everyone busy, if it is known."""
        return self.workers

    def __call__(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks.

        Raises
        ------
        PoolError
            If the pool fails, whatever it raises itself.
        """
        source = Tasks(tasks)
        try:
            return self.results(function, source)
        except EpsieError:
            raise
        except Exception as error:
            if error is source.error:
                raise
            refuse_early_start(error)
            name = type(self.pool).__name__
            raise PoolError(
                f"the {name} failed: {type(error).__name__}: {error}. If it is closed, or has lost "
                "its workers, set sampler.pool to another"
            ) from error

    @abstractmethod
    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks. What it raises blames the pool."""

    def deliver(self, ticket: Ticket) -> Ticket:
        """The ticket to try first with workers that could not read a model from its file.

        A pool that can address its workers takes it to each once. On others it travels with tasks.
        """
        deliver = getattr(self.pool, "deliver", None)
        return deliver(ticket) if callable(deliver) else ticket

    def close(self) -> None:
        """Close the pool, if it is not the user's to close."""


class Tasks:
    """Tasks that remember what went wrong while they were made.

    Parameters
    ----------
    tasks : iterable
        The tasks.
    """

    def __init__(self, tasks: Iterable[Any]) -> None:
        self._tasks = tasks
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._tasks
        except Exception as error:
            self.error = error
            raise


Function = Callable[[Any], Any]


class Pool(ABC):
    """Maps a function over items, and can be left with `with`.

    It answers what scripts written for schwimmbad's pools ask, too.
    """

    size: int
    """The number of workers."""

    @abstractmethod
    def map(self, function: Function, iterable: Iterable[Any]) -> list[Any]:
        """The results, in the order of the items."""

    def is_master(self) -> bool:
        """True: workers do not come to ask."""
        return True

    def wait(self) -> None:
        """Return at once: workers do not come here."""

    @abstractmethod
    def close(self) -> None:
        """Take no more work. Closing again does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
