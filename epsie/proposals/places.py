"""Places in a position: where the values of some of its parameters are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter

from epsie.model.evaluation import Position


def picker(indices: Iterable[int]) -> Callable[[Position], Position]:
    """A function that takes some values of a position, as a tuple."""
    where = tuple(indices)
    first, stop = where[0], where[-1] + 1
    if where == tuple(range(first, stop)):
        return itemgetter(slice(first, stop))
    return itemgetter(*where)


def embedded(
    values: Position, names: tuple[str, ...], x: Position, parameters: tuple[str, ...]
) -> Position:
    """The position `x` with other values of some of its parameters."""
    given = dict(zip(names, values, strict=True))
    return tuple([given.get(name, value) for name, value in zip(parameters, x, strict=True)])
