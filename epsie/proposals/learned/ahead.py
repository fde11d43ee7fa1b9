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
"""How many are drawn at once. Part of the format of a state, as those not yet used are in it."""


class Ahead:
    """Independent draws from a mixture, and its densities there, which are faster found together.

    Parameters
    ----------
    mixture : Mixture
        What is drawn from.
    transform : Transform
        The coordinates in which it is.
    """

    def __init__(self, mixture: Mixture, transform: Transform) -> None:
        self._mixture, self._transform = mixture, transform
        self._positions: list[Position | None] = []
        self._next = 0

    def next(self, stream: Stream) -> Spot | None:
        """The next draw; None if it is out of bounds."""
        if self._next == len(self._positions):
            drawn = self._mixture.draw(stream.generator, BLOCK)
            self._hold(self._transform.inverse_rows(drawn))
        i = self._next
        self._next = i + 1
        x = self._positions[i]
        if x is None:
            return None
        log_q, log_parts, distances = self._seen
        seen = Weighed(float(log_q[i]), log_parts[i], distances[i])
        return Spot(x, self._u[i], float(self._log_jacobians[i]), seen)

    def _hold(self, positions: list[Position | None]) -> None:
        self._positions, self._next = positions, 0
        rows = self.array()
        if len(rows):
            self._u, self._log_jacobians = self._transform.forward_rows(rows)
            self._seen = self._mixture.at_rows(self._u)

    def array(self) -> Array:
        """What is not used yet; NaN if it is out of bounds. Shape (n, d)."""
        nowhere = (nan,) * self._mixture.ndim
        rows = [nowhere if x is None else x for x in self._positions[self._next :]]
        return np.array(rows, dtype=float).reshape(-1, self._mixture.ndim)

    def restore(self, rows: Array) -> None:
        """Go on with what `array` gave."""
        self._hold([tuple(x) if x[0] == x[0] else None for x in rows.tolist()])

    def copied(self) -> Ahead:
        """An independent copy."""
        twin = Ahead(self._mixture, self._transform)
        twin.__dict__.update(self.__dict__)
        return twin
