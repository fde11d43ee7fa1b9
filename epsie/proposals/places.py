"""Places in a position: where the values of some of its parameters are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import TypeAlias

from epsie.model.evaluation import Position

Picker: TypeAlias = Callable[[Position], Position]
"""Takes some values of a position."""


def picker(indices: Iterable[int]) -> Picker:
    """A function that takes some values of a position, as a tuple."""
    where = tuple(indices)
    first, stop = where[0], where[-1] + 1
    if where == tuple(range(first, stop)):
        return itemgetter(slice(first, stop))
    return itemgetter(*where)
