"""Jumps of many chains that are drawn by rejection, as arrays, bit for bit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import erf
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.truncated_normal import FAR, FLAT, ROOT_2, WIDE
from epsie.proposals.turn import wrapped
from epsie.rng.elementwise import each, exps, logs
from epsie.rng.streams import Streams

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Limits = tuple[tuple[float, ...], ...]


class ManyJumps(ABC):
    """Jumps of many chains, each at some temperatures.

    Parameters
    ----------
    limits : tuple
        Of each parameter the lower and the upper one, and a length.
    ntemps : int
        The number of temperatures of each chain.
    """

    corrects: ClassVar[bool]
    """Whether there are Hastings terms."""

    def __init__(self, limits: Limits, ntemps: int) -> None:
        self.lower, self.upper, self.length = np.array(limits).T
        self.ntemps = ntemps

    @staticmethod
    @abstractmethod
    def limits_of(part: Any) -> Limits:
        """The limits of a proposal."""

    def draw(self, x: Array, widths: Array, streams: Streams) -> Array:
        """Jumps from positions, shape (nparts, ndim): a temperature after the other, as alone."""
        y = np.empty_like(x)
        for t in range(self.ntemps):
            at = slice(t, None, self.ntemps)
            y[at] = self._drawn(x[at], widths[at], streams)
        return y

    @abstractmethod
    def _drawn(self, x: Array, widths: Array, streams: Streams) -> Array:
        """Jumps of all chains at a temperature."""

    def can_begin(self, x: Array) -> bool:
        """Whether jumps can be made from positions."""
        return True

    @abstractmethod
    def log_hastings(self, widths: Array) -> Array:
        """As `log_hastings` of the last jump of each."""


class AngularJumps(ManyJumps):
    """Those of `Angular`."""

    corrects = False

    @staticmethod
    def limits_of(part: Any) -> Limits:
        """The domains, and half of each period."""
        return tuple(part._turns)

    def _drawn(self, x: Array, widths: Array, streams: Streams) -> Array:
        half = self.length
        steps = widths * streams.normals(x.shape[1])
        again = (widths >= WIDE * 2 * half) | ~((-half <= steps) & (steps <= half))
        for k in np.flatnonzero(again.any(axis=0)).tolist():
            rows = np.flatnonzero(again[:, k])
            nowhere = np.zeros(len(rows))
            steps[rows, k] = _truncated(streams, rows, nowhere, -half[k], half[k], widths[rows, k])
        y = x + steps
        for i, k in np.argwhere(~((self.lower <= y) & (y < self.upper))).tolist():
            y[i, k] = wrapped(float(y[i, k]), float(self.lower[k]), float(self.upper[k]))
        return y

    def log_hastings(self, widths: Array) -> Array:
        """Not asked for: there is none."""
        raise NotImplementedError


class BoundedJumps(ManyJumps):
    """Those of `BoundedNormal`."""

    corrects = True

    @staticmethod
    def limits_of(part: Any) -> Limits:
        """The bounds, and their distances."""
        return tuple(part._bounds)

    def can_begin(self, x: Array) -> bool:
        """Whether positions are within the bounds."""
        return bool(((self.lower <= x) & (x <= self.upper)).all())

    def draw(self, x: Array, widths: Array, streams: Streams) -> Array:
        """Jumps from positions, shape (nparts, ndim)."""
        self._here, self._there = x, super().draw(x, widths, streams)
        return self._there

    def _drawn(self, x: Array, widths: Array, streams: Streams) -> Array:
        y = x + widths * streams.normals(x.shape[1])
        again = (widths >= WIDE * self.length) | ~((self.lower <= y) & (y <= self.upper))
        for k in np.flatnonzero(again.any(axis=0)).tolist():
            rows = np.flatnonzero(again[:, k])
            y[rows, k] = _truncated(
                streams, rows, x[rows, k], self.lower[k], self.upper[k], widths[rows, k]
            )
        return y

    def log_hastings(self, widths: Array) -> Array:
        """As `BoundedNormal.log_hastings`."""
        here, there, reach = self._here, self._there, FAR * widths
        least, most = self.lower + reach, self.upper - reach
        near = ~((least < here) & (here < most) & (least < there) & (there < most))
        near &= (here != there) & (FLAT * widths < self.length)
        columns = np.nonzero(near)[1]
        unit, x, y = ROOT_2 * widths[near], here[near], there[near]
        lower, upper = self.lower[columns], self.upper[columns]
        factors = np.ones(here.shape)
        factors[near] = (each(erf, (upper - x) / unit) - each(erf, (lower - x) / unit)) / (
            each(erf, (upper - y) / unit) - each(erf, (lower - y) / unit)
        )
        ratios = factors[:, 0].copy()
        for factor in factors.T[1:]:
            ratios *= factor
        return logs(ratios)


def _truncated(
    streams: Streams, rows: Rows, centre: Array, lower: float, upper: float, widths: Array
) -> Array:
    """Variates of the truncated normal distribution, as `truncated_normal.draw` of some streams."""
    found = np.empty(len(rows))
    is_wide = widths >= WIDE * (upper - lower)
    for draw, which in ((_wide, is_wide), (_narrow, ~is_wide)):
        left = np.flatnonzero(which)
        while len(left):
            y, taken = draw(streams, rows[left], centre[left], lower, upper, widths[left])
            found[left] = y
            left = left[~taken]
    return found


def _wide(
    streams: Streams, rows: Rows, centre: Array, lower: float, upper: float, widths: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Variates of the uniform distribution, and which of them are taken."""
    y = lower + (upper - lower) * streams.uniforms_at(rows)
    z = (y - centre) / widths
    return y, (streams.uniforms_at(rows) < exps(-0.5 * z * z)) & (y <= upper)


def _narrow(
    streams: Streams, rows: Rows, centre: Array, lower: float, upper: float, widths: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """The same of the normal distribution."""
    y = centre + widths * streams.normals_at(rows, 1)[:, 0]
    return y, (lower <= y) & (y <= upper)
