"""Barriers: the iterations at which chains learn."""

from __future__ import annotations

from math import ceil

from epsie.proposals.learned.surrogate import coefficients

GROWTH = 1.3
"""From one to the next: learning gets ever more rare."""

FRESH = 6000
"""Independent draws that are noted between barriers, about."""


_ALL, _EVERY = 1000, 8


def counts_at(iteration: int) -> bool:
    """Whether jumps are counted: early all, later one of several, as are those that tune sizes."""
    return iteration < _ALL or not iteration % _EVERY


def first_barrier(ndim: int, nchains: int = 1) -> int:
    """The first iteration at which so many chains that learn together know enough."""
    return max(60, ceil(max(20 * ndim, 1.2 * coefficients(ndim)) / nchains))


def stride_of_fresh(iteration: int, nchains: int) -> tuple[int, int]:
    """Every which iteration independent draws are noted, and up to which one that holds.

    So many are noted from one barrier to the next at most, by all chains together.
    """
    stride, most = 1, max(64, FRESH // nchains) / (GROWTH - 1)
    while iteration >= stride * most:
        stride *= 2
    return stride, ceil(stride * most)


def following(barrier: int) -> int:
    """The one after a barrier."""
    return max(int(barrier * GROWTH), barrier + 1)
