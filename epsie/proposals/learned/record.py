"""The record of a chain: where it was, thinned by a power of two of the iteration alone."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Self

import numpy as np

from epsie.model.evaluation import Point, Position
from epsie.proposals.learned.history import History
from epsie.proposals.learned.learning import LONG_WINDOW
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.plain import counted, entry, rows_of
from epsie.proposals.learned.rows import Rows
from epsie.proposals.learned.surrogate import points_kept

LARGEST = 6000
"""The record of a chain that learns alone has no more rows."""

TOGETHER = 12_000
"""Those of chains that learn together have no more."""

_LOGL, _LOGP, _X = 1, 2, 3
"""Columns of a row. The first is the iteration; of what was evaluated its log density then."""

EVALUATED = _X
"""The number of columns of what was evaluated, beside the position."""


class Record:
    """Positions of a chain, and points at which its target was evaluated.

    Parameters
    ----------
    ndim : int
        The number of parameters.
    nchains : int
        How many chains learn together from records like it.
    """

    def __init__(self, ndim: int, nchains: int = 1) -> None:
        self.ndim, self.nchains = ndim, nchains
        self.largest = LARGEST if nchains == 1 else max(64, TOGETHER // nchains)
        self.stride = 1
        self._visited, self._evaluated = Rows(ndim + _X), Rows(ndim + _X)

    def visit(self, iteration: int, point: Point, x: Position) -> None:
        """Note where the chain is."""
        self._visited.append((iteration, point.logl, point.logp, *x))

    def extend(self, iterations: Array, logl: Array, logp: Array, rows: Array) -> None:
        """Note where the chain was. Arrays of shape (n,), and one of shape (n, d)."""
        self._visited.extend(np.column_stack([iterations, logl, logp, rows]))

    def evaluate(self, beta: float, point: Point, x: Position) -> None:
        """Note what was proposed."""
        self._evaluated.append(evaluated_row(beta, point, x))

    def extend_evaluated(self, rows: Array) -> None:
        """Note what was proposed in a stretch, and keep as many points as one chain of all may."""
        if len(rows):
            most = ceil(points_kept(self.ndim) / self.nchains)
            self._evaluated.set(best(np.concatenate([self._evaluated.array(), rows]), most))

    def evaluated_rows(self) -> Array:
        """What was evaluated, as rows."""
        return self._evaluated.array()

    def history(self, beta: float, alone: bool) -> History:
        """The positions of the chain."""
        return history_of(self._visited.array(), beta, alone)

    def evaluated(self, beta: float) -> History:
        """The points at which the target was evaluated."""
        return history_of(self._evaluated.array(), beta, True)

    def forget_evaluated(self) -> None:
        """Nothing is searched for any more."""
        self._evaluated = Rows(self.ndim + _X)

    def forget(self) -> None:
        """Nothing is learned any more."""
        self._visited, self._evaluated = Rows(self.ndim + _X), Rows(self.ndim + _X)

    def pass_barrier(self, following: int) -> None:
        """Drop what is not learned from at the next barrier, and thin for it."""
        first = following * (1 - LONG_WINDOW)
        while following * LONG_WINDOW > self.largest * self.stride:
            self.stride *= 2
        self._visited.keep(lambda rows: rows[_kept(rows[:, 0], first, self.stride)])
        self.prune()

    def prune(self) -> None:
        """Of what was evaluated keep the best points, which are all that is learned from."""
        self._evaluated.keep(lambda rows: best(rows, points_kept(self.ndim)))

    def copied(self) -> Self:
        """An independent copy."""
        twin = type(self)(self.ndim, self.nchains)
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
    def from_plain(cls, plain: Mapping[str, Any], ndim: int, nchains: int = 1) -> Self:
        """A record from what `plain` gave."""
        record = cls(ndim, nchains)
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


def evaluated_row(beta: float, point: Point, x: Position) -> tuple[float, ...]:
    """A point at which the target was evaluated, as a row."""
    log_density = point.logp + (beta * point.logl if beta else 0.0)
    return (log_density, point.logl, point.logp, *x)


def best(rows: Array, most: int) -> Array:
    """Of what was evaluated the rows with the largest log densities, in their order."""
    rows = rows[np.isfinite(rows[:, 0])]
    chosen = np.argsort(-rows[:, 0], kind="stable")[:most]
    return rows[np.sort(chosen)]


def history_of(rows: Array, beta: float, alone: bool) -> History:
    """Rows as what is learned from; `alone` if the target has no other parameters."""
    log_densities = _log_densities(rows, beta)
    fine = np.isfinite(rows[:, _X:]).all(axis=1)
    if alone:
        fine &= np.isfinite(log_densities)
    rows = rows[fine]
    return History(rows[:, 0], rows[:, _X:], log_densities[fine] if alone else None)
