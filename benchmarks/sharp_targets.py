"""Targets with known answers, on which samplers are compared by evaluations.

No imports of `epsie`: other samplers get the same, in an environment of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import cos, exp, inf, log, log1p, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Target:
    """A likelihood and a prior, what is known of the posterior, and where chains start.

    Parameters
    ----------
    logl : callable
        The log likelihood of a position, shape (d,).
    box : array
        The bounds, shape (d, 2), within which the prior is flat if no other is given.
    starts : array
        The bounds within which chains start, dispersed.
    mean, sd : array
        Of each parameter.
    share : tuple or None
        What tells whether a row is in a mode, and how much of the mass is.
    log_z : float or None
        The evidence.
    hard : bool
        Whether no jump may leave the box.
    given : mapping, optional
        The distributions of parameters whose prior is not flat, by their indices.
    """

    logl: Callable[[Array], float]
    box: Array
    starts: Array
    mean: Array
    sd: Array
    share: tuple[Callable[[Array], NDArray[np.bool_]], float] | None = None
    log_z: float | None = None
    hard: bool = False
    given: Mapping[range, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of the parameters."""
        return [f"p{i}" for i in range(len(self.box))]

    @property
    def prior(self) -> list[Any]:
        """The prior of each parameter, a distribution of scipy."""
        known = {i: dist for where, dist in self.given.items() for i in where}
        box = enumerate(self.box.tolist())
        return [known.get(i) or stats.uniform(low, high - low) for i, (low, high) in box]

    @cached_property
    def _flat(self) -> list[int]:
        """The parameters with flat priors."""
        return [i for i in range(len(self.box)) if not any(i in where for where in self.given)]

    @cached_property
    def _log_density(self) -> float:
        """The log prior of these together."""
        return -float(np.log(np.diff(self.box[self._flat])).sum())

    def log_prior(self, x: Array) -> float:
        """The log prior of a position."""
        if not ((x > self.box[:, 0]) & (x < self.box[:, 1])).all():
            return -inf
        known = sum(float(dist.logpdf(x[list(where)]).sum()) for where, dist in self.given.items())
        return self._log_density + known

    def from_cube(self, u: Array) -> Array:
        """A draw from the prior, of uniform variates."""
        x, flat = np.array(u), self._flat
        low, high = self.box[flat].T
        x[flat] = low + (high - low) * x[flat]
        for where, dist in self.given.items():
            x[list(where)] = dist.ppf(x[list(where)])
        return x

    def log_likelihood(self, **values: float) -> float:
        """The log likelihood by name."""
        return self.logl(np.fromiter(values.values(), float))

    def definition(self) -> str:
        """A digest that changes with the likelihood, the prior or what is known."""
        low, high = self.starts.T
        points = low + (high - low) * np.random.default_rng(1).random((5, len(low)))
        facts = [
            self.box,
            self.starts,
            self.mean,
            self.sd,
            self.log_z,
            self.share and self.share[1],
        ]
        facts += [[self.logl(x), self.log_prior(x)] for x in points]
        text = " ".join(f"{x:.6g}" for fact in facts if fact is not None for x in np.ravel(fact))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _box(ndim: int, low: float, high: float) -> Array:
    return np.tile([low, high], (ndim, 1)).astype(float)


def integrated(logl: Array, size: float) -> tuple[float, Array]:
    """The log of the mean of a likelihood over a grid of so many points, and weights of points."""
    weights = np.exp(logl - logl.max())
    return float(logl.max() + log(weights.sum() / size)), weights / weights.sum()


def moments(x: Array, weights: Array) -> tuple[float, float]:
    """The mean and the standard deviation of what has weights."""
    mean = float((weights * x).sum())
    return mean, sqrt(float((weights * (x - mean) ** 2).sum()))


def gaussian(ndim: int, condition: float, width: float) -> Target:
    """A normal distribution whose axes are turned."""
    axes = np.linalg.qr(np.random.default_rng(7).standard_normal((ndim, ndim)))[0]
    variances = np.geomspace(condition**-0.5, condition**0.5, ndim)
    white = (axes / np.sqrt(variances)).T.copy()
    constant = -0.5 * ndim * log(2 * pi) - 0.5 * float(np.log(variances).sum())

    def logl(x: Array) -> float:
        y = white @ x
        return constant - 0.5 * float(y @ y)

    sd = np.sqrt(np.diag((axes * variances) @ axes.T))
    box = _box(ndim, -width, width)
    return Target(logl, box, box, np.zeros(ndim), sd, log_z=-ndim * log(2 * width))


def student() -> Target:
    """Tails of the third degree of freedom, in 10-D."""

    def logl(x: Array) -> float:
        return -6.5 * log1p(float(x @ x) / 3)

    sd = np.full(10, sqrt(3))
    return Target(logl, _box(10, -1e4, 1e4), _box(10, -10, 10), np.zeros(10), sd)


def truncated() -> Target:
    """A normal distribution in 10-D, five of whose parameters are cut near the middle."""
    from scipy.stats import truncnorm

    cut = truncnorm(-0.2, 12)
    box = np.array([[-0.2, 12.0]] * 5 + [[-12.0, 12.0]] * 5)
    starts = np.array([[-0.2, 6.0]] * 5 + [[-6.0, 6.0]] * 5)
    mean, sd = np.r_[[cut.mean()] * 5, np.zeros(5)], np.r_[[cut.std()] * 5, np.ones(5)]
    return Target(lambda x: -0.5 * float(x @ x), box, starts, mean, sd, hard=True)


