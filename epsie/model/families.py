"""Families of distributions whose log density is known in closed form, on plain floats.

Each is the one of `scipy.stats` of the same name and parameters: a function of its shapes, location
and scale gives the log density, twenty times faster than a frozen distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erfc, expm1, inf, lgamma, log, log1p, pi, sqrt

Density = Callable[[float], float]
"""The natural logarithm of a density, or of a probability; -inf where it vanishes."""

Family = Callable[..., Density]
"""Called with the shapes by position, and ``loc`` and ``scale``."""

_HALF_LOG_2_PI = 0.5 * log(2 * pi)


def uniform(loc: float = 0.0, scale: float = 1.0) -> Density:
    """The uniform distribution in [loc, loc + scale]."""
    high, value = loc + scale, -log(scale)
    return lambda x: value if loc <= x <= high else -inf


def between(low: float, high: float) -> Density:
    """The uniform distribution between two bounds, both included."""
    value = -log(high - low)
    return lambda x: value if low <= x <= high else -inf


def norm(loc: float = 0.0, scale: float = 1.0) -> Density:
    """The normal distribution."""
    return _standardised(lambda z: -0.5 * z * z, -_HALF_LOG_2_PI - log(scale), loc, scale)


def truncnorm(a: float, b: float, loc: float = 0.0, scale: float = 1.0) -> Density:
    """The normal distribution between `a` and `b` standard deviations from `loc`."""
    density, log_mass = norm(loc, scale), _log_normal_mass(a, b)
    low, high = loc + a * scale, loc + b * scale
    return lambda x: density(x) - log_mass if low <= x <= high else -inf


def _log_normal_mass(a: float, b: float) -> float:
    """Of a standard normal variate between two bounds, also far in a tail."""
    if a > 0:
        a, b = -b, -a
    if b <= -30:
        # scipy knows the logarithm of what underflows.
        from scipy.special import log_ndtr

        upper, lower = float(log_ndtr(b)), float(log_ndtr(a))
        return upper + log1p(-_exp(lower - upper))
    if b <= 0:
        return log(0.5 * (erfc(-b / sqrt(2)) - erfc(-a / sqrt(2))))
    return log1p(-0.5 * (erfc(-a / sqrt(2)) + erfc(b / sqrt(2))))


def _exp(x: float) -> float:
    return expm1(x) + 1.0


def halfnorm(loc: float = 0.0, scale: float = 1.0) -> Density:
    """The normal distribution above `loc`."""
    density, log_2 = norm(loc, scale), log(2)
    return lambda x: density(x) + log_2 if x >= loc else -inf


def lognorm(s: float, loc: float = 0.0, scale: float = 1.0) -> Density:
    """The distribution of which the logarithm is normal with standard deviation `s`."""
    constant, centre = -_HALF_LOG_2_PI - log(s), log(scale)

    def density(x: float) -> float:
        if x <= loc:
            return -inf
        y = log(x - loc)
        z = (y - centre) / s
        return constant - y - 0.5 * z * z

    return density


def loguniform(a: float, b: float, loc: float = 0.0, scale: float = 1.0) -> Density:
    """The distribution of which the logarithm is uniform, between `a` and `b`."""
    low, high, constant = loc + a * scale, loc + b * scale, -log(log(b) - log(a))
    return lambda x: constant - log(x - loc) if low <= x <= high else -inf


def expon(loc: float = 0.0, scale: float = 1.0) -> Density:
    """The exponential distribution above `loc`."""
    constant = -log(scale)
    return lambda x: constant - (x - loc) / scale if x >= loc else -inf


def gamma(a: float, loc: float = 0.0, scale: float = 1.0) -> Density:
    """The gamma distribution of shape `a`."""
    constant = -lgamma(a) - log(scale)

    def density(x: float) -> float:
        z = (x - loc) / scale
        return constant + _times_log(a - 1, z) - z if z >= 0 else -inf

    return density


def invgamma(a: float, loc: float = 0.0, scale: float = 1.0) -> Density:
    """The inverse gamma distribution of shape `a`."""
    constant = -lgamma(a) - log(scale)

    def density(x: float) -> float:
        z = (x - loc) / scale
        return constant - (a + 1) * log(z) - 1 / z if z > 0 else -inf

    return density


def chi2(df: float, loc: float = 0.0, scale: float = 1.0) -> Density:
    """The chi-square distribution with `df` degrees of freedom."""
    return gamma(df / 2, loc, 2 * scale)


def beta(a: float, b: float, loc: float = 0.0, scale: float = 1.0) -> Density:
    """The beta distribution of shapes `a` and `b`."""
    constant = lgamma(a + b) - lgamma(a) - lgamma(b) - log(scale)

    def density(x: float) -> float:
        z = (x - loc) / scale
        if not 0 <= z <= 1:
            return -inf
        return constant + _times_log(a - 1, z) + _times_log1p(b - 1, -z)

    return density


def cauchy(loc: float = 0.0, scale: float = 1.0) -> Density:
    """The Cauchy distribution."""
    return _standardised(lambda z: -log1p(z * z), -log(pi) - log(scale), loc, scale)


def halfcauchy(loc: float = 0.0, scale: float = 1.0) -> Density:
    """The Cauchy distribution above `loc`."""
    constant = log(2 / pi) - log(scale)

    def density(x: float) -> float:
        z = (x - loc) / scale
        return constant - log1p(z * z) if z >= 0 else -inf

    return density


def t(df: float, loc: float = 0.0, scale: float = 1.0) -> Density:
    """Student's t distribution with `df` degrees of freedom."""
    half = (df + 1) / 2
    constant = lgamma(half) - lgamma(df / 2) - 0.5 * log(df * pi) - log(scale)
    return _standardised(lambda z: -half * log1p(z * z / df), constant, loc, scale)


