"""Barriers: the iterations at which chains learn."""

from __future__ import annotations

from math import ceil

from epsie.proposals.learned.surrogate import coefficients

GROWTH = 1.3
"""From one to the next: learning gets ever more rare."""


def first_barrier(ndim: int, nchains: int = 1) -> int:
    """The first iteration at which so many chains that learn together know enough."""
    return max(60, ceil(max(20 * ndim, 1.2 * coefficients(ndim)) / nchains))


def following(barrier: int) -> int:
    """The one after a barrier."""
    return max(int(barrier * GROWTH), barrier + 1)
