"""The swaps between temperatures since the last clear."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from epsie.tempering.sweeps import Sweep

SwapRows = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Orders, shape (nsweeps, ntemps), and ratios, shape (nsweeps, ntemps - 1)."""

_BLOCK = 256
"""Sweeps that are kept aside until they go to the arrays together."""

_GROWTH = 1.25


class SwapHistory:
    """The history of sweeps: where the points of every temperature came from, and the ratios.

    Parameters
    ----------
    ntemps : int
        The number of temperatures.
    """

    latest: Sweep
    """The last sweep; there is none before the first."""

    def __init__(self, ntemps: int) -> None:
        self.ntemps = ntemps
        self.clear()

    def clear(self) -> None:
        """Forget all sweeps."""
        self._orders = np.empty((0, self.ntemps), dtype=np.int64)
        self._ratios = np.empty((0, self.ntemps - 1))
        self._filled = 0
        self._empty()

    def _empty(self) -> None:
        # Arrays of the standard library take a short list many times faster than numpy's do.
        self._new_orders = array("q")
        self._new_ratios = array("d")
        self._nnew = 0

    def append(self, sweep: Sweep) -> None:
        """Note a sweep."""
        if self._nnew >= _BLOCK:
            self._store()
        self._new_orders.fromlist(sweep.order)
        self._new_ratios.fromlist(sweep.ratios)
        self._nnew += 1
        self.latest = sweep

    def extend(self, rows: SwapRows) -> None:
        """Add what another history gave."""
        self._store()
        self._add(*rows)

    @property
    def orders(self) -> NDArray[np.int64]:
        """A read-only view of where points came from, shape (nsweeps, ntemps)."""
        view, _ = self.rows()
        view.flags.writeable = False
        return view

    @property
    def ratios(self) -> NDArray[np.float64]:
        """A read-only view of the acceptance ratios, shape (nsweeps, ntemps - 1)."""
        _, view = self.rows()
        view.flags.writeable = False
        return view

    def rows(self) -> SwapRows:
        """All sweeps, for another history to `extend` itself with."""
        self._store()
        return self._orders[: self._filled], self._ratios[: self._filled]

    def _store(self) -> None:
        if self._nnew:
            orders = np.frombuffer(self._new_orders, dtype=np.int64).reshape(-1, self.ntemps)
            ratios = np.frombuffer(self._new_ratios).reshape(-1, self.ntemps - 1)
            self._empty()
            self._add(orders, ratios)

    def _add(self, orders: NDArray[np.int64], ratios: NDArray[np.float64]) -> None:
        start, stop = self._filled, self._filled + len(orders)
        if stop > len(self._orders):
            room = max(stop, int(_GROWTH * len(self._orders)))
            self._orders = _lengthened(self._orders, start, room)
            self._ratios = _lengthened(self._ratios, start, room)
        self._orders[start:stop], self._ratios[start:stop] = orders, ratios
        self._filled = stop


def _lengthened(rows: NDArray, filled: int, room: int) -> NDArray:  # type: ignore[type-arg]
    longer = np.empty((room, rows.shape[1]), dtype=rows.dtype)
    longer[:filled] = rows[:filled]
    return longer
