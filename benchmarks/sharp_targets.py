"""Targets with known answers, on which samplers are compared by evaluations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, exp, inf, log, log1p, pi, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Target:
    """A density over a box, what it is known to have, and where chains start.

    Parameters
    ----------
    log_density : callable
        Of a position, shape (d,); a normalised likelihood where `log_z` is known.
    box : array
        The bounds, shape (d, 2).
    starts : array
        The bounds within which chains start, dispersed.
    mean, sd : array or None
        Of each parameter.
    share : tuple or None
        What tells whether a row is in a mode, and how much of the mass is.
    log_z : float or None
        The evidence with a flat prior over the box.
    hard : bool
        Whether no jump may leave the box.
    """

    log_density: Callable[[Array], float]
    box: Array
    starts: Array
    mean: Array | None = None
    sd: Array | None = None
    share: tuple[Callable[[Array], NDArray[np.bool_]], float] | None = None
    log_z: float | None = None
    hard: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the parameters."""
        return [f"p{i}" for i in range(len(self.box))]

    def log_likelihood(self, **values: float) -> float:
        """The log density by name."""
        return self.log_density(np.fromiter(values.values(), float))


def _box(ndim: int, low: float, high: float) -> Array:
    return np.tile([low, high], (ndim, 1)).astype(float)


def gaussian(ndim: int, condition: float, width: float) -> Target:
    """A normal distribution whose axes are turned."""
    axes = np.linalg.qr(np.random.default_rng(7).standard_normal((ndim, ndim)))[0]
    variances = np.geomspace(condition**-0.5, condition**0.5, ndim)
    white = (axes / np.sqrt(variances)).T.copy()
    constant = -0.5 * ndim * log(2 * pi) - 0.5 * float(np.log(variances).sum())

    def log_density(x: Array) -> float:
        y = white @ x
        return constant - 0.5 * float(y @ y)

    sd = np.sqrt(np.diag((axes * variances) @ axes.T))
    box = _box(ndim, -width, width)
    return Target(log_density, box, box, np.zeros(ndim), sd, log_z=-ndim * log(2 * width))


def student() -> Target:
    """Tails of the third degree of freedom, in 10-D."""

    def log_density(x: Array) -> float:
        return -6.5 * log1p(float(x @ x) / 3)

    return Target(log_density, _box(10, -1e4, 1e4), _box(10, -10, 10), np.zeros(10))


def truncated() -> Target:
    """A normal distribution in 10-D, five of whose parameters are cut near the middle."""
    from scipy.stats import truncnorm

    cut = truncnorm(-0.2, 12)
    box = np.array([[-0.2, 12.0]] * 5 + [[-12.0, 12.0]] * 5)
    starts = np.array([[-0.2, 6.0]] * 5 + [[-6.0, 6.0]] * 5)
    mean, sd = np.r_[[cut.mean()] * 5, np.zeros(5)], np.r_[[cut.std()] * 5, np.ones(5)]
    return Target(lambda x: -0.5 * float(x @ x), box, starts, mean, sd, hard=True)


def banana(ndim: int) -> Target:
    """The twisted normal distribution of Haario, Saksman & Tamminen (1999)."""

    def log_density(x: Array) -> float:
        bent = float(x[1]) + 0.1 * float(x[0]) ** 2 - 10
        rest = x[2:]
        return -(float(x[0]) ** 2) / 200 - 0.5 * bent * bent - 0.5 * float(rest @ rest)

    box = np.array([[-80.0, 80.0], [-800.0, 100.0]] + [[-20.0, 20.0]] * (ndim - 2))
    starts = np.array([[-15.0, 15.0], [-40.0, 20.0]] + [[-5.0, 5.0]] * (ndim - 2))
    sd = np.r_[10.0, sqrt(1 + 2 * 0.01 * 1e4), np.ones(ndim - 2)]
    return Target(log_density, box, starts, np.zeros(ndim), sd)


