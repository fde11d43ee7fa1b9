"""A prior as a part of what is learned: where nothing was learned it is proposed from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from epsie.model.evaluation import Position
from epsie.model.prior import Prior
from epsie.proposals.learned.mixture import Array


class PriorPart:
    """The prior of parameters in the order of a proposal.

    Parameters
    ----------
    prior : Prior
        The prior of these parameters and no others.
    names : sequence of str
        The parameters.
    """

    def __init__(self, prior: Prior, names: Sequence[str]) -> None:
        self.prior, self.names = prior, tuple(names)

    def log_density(self, x: Position) -> float:
        """The log density at a position, per unit of the parameters."""
        return self.prior.log_density(dict(zip(self.names, x)))

    def log_densities(self, rows: Array) -> Array:
        """The same at rows, shape (n, d)."""
        return np.array([self.log_density(x) for x in map(tuple, rows.tolist())], dtype=float)

    def draw(self, generator: Generator) -> Position:
        """A draw."""
        drawn = self.prior.draw(generator, 1)
        return tuple([float(drawn[name][0]) for name in self.names])
