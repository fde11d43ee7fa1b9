"""Results of a foreign map, recognised by what they are."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from epsie.errors import PoolError


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
    """What is behind a future or an AsyncResult; anything else as it is.

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
