"""Jumps along one eigenvector of a covariance at a time, within bounds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from math import inf, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.model.evaluation import Position
from epsie.proposals import truncated_normal
from epsie.proposals.adaptation.eigenvectors import EigenAdaptation, learn_eigenvectors
from epsie.proposals.bounded import Bounded
from epsie.proposals.eigenvector import AdaptiveEigenvector, Eigenvector
from epsie.proposals.truncated_normal import FAR, FLAT


class BoundedEigenvector(Bounded, Eigenvector):
    """A jump along one eigenvector of a covariance that stays within bounds.

    Eigenvectors are picked as in `Eigenvector`. The length of a jump has the normal distribution
    truncated to the part of the line that lies within the bounds, which holds x itself. Finding
    it takes as many divisions as there are parameters, and the jump the same time whatever its
    width: see `epsie.proposals.truncated_normal.draw`.

    `logpdf` is by length along the lines, as in `Eigenvector`. From an edge or a corner a line may
    leave the bounds both ways: a jump along it stays where it is. The probability of that is what
    `logpdf` gives for x itself in such a place.

    Parameters
    ----------
    parameters : iterable of str
        The parameters, at least two.
    boundaries : dict
        The bounds of each parameter, both included: a `Boundaries` or a pair. May be infinite.
    cov : float or array_like, optional
        The covariance of the jump before its truncation, as `Eigenvector` takes it. 1 if None.
    shuffle_rate : float, optional
        See `Eigenvector`.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`.

    Raises
    ------
    ValueError
        If there is one parameter only; if one has no boundaries, or equal or reversed ones; and as
        `Eigenvector` does.
    """

    name = "bounded_eigenvector"

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        cov: ArrayLike | None = None,
        shuffle_rate: float = 0.33,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        super().__init__(parameters, cov, shuffle_rate, jump_interval, jump_interval_duration)
        if self.ndim == 1:
            raise ValueError(
                f"{type(self).__name__} needs at least two parameters; got {self.parameters[0]!r} "
                "only. For one parameter use BoundedNormal"
            )
        self.boundaries = boundaries

    @property
    def hyperplanes(self) -> NDArray[np.float64]:
        """The faces of the bounds, shape (2 ndim, ndim + 1).

        A row holds an outward unit normal n and an offset b: within, all n.x + b <= 0.
        """
        bounds, normals = np.array(self._bounds), np.eye(self.ndim)
        lower = np.column_stack([-normals, bounds[:, 0]])
        return np.concatenate([lower, np.column_stack([normals, -bounds[:, 1]])])

    def draw(self, x: Position) -> Position:
        """A jump from `x`.

        Raises
        ------
        ValueError
            If `x` is out of bounds.
        """
        stream = self.stream
        self.ind = i = bisect_right(self._cumulative, stream.uniform())
        length = self._stds[i] * stream.normal()
        y = []
        # What stays within is a fair draw of the truncated normal; in place of the rest there is
        # another one.
        for here, along, (lower, upper) in zip(x, self._axes[i], self._bounds):
            there = here + length * along
            if not (lower <= there <= upper and lower <= here <= upper):
                return self._draw_within(x, i)
            y.append(there)
        return tuple(y)

    def _draw_within(self, x: Position, i: int) -> Position:
        axis = self._axes[i]
        below, above = self._segment(x, axis)
        if below == above:
            return x
        length = truncated_normal.draw(self.stream, below, above, self._stds[i])
        y = []
        for here, along, (lower, upper) in zip(x, axis, self._bounds):
            there = here + length * along
            # The sum may round to beyond a bound.
            y.append(lower if there < lower else upper if there > upper else there)
        return tuple(y)

    def _segment(self, x: Position, axis: Position) -> tuple[float, float]:
        """The ends of the line through x within the bounds, backwards and forwards."""
        below, above = -inf, inf
        for here, along, (lower, upper) in zip(x, axis, self._bounds):
            if not lower <= here <= upper:
                raise self._outside(x)
            if along > 0:
                back, ahead = (lower - here) / along, (upper - here) / along
            elif along < 0:
                back, ahead = (upper - here) / along, (lower - here) / along
            else:
                continue
            if back > below:
                below = back
            if ahead < above:
                above = ahead
        return below, above

    def log_density(self, y: Position, x: Position) -> float:
        """The density along the line of the eigenvector that y - x points along: see the class.

        Raises
        ------
        ValueError
            If `x` is out of bounds.
        """
        segments = [self._segment(x, axis) for axis in self._axes]
        if not all(lower <= there <= upper for there, (lower, upper) in zip(y, self._bounds)):
            return -inf
        stuck = sum(pick for pick, ends in zip(self._picks, segments) if ends[0] == ends[1])
        if y == x and stuck:
            return log(stuck)
        densities = [-inf]
        for i, length in self._lines(y, x):
            below, above = segments[i]
            if below < above:
                length = min(max(length, below), above)
                densities.append(
                    log(self._picks[i])
                    + truncated_normal.log_density(length, below, above, self._stds[i])
                )
        return max(densities)

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x): of the two truncated normals only the masses are left."""
        if x == y or self._far_from_bounds(x, y):
            return 0.0
        i, length = self._along(x, y)
        below, above = self._segment(x, self._axes[i])
        std = self._stds[i]
        if above - below < FLAT * std:
            return 0.0
        length = min(max(length, below), above)
        back = truncated_normal.mass(below - length, above - length, std)
        return log(truncated_normal.mass(below, above, std) / back)

    def _far_from_bounds(self, x: Position, y: Position) -> bool:
        """Whether the bounds are too far from both for any line to have less than all its mass."""
        farthest = FAR * max(self._stds)
        for here, there, (lower, upper), unit in zip(x, y, self._bounds, self._units):
            reach = farthest * unit
            least, most = lower + reach, upper - reach
            if not (least < here < most and least < there < most):
                return False
        return True

    def _along(self, x: Position, y: Position) -> tuple[int, float]:
        """The eigenvector that y - x points along, and how far: most likely the last picked."""
        length = size = 0.0
        for here, there, dual in zip(x, y, self._duals[self.ind]):
            part = (there - here) * dual
            length += part
            size += part if part > 0 else -part
        # Along this one all parts have the same sign; along any other they cancel.
        if 2 * abs(length) > size:
            return self.ind, length
        lengths = (np.subtract(y, x) / self._scales).dot(self._eigvects)
        i = int(np.abs(lengths).argmax())
        return i, float(lengths[i])


class AdaptiveBoundedEigenvector(BoundedEigenvector, learns=EigenAdaptation):
    """Jumps within bounds along eigenvectors that it learns and picks as `AdaptiveEigenvector`."""

    name = "adaptive_bounded_eigenvector"
    PICK_POWER = AdaptiveEigenvector.PICK_POWER
    OF_CORRELATION = True

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        adaptation_duration: int | None,
        cov0: ArrayLike | None = None,
        target_rate: float | None = None,
        shuffle_rate: float = 0.33,
        start_step: int = 1,
        jump_interval: int = 1,
        start_iteration: int | None = None,
    ) -> None:
        interval = jump_interval, adaptation_duration
        super().__init__(parameters, boundaries, cov0, shuffle_rate, *interval)
        scheme = target_rate, start_step, start_iteration
        learn_eigenvectors(self, adaptation_duration, *scheme, from_starts=cov0 is None)
