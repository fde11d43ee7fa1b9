"""Draws from a mixture, made many at a time."""

from __future__ import annotations

import numpy as np

from epsie.proposals.learned.bend import Bend
from epsie.proposals.learned.mixture import Array, Mixture
from epsie.proposals.learned.spot import Spot
from epsie.rng.stream import Stream

BLOCK = 128
"""The number of draws at once. Part of the format of a state, as those not yet used are in it."""


class Ahead:
    """Independent draws from a mixture, and its densities there, which are faster found together.

    Parameters
    ----------
    mixture : Mixture
        What is drawn from.
    bend : Bend
        The coordinates in which it is.
    """

    _next: int
    _spots: list[Spot | None]

    def __init__(self, mixture: Mixture, bend: Bend) -> None:
        self._mixture, self._bend = mixture, bend
        self.restore(np.empty((0, mixture.ndim)))

    def next(self, stream: Stream) -> Spot | None:
        """The next draw; None if it is out of bounds."""
        i = self._next
        if i == len(self._spots):
            i = self._see(stream)
        self._next = i + 1
        return self._spots[i]

    def block(self, stream: Stream) -> Array:
        """A block of draws; NaN if out of bounds. Shape (`BLOCK`, d)."""
        return self._bend.inverse_rows(self._mixture.draw(stream.generator, BLOCK))

    def _see(self, stream: Stream) -> int:
        """Find the densities; not before they are asked for, as copies may never be."""
        if self._next == len(self._rows):
            self.restore(self.block(stream))
        u, log_jacobians = self._bend.forward_rows(self._rows)
        positions = map(tuple, self._rows.tolist())
        seen = self._mixture.at_each(u)
        spots = map(Spot, positions, u.tolist(), log_jacobians.tolist(), seen)
        self._spots = [spot if spot.x[0] == spot.x[0] else None for spot in spots]
        return self._next

    def array(self) -> Array:
        """The draws that are not used yet; NaN if out of bounds. Shape (n, d)."""
        return self._rows[self._next :].copy()

    def restore(self, rows: Array) -> None:
        """Go on with what `array` gave."""
        self._rows, self._next, self._spots = rows, 0, []

    def copied(self) -> Ahead:
        """An independent copy."""
        twin = Ahead(self._mixture, self._bend)
        twin.__dict__.update(self.__dict__)
        return twin
