"""Positions of chains, as they are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.plain import counted, rows_of
from epsie.proposals.learned.transform import Transform

_BLOCKS = 8
"""Stretches of time, every other of which is held out in a fit."""


class History(NamedTuple):
    """Positions of one chain at one temperature.

    Parameters
    ----------
    iterations : array
        When it was there. Shape (n,).
    rows : array
        Where it was. Shape (n, d).
    log_densities : array or None
        The log density of its target there; None if that of these parameters alone is not known.
    """

    iterations: Array
    rows: Array
    log_densities: Array | None

    @classmethod
    def of(cls, rows: Array, log_densities: Array | None) -> Self:
        """Positions that are later than any iteration, as of a population."""
        # In one order in memory, also after a resume, as rounding depends on it.
        return cls(np.full(len(rows), np.inf), np.ascontiguousarray(rows), log_densities)

    def taken(self, chosen: Any) -> History:
        """Some of its positions, or all in another order."""
        logs = None if self.log_densities is None else self.log_densities[chosen]
        return History(self.iterations[chosen], self.rows[chosen], logs)

    def plain(self) -> dict[str, Any]:
        """The positions as plain data, without iterations."""
        logs = self.log_densities
        known = np.full(len(self.rows), np.nan) if logs is None else logs
        return counted(np.column_stack([known, self.rows]))

    @classmethod
    def from_plain(cls, plain: Any, ndim: int) -> Self:
        """Positions later than any iteration, from what `plain` gave."""
        table = rows_of({"population": plain}, "population", 1 + ndim, finite=False)
        known = bool(np.isfinite(table[:, 0]).all())
        return cls.of(table[:, 1:].copy(), table[:, 0].copy() if known else None)

    def since(self, iteration: float) -> History:
        """The part of it that is later than an iteration."""
        later = self.iterations > iteration
        logs = self.log_densities
        return History(
            self.iterations[later], self.rows[later], None if logs is None else logs[later]
        )


class Sample(NamedTuple):
    """Positions of some chains in the coordinates of a transform.

    Parameters
    ----------
    u : array
        Coordinates. Shape (n, d).
    log_densities : array or None
        The log density of the target in these coordinates, up to a constant.
    held_out : array of bool
        What is held out in a fit: every other stretch of time.
    """

    u: Array
    log_densities: Array | None
    held_out: NDArray[np.bool_]


def sample(histories: Sequence[History], transform: Transform) -> Sample:
    """All of some histories, one chain after the other."""
    u, log_jacobians = transform.forward_rows(np.concatenate([h.rows for h in histories]))
    logs = [h.log_densities for h in histories if h.log_densities is not None]
    held_out = []
    for history in histories:
        places = np.arange(len(history.rows)) * _BLOCKS // max(len(history.rows), 1)
        held_out.append(places % 2 == 1)
    log_densities = np.concatenate(logs) + log_jacobians if len(logs) == len(histories) else None
    return Sample(u, log_densities, np.concatenate(held_out))


def spaced(rows: Array, most: int) -> Array:
    """Every so many-th row, so that there are at most so many."""
    return rows[:: max(1, -(-len(rows) // most))]


def resampled(rows: Array, weights: Array, n: int) -> Array:
    """`n` rows in proportion to weights, evenly spread: no random number is needed."""
    below = np.cumsum(weights)
    at = (np.arange(n) + 0.5) / n * below[-1]
    chosen: Array = rows[np.minimum(np.searchsorted(below, at), len(rows) - 1)]
    return chosen
