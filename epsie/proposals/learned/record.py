"""The record of a chain: where it was, thinned by a power of two of the iteration alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from epsie.model.evaluation import Point, Position
from epsie.proposals.learned.history import History
from epsie.proposals.learned.learning import LONG_WINDOW
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.plain import counted, entry, rows_of
from epsie.proposals.learned.rows import Rows
from epsie.proposals.learned.surrogate import points_needed

LARGEST = 6000
"""The record has no more rows."""

_LOGL, _LOGP, _X = 1, 2, 3
"""Columns of a row, of which the first is the iteration."""


class Record:
    """Positions of a chain, and points at which its target was evaluated.

    Parameters
    ----------
    ndim : int
        The number of parameters.
    """

    def __init__(self, ndim: int) -> None:
        self.ndim = ndim
        self.stride = 1
        self._visited, self._evaluated = Rows(ndim + _X), Rows(ndim + _X)

    def visit(self, iteration: int, point: Point, x: Position) -> None:
        """Note where the chain is."""
        self._visited.append((iteration, point.logl, point.logp, *x))

    def evaluate(self, iteration: int, point: Point, x: Position) -> None:
        """Note what was proposed."""
        self._evaluated.append((iteration, point.logl, point.logp, *x))

    def history(self, beta: float, alone: bool) -> History:
        """The positions of the chain."""
        return _history(self._visited.array(), beta, alone)

    def evaluated(self, beta: float) -> History:
        """The points at which the target was evaluated."""
        return _history(self._evaluated.array(), beta, True)

    def forget_evaluated(self) -> None:
        """Nothing is searched for any more."""
        self._evaluated = Rows(self.ndim + _X)

    def forget(self) -> None:
        """Nothing is learned any more."""
        self._visited, self._evaluated = Rows(self.ndim + _X), Rows(self.ndim + _X)

    def pass_barrier(self, following: int, beta: float) -> None:
        """Drop what is not learned from at the next barrier, and thin for it."""
        first = following * (1 - LONG_WINDOW)
        while following * LONG_WINDOW > LARGEST * self.stride:
            self.stride *= 2
        self._visited.keep(lambda rows: rows[_kept(rows[:, 0], first, self.stride)])
        self.prune(beta)

    def prune(self, beta: float) -> None:
        """Of what was evaluated keep the best points, which are all that is learned from."""
        most = points_needed(self.ndim)
        self._evaluated.keep(lambda rows: _best(rows, beta, most))

    def copied(self) -> Self:
        """An independent copy."""
        twin = type(self)(self.ndim)
        twin.stride = self.stride
        twin._visited, twin._evaluated = self._visited.copied(), self._evaluated.copied()
        return twin

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {
            "stride": self.stride,
            "visited": counted(self._visited.array()),
            "evaluated": counted(self._evaluated.array()),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], ndim: int) -> Self:
        """A record from what `plain` gave."""
        record = cls(ndim)
        record.stride = entry(plain, "stride", int)
        for name, rows in (("visited", record._visited), ("evaluated", record._evaluated)):
            rows.set(rows_of(plain, name, ndim + _X, finite=False))
        return record


def _kept(iterations: Array, first: float, stride: int) -> Array:
    kept: Array = (iterations > first) & (iterations % stride == 0)
    return kept


def _log_densities(rows: Array, beta: float) -> Array:
    """Of the tempered target: where the likelihood vanishes at beta = 0 the prior alone counts."""
    log_densities: Array = rows[:, _LOGP] + (beta * rows[:, _LOGL] if beta else 0.0)
    return log_densities


def _best(rows: Array, beta: float, most: int) -> Array:
    """The rows with the largest log densities, in their order."""
    log_densities = _log_densities(rows, beta)
    rows = rows[np.isfinite(log_densities)]
    best = np.argsort(-log_densities[np.isfinite(log_densities)], kind="stable")[:most]
    return rows[np.sort(best)]


def _history(rows: Array, beta: float, alone: bool) -> History:
    log_densities = _log_densities(rows, beta)
    fine = np.isfinite(rows[:, _X:]).all(axis=1)
    if alone:
        fine &= np.isfinite(log_densities)
    rows = rows[fine]
    return History(rows[:, 0], rows[:, _X:], log_densities[fine] if alone else None)
