"""The parts of a prior: each gives one or more parameters, perhaps depending on others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from math import inf, isfinite
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import given
from epsie.model.distributions import Distribution, Kind

Values = Mapping[str, Any]
"""Values of parameters by name: floats, or arrays of as many draws."""

Bounds = tuple[float, float]

Relative = tuple[str | float, str | float]
"""A location and a scale: the names of parameters, or numbers."""


class Part:
    """A part of a prior: the density of its parameters given those that it needs.

    Parameters
    ----------
    names : tuple of str
        The parameters that it gives.
    needs : tuple of str
        Those on which it depends.
    """

    kind: Kind = "real"
    plain: Any = None

    def __init__(self, names: tuple[str, ...], needs: tuple[str, ...] = ()) -> None:
        self.names = names
        self.needs = needs

    def described(self) -> Any:
        """All of it as plain data, or as much as can be said."""
        if self.plain is not None:
            return self.plain
        return {"kind": self.kind, "bounds": [list(pair) for pair in self.bounds]}

    @property
    def bounds(self) -> tuple[Bounds, ...]:
        """For each parameter bounds outside of which the density vanishes."""
        return ((-inf, inf),) * len(self.names)

    @property
    def periods(self) -> tuple[float | None, ...]:
        """For each parameter its period, or None."""
        return (None,) * len(self.names)

    def log_density(self, values: Values) -> float:
        """The natural logarithm of the density."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator, n: int, values: Values) -> tuple[NDArray[Any], ...]:
        """For each parameter n draws, given draws of those that it needs."""
        raise NotImplementedError


class Free(Part):
    """One parameter that depends on no other."""

    def __init__(self, name: str, distribution: Distribution) -> None:
        super().__init__((name,))
        self.distribution = distribution
        self.kind = distribution.kind
        self.plain = distribution.plain

    @property
    def bounds(self) -> tuple[Bounds, ...]:
        """For each parameter bounds outside of which the density vanishes."""
        return (self.distribution.bounds,)

    @property
    def periods(self) -> tuple[float | None, ...]:
        """For each parameter its period, or None."""
        low, high = self.distribution.bounds
        return (high - low if self.kind == "angle" else None,)

    def log_density(self, values: Values) -> float:
        """The natural logarithm of the density."""
        return self.distribution.density(values[self.names[0]])

    def draw(self, rng: np.random.Generator, n: int, values: Values) -> tuple[NDArray[Any], ...]:
        """For each parameter n draws, given draws of those that it needs."""
        return (self.distribution.draw(rng, n),)


class Known(Part):
    """A value that is not sampled: fixed, that of another parameter, or a function of others."""

    def __init__(self, name: str, value: float | str | Callable[..., Any]) -> None:
        if isinstance(value, str):
            needs: Iterable[str] = (value,)
        else:
            needs = arguments_of(name, value) if callable(value) else ()
        super().__init__((name,), tuple(needs))
        self.value = value
        self.plain = None if callable(value) else ["known", value]

    def at(self, values: Values) -> Any:
        """The value, given those of others.

        Raises
        ------
        TypeError
            If a function returns something else than a real number.
        """
        if self.value.__class__ is str:
            return values[self.needs[0]]
        if not callable(self.value):
            return self.value
        answer = self.value(**{name: values[name] for name in self.needs})
        if answer.__class__ is not float and not isinstance(answer, Real):
            raise turned(self.names[0], "a number", answer)
        return answer


def turned(name: str, former: str, answer: Any) -> TypeError:
    """The error of a parameter's function that returns something else than it once did."""
    return TypeError(
        f"the function of {name!r} once returned {former}; now it returns {given(answer)}"
    )


def arguments_of(name: str, function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's arguments, which are those of other parameters.

    Raises
    ------
    TypeError
        If it does not name them.
    """
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        found = ()  # type: ignore[assignment]
    named = [p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if len(named) != len(list(found)) or not named:
        raise TypeError(
            f"{name!r} is given by a function, which must name the parameters that it depends on, "
            f"as lambda x, y: x * y; got {given(function)}"
        )
    return tuple(p.name for p in named if p.default is p.empty)


def is_number(value: Any) -> bool:
    """Whether it is a finite real number."""
    return isinstance(value, Real) and isfinite(value)


def rows_of(columns: Mapping[str, Any], names: tuple[str, ...], n: int) -> list[dict[str, Any]]:
    """Columns as n dicts of Python numbers."""
    lists = [np.asarray(columns[name]).tolist() for name in names]
    return [{name: of[i] for name, of in zip(names, lists, strict=True)} for i in range(n)]


def whole(name: str, column: NDArray[Any]) -> NDArray[np.int64]:
    """Draws of integers as such.

    Raises
    ------
    ValueError
        If one is none.
    """
    integers = column.astype(np.int64)
    wrong = column[integers != column]
    if len(wrong):
        raise ValueError(
            f"the prior of {name} is of integers, but it draws {wrong[0]}; if the parameter is "
            "real, give a distribution with logpdf"
        )
    return integers
