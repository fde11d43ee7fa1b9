"""The models that the benchmarks sample. No imports of `epsie`: other samplers get the same."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from time import perf_counter

import numpy as np

Model = Callable[..., tuple[float, float]]

NAMES = tuple("abcdefghij")


def gaussian_2(a: float, b: float) -> tuple[float, float]:
    """A unit normal in two dimensions, written out: about the cheapest model there is."""
    return -0.5 * (a * a + b * b), 0.0


def gaussian_4(a: float, b: float, c: float, d: float) -> tuple[float, float]:
    """A unit normal in four dimensions."""
    return -0.5 * (a * a + b * b + c * c + d * d), 0.0


def gaussian_10(
    a: float,
    b: float,
    c: float,
    d: float,
    e: float,
    f: float,
    g: float,
    h: float,
    i: float,
    j: float,
) -> tuple[float, float]:
    """A unit normal in ten dimensions."""
    squares = a * a + b * b + c * c + d * d + e * e + f * f + g * g + h * h + i * i + j * j
    return -0.5 * squares, 0.0


def gaussian(**x: float) -> tuple[float, float]:
    """A unit normal in any number of dimensions."""
    return -0.5 * sum([value * value for value in x.values()]), 0.0


GAUSSIANS: dict[int, Model] = {2: gaussian_2, 4: gaussian_4, 10: gaussian_10}


def names_of(ndim: int) -> list[str]:
    """Names of so many parameters."""
    return [*NAMES, *(f"p{i}" for i in range(len(NAMES), ndim))][:ndim]


def scale(ndim: int) -> float:
    """The width of jumps that suits a unit normal (Gelman, Roberts & Gilks 1996)."""
    return 2.38 / sqrt(ndim)


def correlated(ndim: int) -> np.ndarray:
    """A full covariance for jumps: all pairs correlated by one half."""
    return (0.5 + 0.5 * np.eye(ndim)) * scale(ndim) ** 2


class Busy:
    """A model that keeps a core busy for a time, as a real likelihood does.

    It watches the clock rather than counting operations, so that other load on the machine
    stretches it as little as possible.

    Parameters
    ----------
    seconds : float
        For how long.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, a: float, b: float) -> tuple[float, float]:
        """The log-likelihood and the log-prior."""
        end = perf_counter() + self.seconds
        while perf_counter() < end:
            pass
        return gaussian_2(a, b)


class Heavy:
    """A model that holds data.

    Parameters
    ----------
    nbytes : int
        How much.
    """

    def __init__(self, nbytes: int) -> None:
        self.data = np.random.default_rng(1).standard_normal(nbytes // 8)

    def __call__(self, a: float, b: float) -> tuple[float, float]:
        """The log-likelihood and the log-prior."""
        return gaussian_2(a, b) if self.data[0] else (0.0, 0.0)
