"""Distributions of one variable, whoever made them: scipy's, bilby's and others as one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from epsie.checks import given
from epsie.model.families import CONTINUOUS, DISCRETE, Density, Family, between

Kind = Literal["real", "integer", "angle", "direction"]
"""The kind of a parameter, which decides how it is moved."""

Draw = Callable[[np.random.Generator, int], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution of one variable.

    Parameters
    ----------
    density : callable
        The natural logarithm of the density, or of the probability of an integer, at a float.
    draw : callable
        ``draw(rng, n)`` gives an array of n draws.
    bounds : tuple of float
        Where the density does not vanish, or less narrow.
    kind : str
        ``real``, ``integer`` or ``angle``.
    plain : object
        What says all of it as plain data; None where there is no such thing.
    """

    density: Density
    draw: Draw
    bounds: tuple[float, float]
    kind: Kind = "real"
    plain: Any = None

    def many(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """The log densities at numbers, with the bits that `density` gives of each."""
        density: Any = self.density
        match self.plain:
            case [float() as low, float() as high]:
                return np.where((low <= x) & (x <= high), density(low), -inf)
            case ["uniform", float() as low, float() as width]:
                return np.where((low <= x) & (x <= low + width), density(low), -inf)
            case ["norm", *_]:
                # Nothing but arithmetic.
                found: NDArray[np.float64] = density(x)
                return found
        return np.fromiter(map(density, x.tolist()), float, len(x))


def distribution_of(thing: Any) -> Distribution | None:
    """A pair of bounds, or an object that has a log density and draws, as a distribution.

    Parameters
    ----------
    thing : object
        A pair of numbers (uniform between them); a frozen distribution of `scipy.stats`, of either
        infrastructure; an object with ``logpdf`` and ``rvs``; or one with ``ln_prob`` and
        ``sample``, as a prior of bilby.

    Returns
    -------
    Distribution or None
        None if it is none of these.

    Raises
    ------
    ValueError
        If it is a pair, and not of finite ascending numbers.
    """
    if is_pair(thing):
        return uniform(*thing)
    if hasattr(getattr(thing, "dist", None), "name") and hasattr(thing, "kwds"):
        return _frozen(thing)
    if hasattr(thing, "icdf") and hasattr(thing, "support"):
        return _of_new_infrastructure(thing)
    if hasattr(thing, "ln_prob") and hasattr(thing, "sample"):
        return _of_bilby(thing)
    frozen = not hasattr(thing, "shapes")
    if frozen and hasattr(thing, "rvs") and (hasattr(thing, "logpdf") or hasattr(thing, "logpmf")):
        return _foreign(thing)
    return None


def is_pair(thing: Any) -> bool:
    """Whether it is two numbers."""
    several = isinstance(thing, Sequence | np.ndarray) and not isinstance(thing, str | bytes)
    return several and len(thing) == 2 and all(isinstance(value, Real) for value in thing)


def uniform(low: Any, high: Any) -> Distribution:
    """The uniform distribution between two bounds.

    Raises
    ------
    ValueError
        If they are not finite and ascending.
    """
    if not (isfinite(low) and isfinite(high) and low < high):
        turned = ""
        if low > high:
            turned = f"; did you mean ({high}, {low})?"
        elif low < high:
            turned = "; without a bound give a distribution, as stats.norm(0, 5) or stats.expon()"
        raise ValueError(
            f"a pair is the lower and the upper bound of a uniform prior, both finite; got "
            f"({low}, {high}){turned}"
        )
    low, high = float(low), float(high)
    return Distribution(
        between(low, high),
        lambda rng, n: low + (high - low) * rng.random(n),
        (low, high),
        plain=[low, high],
    )


def uniforms(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Uniform variates in (0, 1), of which every quantile is finite."""
    return np.maximum(rng.random(n), 2.0**-54)


def _frozen(thing: Any) -> Distribution:
    """A frozen distribution of scipy: by its family where that is known, else by its methods."""
    discrete = hasattr(thing, "pmf")
    numbers = in_order(thing.dist, thing.args, thing.kwds)
    if any(np.ndim(number) for number in numbers):
        raise ValueError(
            f"a prior is of one variable; that of {thing.dist.name} has arrays of parameters: "
            f"{thing.args} {thing.kwds}"
        )
    numbers = [float(number) for number in numbers]
    family = family_of(thing.dist)
    low, high = map(float, thing.support())
    if not low <= high:
        names = ", ".join(argument_names(thing.dist))
        raise ValueError(
            f"scipy.stats.{thing.dist.name}{tuple(numbers)} is no distribution: one of {names} is "
            "not what it may be"
        )
    if family is None:
        density, plain = by_methods(thing, discrete), None
    else:
        density, plain = family(*numbers), [thing.dist.name, *numbers]
    draw = lambda rng, n: thing.ppf(uniforms(rng, n))  # noqa: E731
    return Distribution(density, draw, (low, high), "integer" if discrete else "real", plain)


def by_methods(thing: Any, discrete: bool) -> Density:
    """The log density of a distribution, or of integers the log mass, as its methods give it."""
    logarithm = thing.logpmf if discrete else thing.logpdf
    return lambda x: number(logarithm(x))


def number(density: Any) -> float:
    """The log density that a method of an object returned.

    Raises
    ------
    TypeError
        If it is no number.
    """
    try:
        return float(density)
    except (TypeError, ValueError):
        raise TypeError(
            f"the log density at one number must be a number; got {given(density)}"
        ) from None


def family_of(unfrozen: Any) -> Family | None:
    """The closed form of a family of scipy; None if it has none here."""
    if type(unfrozen).__module__.partition(".")[0] != "scipy":
        return None
    return (DISCRETE if hasattr(unfrozen, "pmf") else CONTINUOUS).get(unfrozen.name)


def argument_names(unfrozen: Any) -> list[str]:
    """The shapes of a family of scipy, its location and, of real numbers, its scale."""
    shapes = [name.strip() for name in (unfrozen.shapes or "").split(",") if name.strip()]
    return [*shapes, "loc"] if hasattr(unfrozen, "pmf") else [*shapes, "loc", "scale"]


def in_order(unfrozen: Any, args: Sequence[Any], kwds: Mapping[str, Any]) -> list[Any]:
    """The shapes, location and scale of a distribution of scipy, in this order.

    Raises
    ------
    TypeError
        If one is unknown, or a shape is missing.
    """
    names = argument_names(unfrozen)
    values = {"loc": 0.0, "scale": 1.0, **dict(zip(names, args, strict=False)), **kwds}
    unknown = sorted(values.keys() - {*names, "scale"})
    missing = [name for name in names if name not in values]
    if unknown or missing:
        wrong = f"has no {unknown[0]!r}" if unknown else f"needs {missing[0]!r}"
        raise TypeError(f"scipy.stats.{unfrozen.name} {wrong}; it takes {', '.join(names)}")
    return [values[name] for name in names]


def _of_new_infrastructure(thing: Any) -> Distribution:
    """A distribution of scipy's second infrastructure."""
    low, high = map(float, thing.support())
    discrete = any(cls.__name__ == "DiscreteDistribution" for cls in type(thing).__mro__)
    draw = lambda rng, n: np.asarray(thing.icdf(uniforms(rng, n)))  # noqa: E731
    known = {"Normal": ("norm", "mu", "sigma"), "StandardNormal": ("norm",)}.get(
        type(thing).__name__
    )
    if known is not None:
        numbers = [float(thing._parameters[name]) for name in known[1:]]
        return Distribution(
            CONTINUOUS[known[0]](*numbers), draw, (low, high), plain=[known[0], *numbers]
        )
    if type(thing).__name__ == "Uniform":
        return uniform(low, high)
    kind: Kind = "integer" if discrete else "real"
    return Distribution(by_methods(thing, discrete), draw, (low, high), kind)


def _of_bilby(thing: Any) -> Distribution:
    """A prior of bilby, or what has its methods."""
    low, high = (
        float(getattr(thing, name, default))
        for name, default in (("minimum", -inf), ("maximum", inf))
    )

    def draw(rng: np.random.Generator, n: int) -> NDArray[Any]:
        if hasattr(thing, "rescale"):
            return np.asarray(thing.rescale(uniforms(rng, n)))
        return np.asarray(thing.sample(n))

    kind: Kind = "angle" if getattr(thing, "boundary", None) == "periodic" else "real"
    return Distribution(lambda x: number(thing.ln_prob(x)), draw, (low, high), kind)


def _foreign(thing: Any) -> Distribution:
    """An object with ``rvs`` and ``logpdf``, or ``logpmf`` if it is of integers."""
    discrete = not hasattr(thing, "logpdf")
    low, high = map(float, thing.support()) if hasattr(thing, "support") else (-inf, inf)
    return Distribution(
        by_methods(thing, discrete),
        lambda rng, n: np.asarray(thing.rvs(size=n, random_state=rng)),
        (low, high),
        "integer" if discrete else "real",
    )
