"""Declarations of a prior's parameters, made into parts and known values in an order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from epsie.checks import as_names, given
from epsie.model.checking import drawn_from, named
from epsie.model.conditional import ByFunction, Conditional, Given
from epsie.model.direction import Angle, Direction
from epsie.model.distributions import Distribution, distribution_of
from epsie.model.joint import Joint
from epsie.model.part import Free, Known, Part, arguments_of, is_number

_GRAMMAR = (
    "a parameter is given by a pair of bounds, a frozen distribution of scipy.stats, an Angle, a "
    "Direction, a Joint, a Given, a number (fixed), the name of another parameter (the same), or a "
    "function of others that returns a number, a pair or a distribution"
)


_OF_A_FUNCTION = (
    ". Say how each parameter is distributed: neither a log density nor a transform of the unit "
    "cube will do. With a model(**parameters) -> (logl, logp) of your own make a sampler"
)


class Undecided(Part):
    """A function of which only a call tells whether it gives a value or a distribution."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        super().__init__((name,), arguments_of(name, function))
        self.function = function


def parts_of(declared: Mapping[Any, Any]) -> list[Part]:
    """The parts of a prior: each after those that it needs, else as they were declared.

    Raises
    ------
    TypeError
        If something cannot stand for a parameter.
    ValueError
        If a name is declared twice or unknown, or parts depend on each other in a circle.
    """
    items = [_item(key, value) for key, value in declared.items()]
    if not items:
        raise ValueError("a prior must hold at least one parameter; got none")
    as_names([name for item in items for name in item.names])
    ordered = _after_needs(items)
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {}
    decided: list[Part] = []
    for item in ordered:
        with named(item):
            item = _decided(item, values) if isinstance(item, Undecided) else item
            if isinstance(item, Known):
                values[item.names[0]] = item.at(values)
        if not isinstance(item, Known):
            arrays = {name: np.array([value]) for name, value in values.items()}
            drawn = drawn_from(item, rng, 1, arrays)
            values |= {name: column[0].item() for name, column in drawn.items()}
        decided.append(item)
    return decided


def _item(key: Any, value: Any) -> Part:
    """One entry of a declaration."""
    if isinstance(value, Direction | Joint):
        return value
    if isinstance(key, tuple):
        return Joint(*as_names(key), distribution=value)
    (name,) = as_names([key])
    if isinstance(value, Given):
        return Conditional(name, value)
    if isinstance(value, Angle):
        return Free(name, value.distribution())
    if isinstance(value, str) or is_number(value):
        return Known(name, str(value) if isinstance(value, str) else value)
    if is_number(getattr(value, "peak", None)) and hasattr(value, "ln_prob"):
        return Known(name, float(value.peak))
    found = _distribution(name, value)
    if found is not None:
        return Free(name, found)
    if callable(value) and not isinstance(value, type) and not hasattr(value, "shapes"):
        return Undecided(name, value)
    raise _refusal(name, value)


def _distribution(name: str, value: Any) -> Distribution | None:
    """The distribution that a value stands for, or None; errors name the parameter."""
    try:
        return distribution_of(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def _refusal(name: str, value: Any) -> TypeError:
    hint = ""
    if hasattr(value, "shapes") and hasattr(value, "rvs"):
        hint = f"; that of {name!r} has no parameters yet: call it, as stats.norm(0, 1)"
    elif isinstance(value, type):
        hint = f"; call it: {value.__name__}()"
    return TypeError(f"{_GRAMMAR}. For {name!r} got {given(value)}{hint}")


def _after_needs(items: list[Part]) -> list[Part]:
    """Each after those that it needs."""
    home = {name: item for item in items for name in item.names}
    for item in items:
        for name in item.needs:
            if name not in home:
                text = "; a string is the name of another, equal one"
                raise ValueError(
                    f"{', '.join(item.names)} depends on {name!r}, which is no parameter of this "
                    f"prior; there are {', '.join(home)}{text if isinstance(item, Known) else ''}"
                )
    ordered: list[Part] = []
    left = list(items)
    while left:
        ready = [item for item in left if not {*item.needs} & {n for i in left for n in i.names}]
        if not ready:
            names = ", ".join(name for item in left for name in item.names)
            raise ValueError(f"these parameters depend on each other in a circle: {names}")
        ordered.append(ready[0])
        left.remove(ready[0])
    return ordered


def _decided(item: Undecided, values: Mapping[str, Any]) -> Part:
    """A function as a known value or as a distribution, by what it returns at a draw."""
    (name,) = item.names
    answer = item.function(**{needed: values[needed] for needed in item.needs})
    if is_number(answer):
        return Known(name, item.function)
    found = _distribution(name, answer)
    if found is None:
        raise TypeError(f"{_GRAMMAR}. The function of {name!r} returned {given(answer)}")
    return ByFunction(name, item.function, found)


def names_in(key: Any, value: Any) -> tuple[str, ...]:
    """The parameters of an entry of the declaration."""
    if isinstance(value, Part):
        return value.names
    return tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)


def merged(parameters: Mapping[Any, Any] | None, declared: Mapping[str, Any]) -> dict[Any, Any]:
    """A declaration by a dict and by keywords as one dict.

    Raises
    ------
    TypeError
        If the first is no dict.
    ValueError
        If a name is in both.
    """
    if parameters is not None and not isinstance(parameters, Mapping):
        raise TypeError(
            "a prior is declared by keywords, Prior(m=(-5, 0.5)), or by a dict of them; got "
            f"{given(parameters)}{_OF_A_FUNCTION if callable(parameters) else ''}"
        )
    twice = sorted(str(name) for name in (parameters or {}) if name in declared)
    if twice:
        raise ValueError(f"declared twice: {', '.join(twice)}")
    return {**(parameters or {}), **declared}


def shown(value: Any) -> str:
    """An entry of a declaration in a few words."""
    dist = getattr(value, "dist", None)
    if dist is None:
        return "<function>" if callable(value) else repr(value)
    arguments = [f"{a!r}" for a in value.args] + [f"{k}={v!r}" for k, v in value.kwds.items()]
    return f"{dist.name}({', '.join(arguments)})"
