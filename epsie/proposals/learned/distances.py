"""Squared Mahalanobis distances to the centres of components.

To a few centres in one or two dimensions they are written out, which is faster than numpy. Either
way those of a point alone and among rows have the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Numbers = Any
"""A number of each component: a list for a few, an array for many."""

_dots: Callable[[Array, Array], Array] = getattr(np, "vecdot", None) or partial(
    np.einsum, "...i,...i->..."
)
"""Products along the last axis: numpy has had a faster function of its own since 2.0."""


class Distances:
    """Distances to many centres.

    Parameters
    ----------
    inverses : array
        The inverses of the triangular factors of the components. Shape (K, d, d).
    means : array
        The centres. Shape (K, d).
    """

    def __init__(self, inverses: Array, means: Array) -> None:
        size, d = means.shape
        self._shape = (size, d)
        self._unfactor = inverses.reshape(size * d, d)
        # From a centre: differences are exact however far from 0 all are.
        self._origin = means[0].copy()
        shifts = inverses * (means - self._origin)[:, np.newaxis, :]
        self._shift = np.add.reduce(shifts, axis=2).ravel()

    def at(self, u: Sequence[float]) -> Numbers:
        """The distances of a point. Shape (K,)."""
        away = np.array(u)
        away -= self._origin
        white = self._unfactor.dot(away)
        white -= self._shift
        white = white.reshape(self._shape)
        return _dots(white, white)

    def of_step(self, step: Sequence[float]) -> Numbers:
        """The squares of a step, as each component measures it. Shape (K,)."""
        white = self._unfactor.dot(np.array(step)).reshape(self._shape)
        return _dots(white, white)

    def at_rows(self, rows: Array) -> Array:
        """The same as `at` for rows, shape (n, d), with the same bits. Shape (n, K)."""
        points = np.ascontiguousarray(rows - self._origin)[:, :, np.newaxis]
        return self._squares(np.matmul(self._unfactor, points)[:, :, 0])

    def of_steps(self, steps: Array) -> Array:
        """The same as `of_step` for rows, shape (n, d), with the same bits. Shape (n, K)."""
        columns = np.ascontiguousarray(steps)[:, :, np.newaxis]
        white = np.matmul(self._unfactor, columns).reshape(-1, *self._shape)
        squares: Array = _dots(white, white)
        return squares

    def quick(self, rows: Array) -> Array:
        """The same for rows but for the last bits, faster."""
        return self._squares((rows - self._origin) @ self._unfactor.T)

    def _squares(self, white: Array) -> Array:
        white -= self._shift
        white = white.reshape(-1, *self._shape)
        squares: Array = _dots(white, white)
        return squares


class FewDistances(Distances):
    """Distances to a few centres."""

    def at(self, u: Sequence[float]) -> Numbers:
        """The distances of a point, as a list."""
        return super().at(u).tolist()

    def of_step(self, step: Sequence[float]) -> Numbers:
        """The squares of a step, as each component measures it, as a list."""
        return super().of_step(step).tolist()


class LineDistances(Distances):
    """Distances to a few centres in one dimension."""

    def __init__(self, inverses: Array, means: Array) -> None:
        super().__init__(inverses, means)
        self._columns = inverses[:, 0, 0], means[:, 0]
        self._terms = list(zip(*[column.tolist() for column in self._columns]))

    def at(self, u: Sequence[float]) -> Numbers:
        """The distances of a point, as a list."""
        (x,) = u
        return [(v := a * (x - m)) * v for a, m in self._terms]

    def of_step(self, step: Sequence[float]) -> Numbers:
        """The squares of a step, as each component measures it, as a list."""
        (x,) = step
        return [(v := a * x) * v for a, _ in self._terms]

    def at_rows(self, rows: Array) -> Array:
        """The same as `at` for rows, shape (n, 1), with the same bits. Shape (n, K)."""
        a, m = self._columns
        squares: Array = np.square(a * (rows - m))
        return squares

    def of_steps(self, steps: Array) -> Array:
        """The same as `of_step` for rows, shape (n, 1), with the same bits. Shape (n, K)."""
        squares: Array = np.square(self._columns[0] * steps)
        return squares


class PlaneDistances(Distances):
    """Distances to a few centres in two dimensions."""

    def __init__(self, inverses: Array, means: Array) -> None:
        super().__init__(inverses, means)
        self._columns = (inverses[:, 0, 0], *inverses[:, 1].T, *means.T)
        self._terms = list(zip(*[column.tolist() for column in self._columns]))

    def at(self, u: Sequence[float]) -> Numbers:
        """The distances of a point, as a list."""
        x, y = u
        return [
            (v := a * (dx := x - m)) * v + (w := b * dx + c * (y - n)) * w
            for a, b, c, m, n in self._terms
        ]

    def of_step(self, step: Sequence[float]) -> Numbers:
        """The squares of a step, as each component measures it, as a list."""
        x, y = step
        return [(v := a * x) * v + (w := b * x + c * y) * w for a, b, c, _, _ in self._terms]

    def at_rows(self, rows: Array) -> Array:
        """The same as `at` for rows, shape (n, 2), with the same bits. Shape (n, K)."""
        a, b, c, m, n = self._columns
        dx, dy = rows[:, :1] - m, rows[:, 1:] - n
        squares: Array = np.square(a * dx) + np.square(b * dx + c * dy)
        return squares

    def of_steps(self, steps: Array) -> Array:
        """The same as `of_step` for rows, shape (n, 2), with the same bits. Shape (n, K)."""
        a, b, c, _, _ = self._columns
        dx, dy = steps[:, :1], steps[:, 1:]
        squares: Array = np.square(a * dx) + np.square(b * dx + c * dy)
        return squares


_WRITTEN_OUT: dict[int, type[Distances]] = {1: LineDistances, 2: PlaneDistances}


def distances_to(inverses: Array, means: Array, few: bool) -> Distances:
    """The distances to centres, by the fastest arithmetic."""
    kind = _WRITTEN_OUT.get(means.shape[1], FewDistances) if few else Distances
    return kind(inverses, means)
