"""Rows of numbers that grow: shared with copies but for the last few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np

from epsie.proposals.learned.mixture import Array

_BLOCK = 128


class Rows:
    """A table to which rows are appended. What is full is an array that is never written again.

    Parameters
    ----------
    width : int
        The number of columns.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._full: tuple[Array, ...] = ()
        self._last: list[tuple[float, ...]] = []

    def append(self, row: tuple[float, ...]) -> None:
        """Append a row."""
        last = self._last
        last.append(row)
        if len(last) == _BLOCK:
            self._full = (*self._full, np.array(last, dtype=float))
            self._last = []

    def extend(self, rows: Array) -> None:
        """Append many."""
        self._full, self._last = (*self._full, self._flushed(), rows), []

    def array(self) -> Array:
        """All rows. Shape (n, width)."""
        return np.concatenate([*self._full, self._flushed()])

    def _flushed(self) -> Array:
        return np.array(self._last, dtype=float).reshape(-1, self.width)

    def keep(self, which: Callable[[Array], Array]) -> None:
        """Keep the rows that a function makes of all."""
        self.set(which(self.array()))

    def set(self, rows: Array) -> None:
        """Hold these rows."""
        self._full, self._last = ((rows,) if len(rows) else ()), []

    def copied(self) -> Self:
        """An independent copy."""
        twin = type(self)(self.width)
        twin._full, twin._last = self._full, self._last.copy()
        return twin


def rows_from(array: Array) -> Rows:
    """Rows that begin with these."""
    rows = Rows(array.shape[1])
    rows.set(array)
    return rows