def funnel(ndim: int) -> Target:
    """The funnel of Neal (2003): the scale of all others is a parameter."""

    def log_density(x: Array) -> float:
        v, rest = float(x[0]), x[1:]
        return -v * v / 18 - 0.5 * (ndim - 1) * v - 0.5 * exp(-v) * float(rest @ rest)

    box = np.array([[-15.0, 15.0]] + [[-2000.0, 2000.0]] * (ndim - 1))
    sd = np.r_[3.0, [exp(9 / 4)] * (ndim - 1)]
    return Target(log_density, box, _box(ndim, -3, 3), np.zeros(ndim), sd)


def two_modes(ndim: int, weight: float) -> Target:
    """Two normal distributions whose centres are ten standard deviations apart."""
    h = 5 / sqrt(ndim)

    def log_density(x: Array) -> float:
        a = log(weight) - 0.5 * float(np.square(x + h).sum())
        b = log(1 - weight) - 0.5 * float(np.square(x - h).sum())
        return max(a, b) + log1p(exp(-abs(a - b))) - 0.5 * ndim * log(2 * pi)

    middle = h * (1 - 2 * weight)
    sd = sqrt(1 + h * h - middle * middle)
    share = (lambda rows: rows.sum(axis=-1) < 0), weight
    box = _box(ndim, -20, 20)
    mean, sds = np.full(ndim, middle), np.full(ndim, sd)
    return Target(log_density, box, box, mean, sds, share, -ndim * log(40))


def egg_box() -> Target:
    """Eighteen modes in two dimensions."""

    def log_density(x: Array) -> float:
        return float((2 + cos(x[0] / 2) * cos(x[1] / 2)) ** 5)

    middles = (np.arange(4000) + 0.5) / 4000 * 10 * pi
    grid = (2 + np.cos(middles[:, np.newaxis] / 2) * np.cos(middles / 2)) ** 5
    weights = np.exp(grid - grid.max())
    log_z = float(np.log(weights.mean()) + grid.max())
    inside = (middles > 2 * pi) & (middles < 6 * pi)
    part = float(weights[inside].sum() / weights.sum())
    share = (lambda rows: (rows[..., 0] > 2 * pi) & (rows[..., 0] < 6 * pi)), part
    box = _box(2, 0, 10 * pi)
    return Target(log_density, box, box, share=share, log_z=log_z)


def shells() -> Target:
    """Two thin shells in five dimensions, of equal mass."""

    def log_density(x: Array) -> float:
        radii = [sqrt((float(x[0]) - at) ** 2 + float(x[1:] @ x[1:])) for at in (-3.5, 3.5)]
        a, b = (-0.5 * ((r - 2) / 0.1) ** 2 for r in radii)
        return max(a, b) + log1p(exp(-abs(a - b))) if max(a, b) > -inf else -inf

    radius = np.linspace(1, 3, 20_001)
    shell = radius**4 * np.exp(-0.5 * ((radius - 2) / 0.1) ** 2)
    mass = 2 * (8 * pi**2 / 3) * float(shell.sum() * (radius[1] - radius[0]))
    box = _box(5, -6, 6)
    share = (lambda rows: rows[..., 0] < 0), 0.5
    return Target(log_density, box, box, share=share, log_z=log(mass) - 5 * log(12))


TARGETS: dict[str, Callable[[], Target]] = {
    "corr10": lambda: gaussian(10, 100.0, 20.0),
    "gauss20": lambda: gaussian(20, 1.0, 10.0),
    "gauss50": lambda: gaussian(50, 1000.0, 20.0),
    "student": student,
    "trunc10": truncated,
    "banana2": lambda: banana(2),
    "banana10": lambda: banana(10),
    "funnel5": lambda: funnel(5),
    "funnel10": lambda: funnel(10),
    "two4": lambda: two_modes(4, 0.25),
    "two10": lambda: two_modes(10, 0.25),
    "eggbox": egg_box,
    "shells5": shells,
}
