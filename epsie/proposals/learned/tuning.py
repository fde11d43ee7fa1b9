"""The tuning by each chain for itself, at every step: the sizes of its jumps."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, inf, sqrt
from typing import Any, Self

import numpy as np

from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.plain import entry, fitting

TARGETS = {"crank_nicolson": 0.30, "difference": 0.234, "local": 0.25, "random_walk": 0.234}
"""The acceptance rates that are aimed at."""

_LIMITS = {"crank_nicolson": (-5.0, 6.5), "difference": (-8.0, 3.0), "local": (-8.0, 2.0)}
_START = {"crank_nicolson": 2.0, "difference": 0.0, "local": 0.0}

_COUNT_AT_BARRIER = 50
"""After a barrier sizes learn as if there had been so many steps."""


_LARGEST = 1e100
"""Of the square of a jump: on a flat target without bounds it would grow until it overflows."""


class Tuning:
    """The sizes of the jumps of some moves, and the factor of the random walk.

    Parameters
    ----------
    factor : array
        The first factor of the random walk. Shape (d, d).
    """

    def __init__(self, factor: Array) -> None:
        self.factor = factor
        self.sizes = dict(_START)
        self.counts = dict.fromkeys(TARGETS, 0)
        self.turned = 0.0

    def resize(self, move: str, ratio: float) -> None:
        """Learn the size of a move from an acceptance ratio."""
        self.counts[move] = count = self.counts[move] + 1
        low, high = _LIMITS[move]
        size = self.sizes[move] + min(0.5, 4 * count**-0.6) * (ratio - TARGETS[move])
        self.sizes[move] = min(max(size, low), high)

    def walk(self, z: Array, step: Array, ratio: float) -> None:
        """Learn the factor of the random walk, from a jump `step` = factor z.

        Robust adaptive Metropolis (Vihola 2012, doi:10.1007/s11222-011-9269-5). The gain falls
        with the number of times that the ratio went to the other side of its target (Kesten 1958),
        so that a first scale that is off by many orders is soon mended.
        """
        d, excess = len(z), ratio - TARGETS["random_walk"]
        if excess * self.turned <= 0:
            self.counts["random_walk"] += 1
        self.turned = excess
        square = float(z.dot(z))
        if excess > 0 and not float(step.dot(step)) < _LARGEST:
            return
        gain = min(1.0, d * self.counts["random_walk"] ** (-2 / 3)) * excess
        stretch = (sqrt(max(1 + gain, 1e-12)) - 1) / square if square else 0.0
        self.factor = self.factor + stretch * (step[:, np.newaxis] * z)

    def begin_interval(self) -> None:
        """Learn faster again, as moves have changed."""
        for move in _START:
            self.counts[move] = min(self.counts[move], _COUNT_AT_BARRIER)

    def copied(self) -> Self:
        """An independent copy."""
        twin = type(self)(self.factor)
        twin.sizes, twin.counts, twin.turned = self.sizes.copy(), self.counts.copy(), self.turned
        return twin

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {
            "factor": self.factor.copy(),
            "sizes": self.sizes.copy(),
            "counts": self.counts.copy(),
            "turned": self.turned,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], ndim: int) -> Self:
        """A tuning from what `plain` gave."""
        tuning = cls(fitting(plain, "factor", (ndim, ndim)))
        sizes, counts = entry(plain, "sizes", dict), entry(plain, "counts", dict)
        tuning.sizes = {move: entry(sizes, move, float) for move in _START}
        tuning.counts = {move: entry(counts, move, int) for move in TARGETS}
        tuning.turned = entry(plain, "turned", float)
        return tuning


def expit(size: float) -> float:
    """A size as a number between 0 and 1."""
    return 1 / (1 + exp(-size)) if size > -inf else 0.0
