"""The components of a mixture at a point, and sums over them.

A few are summed one after the other in Python, which is faster than numpy; many are by numpy.
Either way a point alone and among rows has the same bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import exp, log, log1p

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.learned.distances import Array, Numbers

Rows = NDArray[np.intp]

FEW = 8
"""So many components are a few."""

Weighed = tuple[float, Numbers, Numbers]
"""A point as a mixture sees it: log q(x); of each component the logarithm of its weight times its
density; and of each the squared Mahalanobis distance to its centre."""


class Components(ABC):
    """Components whose log densities are norm - half log(1 + distance per_dof).

    Parameters
    ----------
    norms, halves, per_dof : array
        Shape (K,).
    """

    def __init__(self, norms: Array, halves: Array, per_dof: Array) -> None:
        self.norms, self.halves, self.per_dof = norms, halves, per_dof

    @abstractmethod
    def weighed(self, distances: Numbers) -> Weighed:
        """A point with these distances to the centres. Shape (K,)."""

    @abstractmethod
    def rows(self, distances: Array) -> tuple[Array, Array, Array]:
        """The same for n points with the same bits. Shape (n, K)."""

    def apart(self, log_q: Array, log_parts: Array, distances: Array) -> list[Weighed]:
        """What `rows` gave, as `weighed` gives it for each."""
        return list(zip(log_q.tolist(), log_parts, distances))

    def quick(self, distances: Array) -> tuple[Array, Array, Array]:
        """The same for n points but for the last bits, faster."""
        log_parts = self.norms - self.halves * np.log1p(distances * self.per_dof)
        highest = log_parts.max(axis=1)
        totals = np.exp(log_parts - highest[:, np.newaxis]).sum(axis=1)
        return highest + np.log(totals), log_parts, distances

    @abstractmethod
    def choose(self, seen: Weighed, u: float) -> int:
        """The component that a uniform variate chooses, given the point."""

    @abstractmethod
    def choose_rows(self, log_q: Array, log_parts: Array, u: Array) -> Rows:
        """The same for n points with the same bits."""

    @abstractmethod
    def log_sums(self, logs: Array) -> Array:
        """The logarithms of sums of exponentials along rows, as `log_mean` adds them."""

    @abstractmethod
    def log_mean(self, log_values: Numbers, seen: Weighed) -> float:
        """The logarithm of a mean over the components, given the point."""


class Few(Components):
    """A few components."""

    def __init__(self, norms: Array, halves: Array, per_dof: Array) -> None:
        super().__init__(norms, halves, per_dof)
        self._terms = list(zip(norms.tolist(), halves.tolist(), per_dof.tolist()))

    def weighed(self, distances: Numbers) -> Weighed:
        """A point with these distances to the centres."""
        log_parts = [
            norm - half * log1p(distance * per_dof)
            for (norm, half, per_dof), distance in zip(self._terms, distances)
        ]
        return _log_sum(log_parts), log_parts, distances

    def rows(self, distances: Array) -> tuple[Array, Array, Array]:
        """The same for n points with the same bits."""
        log_parts = self.norms - self.halves * _each(log1p, distances * self.per_dof)
        return self.log_sums(log_parts), log_parts, distances

    def log_sums(self, logs: Array) -> Array:
        """The logarithms of sums of exponentials along rows, as `log_mean` adds them."""
        highest = logs.max(axis=1)
        parts = _each(exp, logs - highest[:, np.newaxis])
        totals = parts[:, 0].copy()
        for k in range(1, parts.shape[1]):
            totals += parts[:, k]
        found: Array = highest + _each(log, totals)
        return found

    def choose_rows(self, log_q: Array, log_parts: Array, u: Array) -> Rows:
        """The component that a uniform variate chooses for each of n points."""
        return _chosen(_each(exp, log_parts - log_q[:, np.newaxis]), u)

    def apart(self, log_q: Array, log_parts: Array, distances: Array) -> list[Weighed]:
        """What `rows` gave, as `weighed` gives it for each."""
        return list(zip(log_q.tolist(), log_parts.tolist(), distances.tolist()))

    def choose(self, seen: Weighed, u: float) -> int:
        """The component that a uniform variate chooses, given the point."""
        log_q, log_parts, _ = seen
        below = 0.0
        for k, part in enumerate(log_parts):
            below += exp(part - log_q)
            if u < below:
                return k
        return len(log_parts) - 1

    def log_mean(self, log_values: Numbers, seen: Weighed) -> float:
        """The logarithm of a mean over the components, given the point."""
        log_q, log_parts, _ = seen
        return _log_sum([a + b for a, b in zip(log_values, log_parts)]) - log_q


class Many(Components):
    """Many components."""

    def weighed(self, distances: Numbers) -> Weighed:
        """A point with these distances to the centres."""
        log_parts = self.norms - self.halves * np.log1p(distances * self.per_dof)
        return _log_sum_of_array(log_parts), log_parts, distances

    def rows(self, distances: Array) -> tuple[Array, Array, Array]:
        """The same for n points with the same bits."""
        log_parts = self.norms - self.halves * np.log1p(distances * self.per_dof)
        return self.log_sums(log_parts), log_parts, distances

    def log_sums(self, logs: Array) -> Array:
        """The logarithms of sums of exponentials along rows, as `log_mean` adds them."""
        highest = np.maximum.reduce(logs, axis=1)
        totals = np.add.reduce(np.exp(logs - highest[:, np.newaxis]), axis=1)
        found: Array = highest + _each(log, totals)
        return found

    def choose_rows(self, log_q: Array, log_parts: Array, u: Array) -> Rows:
        """The component that a uniform variate chooses for each of n points."""
        return _chosen(np.exp(log_parts - log_q[:, np.newaxis]), u)

    def choose(self, seen: Weighed, u: float) -> int:
        """The component that a uniform variate chooses, given the point."""
        log_q, log_parts, _ = seen
        below = np.add.accumulate(np.exp(log_parts - log_q))
        return min(int(below.searchsorted(u, side="right")), len(below) - 1)

    def log_mean(self, log_values: Numbers, seen: Weighed) -> float:
        """The logarithm of a mean over the components, given the point."""
        log_q, log_parts, _ = seen
        return _log_sum_of_array(log_values + log_parts) - log_q


def _log_sum(logs: Sequence[float]) -> float:
    """The logarithm of the sum of exponentials, added one after the other."""
    if len(logs) == 2:
        a, b = logs
        return a + log(1.0 + exp(b - a)) if a > b else b + log(1.0 + exp(a - b))
    highest, total = max(logs), 0.0
    for one in logs:
        total += exp(one - highest)
    return highest + log(total)


def _log_sum_of_array(logs: Array) -> float:
    highest = np.maximum.reduce(logs)
    return float(highest) + log(np.add.reduce(np.exp(logs - highest)))


def _chosen(shares: Array, u: Array) -> Rows:
    """Which of the shares, along rows, a uniform variate chooses."""
    below = np.add.accumulate(shares, axis=1)
    chosen = (u[:, np.newaxis] >= below).sum(axis=1)
    found: Rows = np.minimum(chosen, shares.shape[1] - 1)
    return found


def _each(function: Callable[[float], float], values: Array) -> Array:
    """A function of `math` of each value; numpy's may have other last bits."""
    each = map(function, values.ravel().tolist())
    return np.fromiter(each, float, values.size).reshape(values.shape)
