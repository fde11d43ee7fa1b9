"""The prior at many points at once."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.model.distributions import Distribution
from epsie.model.part import rows_of
from epsie.model.prior import Prior

Array = NDArray[np.float64]


def log_densities(prior: Prior, columns: Mapping[str, NDArray[Any]]) -> Array:
    """The log densities of a prior at points, with the bits that `Prior.log_density` gives of each.

    Parameters
    ----------
    prior : Prior
        The prior. One with a constraint, or with parts that depend on each other, is asked point
        by point.
    columns : mapping
        For each parameter an array with a value for each point.
    """
    n = len(next(iter(columns.values())))
    if prior._bound or prior._constraint is not None:
        rows = rows_of(columns, tuple(columns), n)
        return np.array([prior.log_density(row) for row in rows])
    total, outside = np.zeros(n), np.zeros(n, bool)
    with np.errstate(invalid="ignore"):
        for part in prior._free:
            found = _at(part.distribution, columns[part.names[0]])
            outside |= found == -inf
            total += found
    # Also where another density is infinite.
    total[outside] = -inf
    return total


def _at(distribution: Distribution, x: NDArray[Any]) -> Array:
    """The log densities of a distribution at numbers."""
    density: Any = distribution.density
    match distribution.plain:
        case [float() as low, float() as high]:
            return np.where((low <= x) & (x <= high), density(low), -inf)
        case ["uniform", float() as low, float() as width]:
            return np.where((low <= x) & (x <= low + width), density(low), -inf)
        case ["norm", *_]:
            # Nothing but arithmetic.
            found: Array = density(x)
            return found
    return np.fromiter(map(density, x.tolist()), float, len(x))
