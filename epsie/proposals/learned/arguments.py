"""Bounds and periods of some parameters, as a learned proposal is given them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isclose, isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.checks import as_count, as_number
from epsie.model.part import Relative
from epsie.proposals.boundaries import as_boundaries
from epsie.proposals.covariance import as_stds
from epsie.proposals.learned.coordinates import Coordinate, Standard, in_order
from epsie.proposals.learned.subject import Subject


def as_subject(
    parameters: tuple[str, ...],
    boundaries: Mapping[str, Iterable[float]] | None,
    periods: Mapping[str, float] | None,
    duration: int | None,
    relative: Mapping[str, Relative] | None,
) -> Subject:
    """The subject of learning, as the arguments of `Learned` describe it.

    Raises
    ------
    ValueError, TypeError
        If they are none, or of other parameters.
    """
    turns = as_periods(periods, parameters)
    if duration is not None:
        duration = as_count(duration, "adaptation_duration")
    bounds = as_bounds(boundaries, parameters, turns)
    return Subject(bounds, turns, duration, None, as_standards(relative, parameters, bounds, turns))


def as_periods(
    periods: Mapping[str, float] | None, parameters: tuple[str, ...]
) -> list[float | None]:
    """The period of each parameter, None of what is no angle.

    Raises
    ------
    ValueError
        If one is of another parameter, or is not positive.
    TypeError
        If they are no dict, or one is no number.
    """
    given = _as_dict(periods, "periods", parameters)
    for name, period in given.items():
        if not 0 < as_number(period, f"the period of {name!r}") < inf:
            raise ValueError(f"the period of {name!r} must be a positive number; got {period!r}")
    return [float(given[name]) if name in given else None for name in parameters]


def as_bounds(
    boundaries: Mapping[str, Iterable[float]] | None,
    parameters: tuple[str, ...],
    periods: Sequence[float | None],
) -> list[tuple[float, float]]:
    """The bounds of each parameter, infinite where there are none; of an angle a turn.

    Raises
    ------
    ValueError
        If they are for another parameter, are none, or those of an angle are not one period apart.
    TypeError
        If they are no dict.
    """
    given = _as_dict(boundaries, "boundaries", parameters)
    named = tuple([name for name in parameters if name in given])
    known = as_boundaries(given, named, apart=True) if named else {}
    found: list[tuple[float, float]] = []
    for name, period in zip(parameters, periods):
        lower, upper = known.get(name, (-inf, inf) if period is None else (0.0, period))
        if period is not None and not isclose(upper - lower, period, rel_tol=1e-9):
            raise ValueError(
                f"the boundaries of {name!r} must be one period, {period!r}, apart; got "
                f"({lower!r}, {upper!r}). If it cannot go round, leave it out of periods"
            )
        found.append((lower, upper))
    return found


def as_standards(
    relative: Mapping[str, Relative] | None,
    parameters: tuple[str, ...],
    bounds: Sequence[tuple[float, float]],
    periods: Sequence[float | None],
) -> list[tuple[int, Standard]]:
    """The coordinates of parameters that are relative to others, by place.

    Raises
    ------
    ValueError
        If one has bounds or a period, or is relative to itself or to what is no parameter; or a
        scale is not positive.
    TypeError
        If they are no dict of pairs.
    """
    found = {}
    for name, pair in _as_dict(relative, "relative", parameters).items():
        i = parameters.index(name)
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(f"relative[{name!r}] must be a pair, (location, scale); got {pair!r}")
        if bounds[i] != (-inf, inf) or periods[i] is not None:
            raise ValueError(f"{name!r} cannot be relative to others: it has bounds or a period")
        found[i] = _standard(name, pair[0], pair[1], parameters)
    try:
        in_order(found)
    except ValueError as error:
        raise ValueError(f"{error}: relative={relative!r}") from None
    return sorted(found.items())


def _standard(name: str, loc: Any, scale: Any, parameters: tuple[str, ...]) -> Standard:
    unknown = [of for of in (loc, scale) if isinstance(of, str) and of not in parameters]
    if unknown:
        raise ValueError(
            f"{name!r} is to be relative to {unknown[0]!r}, but the parameters are "
            f"{', '.join(parameters)}"
        )
    at = [parameters.index(of) if isinstance(of, str) else -1 for of in (loc, scale)]
    numbers = [0.0 if isinstance(loc, str) else float(loc)]
    numbers += [1.0 if isinstance(scale, str) else float(scale)]
    if not (isfinite(numbers[0]) and 0 < numbers[1] < inf):
        raise ValueError(f"{name!r} needs a finite location and a positive scale; got {numbers}")
    return Standard("standard", *at, *numbers)


def _as_dict(given: Any, what: str, parameters: tuple[str, ...]) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(f"{what} must be a dict by parameter; got {given!r}")
    unknown = [str(name) for name in given if name not in parameters]
    if unknown:
        raise ValueError(
            f"{what} are given for {', '.join(unknown)}, but the parameters are "
            f"{', '.join(parameters)}"
        )
    return dict(given)


def as_scale(std: ArrayLike | None, bounds: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """The scale of each parameter: a tenth of the width where there are two bounds, by default.

    Raises
    ------
    ValueError
        If one is not positive, or there are not as many as parameters.
    """
    if std is None:
        widths = [upper - lower for lower, upper in bounds]
        return np.array([0.1 * w if isfinite(w) else 1.0 for w in widths])
    scale = as_stds(std, len(bounds), "std")
    if not (scale > 0).all():
        raise ValueError(f"std must be positive; got {std!r}")
    return scale


def first_coordinates(
    bounds: Sequence[tuple[float, float]], periods: Sequence[float | None]
) -> list[Coordinate]:
    """The coordinates before anything was learned: parameters as they are, angles in a turn."""
    return [
        Coordinate("identity", lower, upper)
        if period is None
        else Coordinate("angle", lower, upper, lower + period / 2)
        for (lower, upper), period in zip(bounds, periods)
    ]
