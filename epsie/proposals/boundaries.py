"""The interval that a parameter is confined to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, isfinite
from typing import Any, Self


class Boundaries(tuple[float, float]):
    """A closed interval: both bounds belong to it.

    It is a tuple of its two bounds; ``abs()`` gives its width, and ``in`` tells whether a value
    lies within.

    Parameters
    ----------
    bounds : (float, float)
        The lower and the upper bound. They may be equal; either may be infinite.

    Raises
    ------
    ValueError
        If there are not two, one is not a number, or the upper is below the lower.
    """

    __slots__ = ()

    def __new__(cls, bounds: Iterable[float]) -> Self:
        """Check the bounds: they never change afterwards."""
        try:
            lower, upper = map(float, bounds)
        except (TypeError, ValueError):
            raise ValueError(
                f"boundaries must be two numbers, as in Boundaries((lower, upper)); got {bounds!r}"
            ) from None
        if not (lower <= upper and lower < inf and upper > -inf):
            raise ValueError(
                "the lower bound must not be above the upper one, neither may be NaN, and a number "
                f"must lie between them; got lower {lower!r} and upper {upper!r}"
            )
        return super().__new__(cls, (lower, upper))

    @property
    def lower(self) -> float:
        """The lower bound."""
        return self[0]

    @property
    def upper(self) -> float:
        """The upper bound."""
        return self[1]

    def __abs__(self) -> float:
        return self[1] - self[0]

    def __contains__(self, value: Any) -> bool:
        return bool(self[0] <= value <= self[1])

    def __repr__(self) -> str:
        return f"Boundaries(({self[0]!r}, {self[1]!r}))"


def as_boundaries(
    boundaries: Mapping[str, Iterable[float]],
    parameters: tuple[str, ...],
    *,
    finite: bool = False,
    apart: bool = False,
) -> dict[str, Boundaries]:
    """Boundaries for each of some parameters, in their order.

    Parameters
    ----------
    boundaries : dict
        A `Boundaries` or a pair of numbers for each parameter.
    parameters : tuple of str
        The parameters.
    finite : bool, optional
        Whether infinite bounds are refused.
    apart : bool, optional
        Whether equal bounds are refused.

    Raises
    ------
    ValueError
        If parameters are missing or unknown, or bounds are refused.
    TypeError
        If `boundaries` is no dict.
    """
    if not isinstance(boundaries, Mapping):
        raise TypeError(
            f"boundaries must be a dict, a pair of bounds for each parameter; got {boundaries!r}"
        )
    _check_names(parameters, boundaries)
    found = {name: _named(name, boundaries[name]) for name in parameters}
    for name, (lower, upper) in found.items():
        if finite and not (isfinite(lower) and isfinite(upper)):
            raise ValueError(
                f"the boundaries of {name!r} must be finite, as its width is needed; got "
                f"({lower!r}, {upper!r})"
            )
        if apart and lower == upper:
            raise ValueError(
                f"the boundaries of {name!r} must differ; got {lower!r} twice. To fix a parameter, "
                "leave it to the model"
            )
    return found


def within(point: Mapping[str, Any], boundaries: Mapping[str, Boundaries]) -> bool:
    """Whether a point lies within the boundaries. It may have some of the parameters only.

    Raises
    ------
    ValueError
        If it has a parameter without boundaries.
    """
    unknown = [str(name) for name in point if name not in boundaries]
    if unknown:
        raise ValueError(
            f"there are boundaries for {', '.join(boundaries)} only; got a point with "
            f"{', '.join(unknown)}"
        )
    return all(value in boundaries[name] for name, value in point.items())


def out_of_bounds(
    names: Iterable[str], x: Iterable[float], bounds: Iterable[Iterable[Any]]
) -> str | None:
    """The values that are not within their bounds, in words; None if all are."""
    outside = [
        f"{name} = {value!r} not in [{lower!r}, {upper!r}]"
        for name, value, (lower, upper, *_) in zip(names, x, bounds)
        if not lower <= value <= upper
    ]
    return f"Given point is out of bounds: {', '.join(outside)}" if outside else None


def _check_names(parameters: tuple[str, ...], boundaries: Mapping[str, Any]) -> None:
    missing = [name for name in parameters if name not in boundaries]
    unknown = [str(name) for name in boundaries if name not in parameters]
    if missing or unknown:
        problems = [f"missing are {', '.join(missing)}"] if missing else []
        problems += [f"unknown are {', '.join(unknown)}"] if unknown else []
        raise ValueError(
            f"boundaries are needed for exactly {', '.join(parameters)}; {'; '.join(problems)}"
        )


def _named(name: str, bounds: Iterable[float]) -> Boundaries:
    try:
        return bounds if isinstance(bounds, Boundaries) else Boundaries(bounds)
    except ValueError as error:
        raise ValueError(f"boundaries of {name!r}: {error}") from None
