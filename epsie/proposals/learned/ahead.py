"""Draws from a mixture, made many at a time."""

from __future__ import annotations

from math import nan

import numpy as np

from epsie.model.evaluation import Position
from epsie.proposals.learned.mixture import Array, Mixture, Weighed
from epsie.proposals.learned.spot import Spot
from epsie.proposals.learned.transform import Transform
from epsie.rng.stream import Stream

BLOCK = 128
"""The number of draws at once. Part of the format of a state, as those not yet used are in it."""


class Ahead:
    """Independent draws from a mixture, and its densities there, which are faster found together.

    Parameters
    ----------
    mixture : Mixture
        What is drawn from.
    transform : Transform
        The coordinates in which it is.
    """

    _next: int

    def __init__(self, mixture: Mixture, transform: Transform) -> None:
        self._mixture, self._transform = mixture, transform
        self._hold(np.empty((0, mixture.ndim)))

    def next(self, stream: Stream) -> Spot | None:
        """The next draw; None if it is out of bounds."""
        if self._next == len(self._rows):
            drawn = self._mixture.draw(stream.generator, BLOCK)
            nowhere = (nan,) * self._mixture.ndim
            positions = self._transform.inverse_rows(drawn)
            self._hold(np.array([nowhere if x is None else x for x in positions]))
        if not self._positions:
            self._weigh()
        i = self._next
        self._next = i + 1
        x = self._positions[i]
        if x is None:
            return None
        log_q, log_parts, distances = self._seen
        seen = Weighed(float(log_q[i]), log_parts[i], distances[i])
        return Spot(x, self._u[i], float(self._log_jacobians[i]), seen)

    def _hold(self, rows: Array) -> None:
        self._rows, self._next = rows, 0
        self._positions: list[Position | None] = []

    def _weigh(self) -> None:
        """Find the densities; not before they are asked for, as copies may never be."""
        self._positions = [tuple(x) if x[0] == x[0] else None for x in self._rows.tolist()]
        self._u, self._log_jacobians = self._transform.forward_rows(self._rows)
        self._seen = self._mixture.at_rows(self._u)

    def array(self) -> Array:
        """The draws that are not used yet; NaN if out of bounds. Shape (n, d)."""
        return self._rows[self._next :].copy()

    def restore(self, rows: Array) -> None:
        """Go on with what `array` gave."""
        self._hold(rows)

    def copied(self) -> Ahead:
        """An independent copy."""
        twin = Ahead(self._mixture, self._transform)
        twin.__dict__.update(self.__dict__)
        return twin
