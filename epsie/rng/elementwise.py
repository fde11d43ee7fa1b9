"""Functions of arrays, element by element, with the very bits of those of single numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MANY = 2**20
"""After so many numbers it would have paid to import scipy, which takes a tenth of a second."""


def each(function: Callable[[float], float], x: Array) -> Array:
    """A function of `math` of each number: numpy's own differs in last bits on some processors."""
    return np.fromiter(map(function, x.tolist()), float, len(x))


class OfEach:
    """A function of `math` of each number of an array, in a tenth of the time if it can be.

    A function of scipy calls that of the C library for each number, as `math` does. It is taken
    instead once scipy is imported, if it has the same bits at some thousand numbers.

    Parameters
    ----------
    function : callable
        The function.
    of_scipy : callable
        Gives that of scipy from the module `scipy.special`.
    probes : array
        The numbers at which they are compared.
    """

    def __init__(
        self,
        function: Callable[[float], float],
        of_scipy: Callable[[Any], Callable[[Array], Array]],
        probes: Array,
    ) -> None:
        self._function, self._of_scipy, self._probes = function, of_scipy, probes
        self._fast: Callable[[Array], Array] | None = None
        self._left: float = _MANY

    def __call__(self, x: Array) -> Array:
        """The function of each number. What is no number, or beyond all, is as in `math`."""
        if self._fast is not None:
            found = self._fast(x)
            if np.isfinite(found).all():
                return found
        elif self._left > 0:
            self._left -= len(x)
            if self._left <= 0 or "scipy.special" in sys.modules:
                self._compare()
        return each(self._function, x)

    def _compare(self) -> None:
        from scipy import special

        self._left, fast = 0, self._of_scipy(special)
        if fast(self._probes).tobytes() == each(self._function, self._probes).tobytes():
            self._fast = fast


_GRID = np.geomspace(1e-8, 600.0, 4096)

exps = OfEach(exp, lambda of: lambda x: of.inv_boxcox(x, 0.0), np.concatenate([-_GRID, _GRID]))
"""The exponential of each number."""

logs = OfEach(log, lambda of: lambda x: of.xlogy(1.0, x), np.concatenate([_GRID, 1 / _GRID]))
"""The logarithm of each number."""
