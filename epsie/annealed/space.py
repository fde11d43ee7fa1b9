"""The space of a prior: for each of its parameters a real number, whatever its kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from epsie.model.evaluation import Position
from epsie.model.prior import Prior
from epsie.proposals.learned.arguments import as_standards, first_coordinates
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.transform import Transform, chosen

_LARGEST, _LEAST = 1e150, 1e-150
"""Of numbers, and of how far they are apart: squares of others overflow, or vanish."""

_APART = 100 * float(np.finfo(float).eps)
"""In units of the largest number: of those nearer to each other there are too few."""


class Space:
    """The parameters of a prior as rows of real numbers.

    An integer is any number that rounds to it, all of them equally: a density that is constant from
    one half to the next has the same integral as the sum over integers, and what is drawn from it
    has them with the right probabilities when it is rounded. A direction is its two angles. So all
    parameters are moved together, and none needs moves of its own.

    Parameters
    ----------
    prior : Prior
        The prior.
    """

    def __init__(self, prior: Prior) -> None:
        self.prior, self.names = prior, prior.parameters
        kinds, bounds, periods = prior.kinds, prior.bounds, prior.periods
        self.integers = np.array([kinds[name] == "integer" for name in self.names])
        halves = (0.5 * self.integers).tolist()
        self.bounds = [
            (bounds[name][0] - half, bounds[name][1] + half)
            for name, half in zip(self.names, halves)
        ]
        self.periods = [periods.get(name) for name in self.names]
        self.standards = as_standards(prior.relative, self.names, self.bounds, self.periods)

    @property
    def ndim(self) -> int:
        """The number of parameters."""
        return len(self.names)

    def draw(self, generator: Generator, n: int) -> Array:
        """`n` independent draws from the prior. Shape (n, d)."""
        drawn = self.prior.draw(generator, n)
        rows = np.column_stack([np.asarray(drawn[name], dtype=float) for name in self.names])
        if self.integers.any():
            rows[:, self.integers] += generator.random((n, int(self.integers.sum()))) - 0.5
        return rows

    def check(self, rows: Array) -> None:
        """Refuse rows of which numbers of double precision know too little.

        Raises
        ------
        ValueError
            That says what to sample instead.
        """
        for i, name in enumerate(self.names):
            low, high = float(rows[:, i].min()), float(rows[:, i].max())
            largest = max(-low, high)
            if largest > _LARGEST:
                why = "numbers that large overflow. Sample it in a larger unit, or its logarithm"
            elif high - low < _APART * largest:
                why = "there are too few numbers between. Sample its distance from there, or fix it"
            elif high - low < _LEAST:
                why = "numbers that small vanish. Sample it in a smaller unit, or its logarithm"
            else:
                continue
            raise ValueError(f"draws of {name} from the prior are from {low!r} to {high!r}: {why}")

    def positions(self, rows: Array) -> list[Position]:
        """The positions of rows, integers as such."""
        whole = self.integers.tolist()
        rounded = np.where(self.integers, np.floor(rows + 0.5), rows).tolist()
        return [tuple([int(v) if w else v for v, w in zip(row, whole)]) for row in rounded]

    def log_prior(self, rows: Array) -> Array:
        """The log of the prior's density at each row; -inf where a row is NaN. Shape (n,)."""
        found = np.full(len(rows), -np.inf)
        inside = np.flatnonzero(np.isfinite(rows).all(axis=1))
        positions = self.positions(rows[inside])
        density, names = self.prior.log_density, self.names
        values: list[Any] = [density(dict(zip(names, x))) for x in positions]
        found[inside] = values
        return found

    def transforms(self, rows: Array) -> list[Transform]:
        """The transforms to choose from: a straight one, and that in which rows look most normal.

        A mixture that is fitted decides, as several modes do not look normal, and need not.
        """
        first = first_coordinates(self.bounds, self.periods)
        plain = Transform(first, np.zeros(self.ndim), np.ones(self.ndim)).refined(rows)
        bent = chosen(self.bounds, self.periods, rows, plain, standards=self.standards)
        coordinates = [
            straight if period is None else cut
            for straight, cut, period in zip(first, bent.coordinates, self.periods)
        ]
        if list(bent.coordinates) == coordinates:
            return [bent]
        return [Transform(coordinates, plain.shift, plain.scale).refined(rows), bent]