def rosenbrock() -> Target:
    """The banana of Goodman & Weare (2010): x is normal about 1, and y about the square of x."""

    def logl(x: Array) -> float:
        a, b = x.tolist()
        return -(100 * (b - a * a) ** 2 + (1 - a) ** 2) / 20

    # Of x, with variance 10: E x^2 = 11; the variance of x^2 is 2 * 10^2 + 4 * 10; y adds 0.1.
    mean, sd = np.array([1.0, 11.0]), np.sqrt([10, 240.1])
    box, starts = np.array([[-20.0, 22.0], [-20.0, 500.0]]), np.array([[-6.0, 8.0], [0.0, 60.0]])
    return Target(logl, box, starts, mean, sd)


def banana(ndim: int) -> Target:
    """The twisted normal distribution of Haario, Saksman & Tamminen (1999)."""

    def logl(x: Array) -> float:
        bent = float(x[1]) + 0.1 * float(x[0]) ** 2 - 10
        rest = x[2:]
        return -(float(x[0]) ** 2) / 200 - 0.5 * bent * bent - 0.5 * float(rest @ rest)

    box = np.array([[-80.0, 80.0], [-800.0, 100.0]] + [[-20.0, 20.0]] * (ndim - 2))
    starts = np.array([[-15.0, 15.0], [-40.0, 20.0]] + [[-5.0, 5.0]] * (ndim - 2))
    sd = np.r_[10.0, sqrt(1 + 2 * 0.01 * 1e4), np.ones(ndim - 2)]
    return Target(logl, box, starts, np.zeros(ndim), sd)


def funnel(ndim: int) -> Target:
    """The funnel of Neal (2003): the scale of all others is a parameter."""

    def logl(x: Array) -> float:
        v, rest = float(x[0]), x[1:]
        return -v * v / 18 - 0.5 * (ndim - 1) * v - 0.5 * exp(-v) * float(rest @ rest)

    box = np.array([[-15.0, 15.0]] + [[-2000.0, 2000.0]] * (ndim - 1))
    sd = np.r_[3.0, [exp(9 / 4)] * (ndim - 1)]
    return Target(logl, box, _box(ndim, -3, 3), np.zeros(ndim), sd)


def two_modes(ndim: int, weight: float) -> Target:
    """Two normal distributions whose centres are ten standard deviations apart."""
    h = 5 / sqrt(ndim)

    def logl(x: Array) -> float:
        a = log(weight) - 0.5 * float(np.square(x + h).sum())
        b = log(1 - weight) - 0.5 * float(np.square(x - h).sum())
        return max(a, b) + log1p(exp(-abs(a - b))) - 0.5 * ndim * log(2 * pi)

    middle = h * (1 - 2 * weight)
    sd = sqrt(1 + h * h - middle * middle)
    share = (lambda rows: rows.sum(axis=-1) < 0), weight
    box = _box(ndim, -20, 20)
    mean, sds = np.full(ndim, middle), np.full(ndim, sd)
    return Target(logl, box, box, mean, sds, share, -ndim * log(40))


def egg_box() -> Target:
    """Eighteen modes in two dimensions, whole ones and halves."""

    def logl(x: Array) -> float:
        return float((2 + cos(x[0] / 2) * cos(x[1] / 2)) ** 5)

    x = (np.arange(2000) + 0.5) / 2000 * 10 * pi
    grid = (2 + np.cos(x[:, np.newaxis] / 2) * np.cos(x / 2)) ** 5
    log_z, weights = integrated(grid, grid.size)
    mean, sd = moments(x, weights.sum(axis=1))
    inside = (x > 3 * pi) & (x < 7 * pi)
    share = (
        lambda rows: (rows[..., 0] > 3 * pi) & (rows[..., 0] < 7 * pi),
        float(weights[inside].sum()),
    )
    box = _box(2, 0, 10 * pi)
    return Target(logl, box, box, np.full(2, mean), np.full(2, sd), share, log_z)


def shells() -> Target:
    """Two thin shells in five dimensions, of equal mass."""

    def logl(x: Array) -> float:
        radii = [sqrt((float(x[0]) - at) ** 2 + float(x[1:] @ x[1:])) for at in (-3.5, 3.5)]
        a, b = (-0.5 * ((r - 2) / 0.1) ** 2 for r in radii)
        return max(a, b) + log1p(exp(-abs(a - b))) if max(a, b) > -inf else -inf

    radius = np.linspace(1, 3, 20_001)
    shell = radius**4 * np.exp(-0.5 * ((radius - 2) / 0.1) ** 2)
    mass = 2 * (8 * pi**2 / 3) * float(shell.sum() * (radius[1] - radius[0]))
    square = float((shell * radius**2).sum() / shell.sum()) / 5
    sd = np.sqrt(square + np.array([3.5**2, 0, 0, 0, 0]))
    box = _box(5, -6, 6)
    share = (lambda rows: rows[..., 0] < 0), 0.5
    return Target(logl, box, box, np.zeros(5), sd, share, log(mass) - 5 * log(12))


def rastrigin() -> Target:
    """A grid of modes in five dimensions, of which 243 and more matter: a product."""

    def logl(x: Array) -> float:
        return float((10 * np.cos(2 * pi * x) - x * x).sum()) - 50

    x = -5.12 + 10.24 * (np.arange(20_000) + 0.5) / 20_000
    log_z, weights = integrated(10 * np.cos(2 * pi * x) - x * x - 10, x.size)
    sd = moments(x, weights)[1]
    share = (lambda rows: abs(rows[..., 0]) < 0.5), float(weights[abs(x) < 0.5].sum())
    box = _box(5, -5.12, 5.12)
    return Target(logl, box, box, np.zeros(5), np.full(5, sd), share, 5 * log_z)
