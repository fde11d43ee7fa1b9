"""Parameters whose distribution depends on other parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import given
from epsie.model.distributions import (
    Distribution,
    by_methods,
    distribution_of,
    family_of,
    in_order,
    uniforms,
)
from epsie.model.part import Bounds, Part, Relative, Values, arguments_of, is_number, turned


class Given:
    """A family of distributions whose parameters are other parameters.

    Parameters
    ----------
    family : object
        A family of `scipy.stats` that is not frozen, as ``stats.norm``.
    **arguments : str or float
        Its shapes, `loc` and `scale`: numbers, or names of parameters.

    Raises
    ------
    TypeError
        If it is no such family, or does not take the arguments, or they are something else.

    Examples
    --------
    >>> from scipy import stats
    >>> import epsie
    >>> group = epsie.Given(stats.norm, loc="mu", scale="tau")
    >>> prior = epsie.Prior(mu=(-5, 5), tau=(0, 3), theta=group)
    >>> prior.parameters
    ('mu', 'tau', 'theta')
    """

    def __init__(self, family: Any, **arguments: str | float) -> None:
        if not (hasattr(family, "shapes") and hasattr(family, "rvs")):
            raise TypeError(
                "Given takes a family of scipy.stats that is not frozen, and its parameters by "
                f"name: Given(stats.norm, loc='mu', scale='tau'); got {given(family)}"
            )
        for value in arguments.values():
            if not (isinstance(value, str) or is_number(value)):
                raise TypeError(
                    "the arguments of Given are numbers, or names of other parameters; got "
                    f"{given(value)}"
                )
        self.family, self.arguments = family, arguments
        self.in_order = in_order(family, (), arguments)

    def __repr__(self) -> str:
        arguments = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        return f"Given({self.family.name}{arguments})"


class Conditional(Part):
    """One parameter whose distribution is a `Given`."""

    def __init__(self, name: str, law: Given) -> None:
        needs = tuple(dict.fromkeys(v for v in law.in_order if isinstance(v, str)))
        super().__init__((name,), needs)
        self.law = law
        self._family = family_of(law.family)
        self.kind = "integer" if hasattr(law.family, "pmf") else "real"
        if self._family is not None:
            self.plain = ["given", law.family.name, *law.in_order]

    @property
    def bounds(self) -> tuple[Bounds, ...]:
        """Those that hold whatever the scale is."""
        values = self.law.in_order if self.kind == "integer" else self.law.in_order[:-1]
        *shapes, loc = values
        if any(isinstance(value, str) for value in values):
            return ((-inf, inf),)
        low, high = self.law.family.support(*shapes)
        return ((float(loc) if low == 0 else -inf, float(loc) if high == 0 else inf),)

    @property
    def relative(self) -> Relative | None:
        """Location and scale, if it is a real number that may lie on either side."""
        loc, scale = self.law.in_order[-2:]
        ends = getattr(self.law.family, "a", 0), getattr(self.law.family, "b", 0)
        return (loc, scale) if self.kind == "real" and ends == (-inf, inf) else None

    def log_density(self, values: Values) -> float:
        """The natural logarithm of the density."""
        numbers, x = self._numbers(values), values[self.names[0]]
        try:
            if self._family is not None:
                return self._family(*numbers)(x)
        except (ValueError, ZeroDivisionError, OverflowError):
            # Its parameters are none of the family, as a scale of 0.
            return -inf
        value = by_methods(self.law.family(*numbers), self.kind == "integer")(x)
        return value if value == value else -inf

    def draw(self, rng: np.random.Generator, n: int, values: Values) -> tuple[NDArray[Any], ...]:
        """For each parameter n draws, given draws of those that it needs."""
        drawn = self.law.family.ppf(uniforms(rng, n), *self._numbers(values))
        return (np.asarray(drawn),)

    def _numbers(self, values: Values) -> list[Any]:
        """The parameters of the family, given the values of those that it needs."""
        return [values[v] if v.__class__ is str else v for v in self.law.in_order]


def relative_among(parts: Iterable[Part], parameters: Sequence[str]) -> dict[str, Relative]:
    """Location and scale of those of these parameters that are `Given` such of them, or numbers."""
    found = {part.names[0]: part.relative for part in parts if isinstance(part, Conditional)}
    return {
        name: pair
        for name, pair in found.items()
        if pair is not None and all(of in parameters for of in (name, *pair) if isinstance(of, str))
    }


class ByFunction(Part):
    """One parameter whose distribution a function of others returns."""

    def __init__(self, name: str, function: Callable[..., Any], example: Distribution) -> None:
        super().__init__((name,), arguments_of(name, function))
        self.function = function
        self.kind = example.kind

    def _at(self, values: Values) -> Distribution:
        answer = self.function(**{name: values[name] for name in self.needs})
        try:
            found = distribution_of(answer)
        except ValueError as error:
            raise ValueError(f"{self.names[0]}: {error}") from None
        if found is None:
            raise turned(self.names[0], "a distribution", answer)
        return found

    def log_density(self, values: Values) -> float:
        """The natural logarithm of the density."""
        return self._at(values).density(values[self.names[0]])

    def draw(self, rng: np.random.Generator, n: int, values: Values) -> tuple[NDArray[Any], ...]:
        """For each parameter n draws, given draws of those that it needs."""
        rows = [{name: values[name][i] for name in self.needs} for i in range(n)]
        drawn = [self._at(row).draw(rng, 1)[0] for row in rows]
        return (np.array(drawn),)
