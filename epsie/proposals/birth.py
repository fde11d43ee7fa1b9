"""Births: the distributions that the parameters of a new component are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import exp, inf, isfinite, log, log1p, pi, sqrt
from operator import add, mul
from typing import Any

from epsie.model.evaluation import Position
from epsie.proposals.boundaries import Boundaries, as_boundaries
from epsie.proposals.distribution import Distribution

_LOG_ROOT_2PI = 0.5 * log(2 * pi)


class BaseBirth(Distribution):
    """A distribution that does not depend on where a chain stands.

    `NestedTransdimensional` draws the parameters of a component from it when the component becomes
    active. Often it is the prior; it must reach wherever the component may be.

    People speak dicts, with `birth` and `logpdf`; a chain speaks tuples in the order of
    `parameters`, with `draw` and `log_density`. A class defines either pair, the other is made from
    it. To write your own, subclass, set `parameters`, and define the property `birth` and
    ``logpdf(xi)``, taking random numbers from `random_generator`. Set ``discrete = True`` if it
    gives integers.
    """

    _routes = (
        ("draw", "birth", "_draw_by_birth"),
        ("log_density", "logpdf", "_log_density_by_logpdf"),
    )

    @property
    def birth(self) -> dict[str, float]:
        """A new draw each time, as a dict."""
        return dict(zip(self.parameters, self._own_draw(), strict=True))

    def logpdf(self, xi: Mapping[str, Any]) -> float:
        """The logarithm of the density (mass, if discrete) at `xi`."""
        return self._own_log_density(self._position(xi))

    def pdf(self, xi: Mapping[str, Any]) -> float:
        """The density (mass, if discrete) at `xi`."""
        return exp(self.logpdf(xi))

    def draw(self) -> Position:
        """A new draw."""
        raise NotImplementedError(f"{type(self).__name__} must define birth, or draw()")

    def log_density(self, x: Position) -> float:
        """The logarithm of the density at `x`."""
        raise NotImplementedError(f"{type(self).__name__} must define logpdf(xi)")

    def update(self, chain: Any) -> None:
        """Learn from the step that `chain` has just made. Called after each jump."""

    def _draw_by_birth(self) -> Position:
        return self._drawn(self.birth, "birth")

    def _log_density_by_logpdf(self, x: Position) -> float:
        return float(self.logpdf(dict(zip(self.parameters, x, strict=True))))


class UniformBirth(BaseBirth):
    """Births anywhere between bounds, with equal density.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters of the component.
    boundaries : dict
        A `Boundaries` or a pair of finite numbers for each parameter.

    Raises
    ------
    ValueError
        If a parameter has no boundaries, or they are equal, reversed or infinite.
    """

    name = "uniform_birth"

    def __init__(
        self, parameters: str | Iterable[str], boundaries: Mapping[str, Iterable[float]]
    ) -> None:
        self.parameters = parameters
        self.boundaries = boundaries

    @property
    def boundaries(self) -> dict[str, Boundaries]:
        """The bounds of each parameter. Settable."""
        return dict(self._boundaries)

    @boundaries.setter
    def boundaries(self, boundaries: Mapping[str, Iterable[float]]) -> None:
        self._boundaries = as_boundaries(boundaries, self.parameters, finite=True, apart=True)
        self._bounds = tuple(self._boundaries.values())
        self._log_inside = -sum(log(abs(bounds)) for bounds in self._bounds)

    def draw(self) -> Position:
        """A new draw."""
        uniform = self.stream.uniform
        # Rounding must not take it past the upper bound.
        return tuple([min(low + (up - low) * uniform(), up) for low, up in self._bounds])

    def log_density(self, x: Position) -> float:
        """The logarithm of the density at `x`: -inf outside of the bounds."""
        for value, (low, up) in zip(x, self._bounds, strict=True):
            if not low <= value <= up:
                return -inf
        return self._log_inside


class NormalBirth(BaseBirth):
    """Births from independent normal distributions.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters of the component.
    mean, std : dict
        Mean and standard deviation of each parameter.

    Raises
    ------
    ValueError
        If a parameter has no mean or no standard deviation, a mean is not finite, or a standard
        deviation is not finite and positive.
    """

    name = "normal_birth"

    def __init__(
        self, parameters: str | Iterable[str], mean: Mapping[str, float], std: Mapping[str, float]
    ) -> None:
        self.parameters = parameters
        self.setup_mu_std(mean, std)

    def setup_mu_std(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set mean and standard deviation of each parameter."""
        self._set(self._numbers(mean, "mean"), self._numbers(std, "std", positive=True))

    @property
    def mu(self) -> dict[str, float]:
        """The mean of each parameter (of its logarithm in a log-normal distribution)."""
        return dict(zip(self.parameters, self._mu, strict=True))

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation of each parameter (of its logarithm in a log-normal one)."""
        return dict(zip(self.parameters, self._std, strict=True))

    def _numbers(
        self, given: Mapping[str, float], what: str, positive: bool = False
    ) -> tuple[float, ...]:
        """A number for each parameter, checked."""
        if not isinstance(given, Mapping) or set(given) != set(self.parameters):
            raise ValueError(
                f"{what} must be a dict with a number for exactly {', '.join(self.parameters)}; "
                f"got {given!r}"
            )
        numbers = tuple([float(given[name]) for name in self.parameters])
        if not all(isfinite(number) and (number > 0 or not positive) for number in numbers):
            raise ValueError(
                f"{what} must be finite{' and positive' if positive else ''}; got {dict(given)}"
            )
        return numbers

    def _set(self, mu: tuple[float, ...], std: tuple[float, ...]) -> None:
        self._mu, self._std = mu, std
        self._log_norm = -sum(_LOG_ROOT_2PI + log(width) for width in std)

    def draw(self) -> Position:
        """A new draw."""
        return tuple(map(add, self._mu, map(mul, self._std, self.stream.normals(len(self._mu)))))

    def log_density(self, x: Position) -> float:
        """The logarithm of the density at `x`."""
        total = 0.0
        for value, mu, std in zip(x, self._mu, self._std, strict=True):
            z = (value - mu) / std
            total -= z * z
        return 0.5 * total + self._log_norm


class LogNormalBirth(NormalBirth):
    """Births from independent log-normal distributions, of positive numbers.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters of the component.
    mean, std : dict
        Mean and standard deviation of each parameter itself, not of its logarithm.

    Raises
    ------
    ValueError
        If a parameter has no mean or no standard deviation, or they are not finite and positive.
    """

    name = "log_normal_birth"

    def setup_mu_std(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set mean and standard deviation of each parameter itself."""
        means = self._numbers(mean, "mean", positive=True)
        stds = self._numbers(std, "std", positive=True)
        variances = [log1p((width / at) ** 2) for at, width in zip(means, stds, strict=True)]
        mu = [log(at) - 0.5 * variance for at, variance in zip(means, variances, strict=True)]
        self._set(tuple(mu), tuple(map(sqrt, variances)))

    def draw(self) -> Position:
        """A new draw."""
        return tuple(map(exp, super().draw()))

    def log_density(self, x: Position) -> float:
        """The logarithm of the density at `x`: -inf unless all values are positive."""
        if min(x) <= 0:
            return -inf
        logs = tuple(map(log, x))
        return super().log_density(logs) - sum(logs)


births: dict[str, type[BaseBirth]] = {
    cls.name: cls for cls in (UniformBirth, NormalBirth, LogNormalBirth)
}
"""The registry: the class of every built-in birth by its name."""
