"""Functions of arrays, element by element, with the very bits of those of single numbers."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log

import numpy as np
from numpy.typing import NDArray


def each(function: Callable[[float], float], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """A function of `math` of each number: numpy's own differs in last bits on some processors."""
    return np.fromiter(map(function, x.tolist()), float, len(x))


def exps(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The exponential of each number."""
    return each(exp, x)


def logs(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of each number."""
    return each(log, x)