def laplace(loc: float = 0.0, scale: float = 1.0) -> Density:
    """The Laplace distribution."""
    constant = -log(2) - log(scale)
    return lambda x: constant - abs(x - loc) / scale


def logistic(loc: float = 0.0, scale: float = 1.0) -> Density:
    """The logistic distribution."""

    def standard(z: float) -> float:
        z = abs(z)
        return -z - 2 * log1p(_exp(-z))

    return _standardised(standard, -log(scale), loc, scale)


def rayleigh(loc: float = 0.0, scale: float = 1.0) -> Density:
    """The Rayleigh distribution."""
    constant = -log(scale)

    def density(x: float) -> float:
        z = (x - loc) / scale
        return constant + log(z) - 0.5 * z * z if z > 0 else -inf

    return density


def weibull_min(c: float, loc: float = 0.0, scale: float = 1.0) -> Density:
    """The Weibull distribution of shape `c`."""
    constant = log(c) - log(scale)

    def density(x: float) -> float:
        z = (x - loc) / scale
        return constant + _times_log(c - 1, z) - z**c if z >= 0 else -inf

    return density


def pareto(b: float, loc: float = 0.0, scale: float = 1.0) -> Density:
    """The Pareto distribution of shape `b`."""
    constant = log(b) - log(scale)

    def density(x: float) -> float:
        z = (x - loc) / scale
        return constant - (b + 1) * log(z) if z >= 1 else -inf

    return density


def randint(low: float, high: float, loc: float = 0.0) -> Density:
    """The integers from `low` to `high`, `high` excluded, all alike."""
    first, last, value = low + loc, high + loc, -log(high - low)
    return lambda x: value if first <= x < last and x == x // 1 else -inf


def poisson(mu: float, loc: float = 0.0) -> Density:
    """The Poisson distribution of mean `mu`."""

    def density(x: float) -> float:
        k = x - loc
        return _times_log(k, mu) - lgamma(k + 1) - mu if k >= 0 and k == k // 1 else -inf

    return density


def geom(p: float, loc: float = 0.0) -> Density:
    """The number of trials up to the first success."""
    log_p = log(p)

    def density(x: float) -> float:
        k = x - loc
        if not (k >= 1 and k == k // 1):
            return -inf
        return log_p + ((k - 1) * log1p(-p) if k > 1 and p < 1 else 0.0 if k == 1 else -inf)

    return density


def binom(n: float, p: float, loc: float = 0.0) -> Density:
    """The number of successes in `n` trials."""
    constant = lgamma(n + 1)

    def density(x: float) -> float:
        k = x - loc
        if not (0 <= k <= n and k == k // 1):
            return -inf
        chosen = constant - lgamma(k + 1) - lgamma(n - k + 1)
        return chosen + _times_log(k, p) + _times_log(n - k, 1 - p)

    return density


def _standardised(standard: Density, constant: float, loc: float, scale: float) -> Density:
    return lambda x: constant + standard((x - loc) / scale)


def _times_log(factor: float, x: float) -> float:
    """``factor * log(x)``, where 0 log 0 = 0."""
    if x > 0:
        return factor * log(x)
    return 0.0 if factor == 0 else -inf if factor > 0 else inf


def _times_log1p(factor: float, x: float) -> float:
    """``factor * log(1 + x)``, where 0 log 0 = 0."""
    return factor * log1p(x) if x > -1 else _times_log(factor, 0.0)


CONTINUOUS: dict[str, Family] = {
    **{
        family.__name__: family
        for family in (uniform, norm, truncnorm, halfnorm, lognorm, loguniform, expon, gamma)
    },
    **{family.__name__: family for family in (invgamma, chi2, beta, cauchy, halfcauchy, t)},
    **{family.__name__: family for family in (laplace, logistic, rayleigh, weibull_min, pareto)},
    "reciprocal": loguniform,
}
"""By their names in `scipy.stats`: those of real numbers."""

DISCRETE: dict[str, Family] = {"randint": randint, "poisson": poisson, "geom": geom, "binom": binom}
"""By their names in `scipy.stats`: those of integers."""
