"""Several parameters with one distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import given
from epsie.model.part import Part, Values


class Joint(Part):
    """Several parameters with one distribution, as `scipy.stats.multivariate_normal`.

    Parameters
    ----------
    *names : str
        The parameters, in the order of the distribution's.
    distribution : object
        Has ``logpdf(array)`` and ``rvs(size=, random_state=)``, arrays of shape (n, parameters).

    Raises
    ------
    TypeError
        If it has no such methods.
    ValueError
        If it is of another number of variables.
    """

    def __init__(self, *names: str, distribution: Any) -> None:
        if not (hasattr(distribution, "logpdf") and hasattr(distribution, "rvs")):
            raise TypeError(
                "a Joint takes names and distribution=, which has logpdf and rvs, as "
                f"scipy.stats.multivariate_normal(mean, cov); got {given(distribution)}"
            )
        super().__init__(names)
        self.distribution = distribution
        (drawn,) = self._rows(np.random.default_rng(0), 1)
        if len(drawn) != len(names):
            raise ValueError(
                f"the joint distribution of {', '.join(names)} is of {len(drawn)} variables; give "
                "a name for each"
            )

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self.names))
        return f"Joint({names}, distribution={type(self.distribution).__name__})"

    def _rows(self, rng: np.random.Generator, n: int) -> NDArray[Any]:
        # Of one variable or of one draw scipy leaves the axis out.
        return np.asarray(self.distribution.rvs(size=n, random_state=rng)).reshape(n, -1)

    def log_density(self, values: Values) -> float:
        """The natural logarithm of the density."""
        # That of one variable may be an array of one.
        return float(np.asarray(self.distribution.logpdf([values[n] for n in self.names])).item())

    def draw(self, rng: np.random.Generator, n: int, values: Values) -> tuple[NDArray[Any], ...]:
        """For each parameter n draws, given draws of those that it needs."""
        return tuple(self._rows(rng, n).T)
