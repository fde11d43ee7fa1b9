"""A population: weighted equally, draws of the prior times a power of the likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.plain import entry, malformed, rows_of

_LEAST_GROWTH = 1e-3
"""Of beta from one level to the next, however few of the population are left by it."""


class Population(NamedTuple):
    """Particles at an inverse temperature.

    Parameters
    ----------
    beta : float
        The inverse temperature.
    rows : array
        The particles, as rows of their space. Shape (n, d).
    logl, logp : array
        Natural logarithms of likelihood and prior density, all finite. Shape (n,).
    """

    beta: float
    rows: Array
    logl: Array
    logp: Array

    def taken(self, chosen: Any, beta: float) -> Self:
        """Some of its particles, at another inverse temperature."""
        return type(self)(beta, self.rows[chosen], self.logl[chosen], self.logp[chosen])

    def joined(self, other: Population) -> Self:
        """Its particles and others."""
        both = [np.concatenate(pair) for pair in zip(self[1:], other[1:], strict=True)]
        return type(self)(self.beta, *both)

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        table = np.column_stack([self.rows, self.logl, self.logp])
        return {"beta": self.beta, "particles": {"n": len(table), "values": table}}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], ndim: int) -> Self:
        """A population from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        beta, table = entry(plain, "beta", float), rows_of(plain, "particles", ndim + 2)
        if not 0 <= beta <= 1:
            raise malformed("beta", "from 0 to 1", beta)
        return cls(beta, table[:, :ndim].copy(), table[:, ndim].copy(), table[:, ndim + 1].copy())


def next_beta(logl: Array, beta: float, share: float = 0.5) -> float:
    """The inverse temperature, at most 1, at which a share of the particles is left by weight.

    Parameters
    ----------
    logl : array
        Their log likelihoods. Shape (n,).
    beta : float
        The inverse temperature at which they are.
    share : float, optional
        The effective number of particles that is to be left, of all.
    """
    least = share * len(logl)
    highest = 1.0 - beta
    if effective_number(weights_of(logl, highest)) >= least:
        return 1.0
    lowest = 0.5 * highest
    while effective_number(weights_of(logl, lowest)) < least and lowest > 1e-300:
        lowest, highest = 0.1 * lowest, lowest
    while highest - lowest > 1e-6 * highest:
        middle = 0.5 * (lowest + highest)
        if effective_number(weights_of(logl, middle)) >= least:
            lowest = middle
        else:
            highest = middle
    return min(1.0, max(beta + lowest, beta * (1 + _LEAST_GROWTH)))


def weights_of(logl: Array, step: float) -> Array:
    """The weights of particles after a step in beta, with sum 1. Shape (n,)."""
    weights = np.exp(step * (logl - logl.max()))
    found: Array = weights / weights.sum()
    return found


def effective_number(weights: Array) -> float:
    """The effective number of particles with weights whose sum is 1."""
    return 1.0 / float((weights * weights).sum())


def systematic(weights: Array, n: int, u: float) -> Any:
    """The indices of `n` particles in proportion to their weights, by one uniform variate."""
    below = np.cumsum(weights)
    at = (np.arange(n) + u) * (below[-1] / n)
    return np.minimum(np.searchsorted(below, at, side="right"), len(weights) - 1)
