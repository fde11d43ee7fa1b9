"""The base of our own pools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
