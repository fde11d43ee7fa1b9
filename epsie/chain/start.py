"""The start of chains: positions that they may have, what the model says there, and refusals."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from math import floor, inf
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.level import Level
from epsie.checks import as_floats, given, users_line
from epsie.errors import ModelError
from epsie.model.evaluation import NotFiniteError, Point, Position, evaluate, model_error

NO_START = "the chain has no start position yet: set `start_position` first"


_ACTIVE = "_state"
"""The key under which EPSIE 1.x told which components are active. NaN tells it; it is ignored."""


def check_names(names: Iterable[str], parameters: Iterable[str]) -> None:
    """Refuse values for other parameters than there are.

    Raises
    ------
    ValueError
        That names all missing and all unknown ones.
    """
    names, parameters = list(names), list(parameters)
    missing = [name for name in parameters if name not in names]
    surplus = [str(name) for name in names if name not in (*parameters, _ACTIVE)]
    problems = []
    if missing:
        problems.append(f"missing: {', '.join(missing)}")
    if surplus:
        problems.append(f"unknown: {', '.join(surplus)}")
    if problems:
        raise ValueError(
            f"a start position needs a value for each of {', '.join(parameters)}; "
            + "; ".join(problems)
        )


def check_mapping(values: Any, parameters: Sequence[str]) -> None:
    """Refuse start values that do not come by name.

    Raises
    ------
    TypeError
        That says how to give them.
    """
    # Tables of pandas are no mappings, but have keys.
    if isinstance(values, Mapping) or hasattr(values, "keys"):
        return
    example = ", ".join(f"{name!r}: [...]" for name in parameters)
    meant = ""
    if getattr(getattr(values, "dtype", None), "names", None):
        meant = ". Of a structured array: epsie.array2dict(values)"
    elif isinstance(values, Sequence) and any(isinstance(value, Mapping) for value in values):
        meant = ". Of a list of dicts: {name: [start[name] for start in starts] for name in names}"
    elif np.ndim(values) > 0:
        meant = ". Of an array with a column for each parameter: dict(zip(names, values.T))"
    raise TypeError(
        f"start_position must be a dict with an array of values for each parameter, "
        f"{{{example}}}; got {given(values)}{meant}"
    )


def as_columns(values: Mapping[str, Any], dtypes: Mapping[str, type]) -> dict[str, NDArray[Any]]:
    """The start values of all parameters, in their order, as floats, or ints if discrete.

    Raises
    ------
    ValueError
        If parameters are missing or unknown, or a value is no number.
    TypeError
        If values do not come by name.
    """
    check_mapping(values, tuple(dtypes))
    check_names(values, dtypes)
    columns = {}
    for name, kind in dtypes.items():
        _refuse_masked(values[name], name)
        columns[name] = _as_column(values[name], kind, name)
    return columns


def whole_numbers(values: Mapping[str, Any], parameters: Iterable[str]) -> list[str]:
    """The parameters of which all start values were given as integers, as 1 and not 1.0."""
    return [name for name in parameters if np.asarray(values[name]).dtype.kind in "iu"]


def _refuse_masked(values: Any, name: str) -> None:
    """Refuse what is no plain number: what is masked, or has a unit.

    Raises
    ------
    ValueError
        That says what to give.
    """
    if np.ma.is_masked(values):
        raise ValueError(
            f"some starts of {name} are masked: a chain cannot start at a missing value. Give "
            "numbers, as values.filled(0.0)"
        )
    for value in (values, *values) if isinstance(values, list | tuple) else (values,):
        unit = next((u for u in ("unit", "units") if hasattr(value, u)), None)
        if unit and str(getattr(value, unit)) not in ("", "None", "dimensionless"):
            raise ValueError(
                f"the start of {name} has a unit, {getattr(value, unit)}, which the model would "
                "not see: parameters are plain numbers. Give them in the unit that the model "
                "expects, as values.to_value(unit), or values.to(unit).magnitude"
            )


def _as_column(values: Any, kind: type, name: str) -> NDArray[Any]:
    """The start values of one parameter as floats, or as ints if it is discrete.

    A discrete value that is no integer is rounded, halves up, with a warning.

    Raises
    ------
    ValueError
        If a value is no number, or a discrete one is no integer of 64 bits.
    """
    column = as_floats(values, f"the start of {name}")
    if kind is not int:
        return column
    if not np.isfinite(column).all():
        raise ValueError(
            f"the start of {name}, which is discrete, must be integers; got {values!r}"
        )
    if (np.floor(column + 0.5) != column).any():
        warnings.warn(
            f"{name} is discrete: start values were rounded to integers, halves up",
            stacklevel=users_line(),
        )
    return _integers(values, column, name)


def _integers(values: Any, column: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Start values as integers, exactly: as floats they would be rounded beyond 2**53.

    Raises
    ------
    ValueError
        If one does not fit into 64 bits.
    """
    exact = np.array(values, dtype=None if hasattr(values, "dtype") else object)
    if exact.shape != column.shape or exact.dtype.kind not in "iuO":
        exact = column
    whole = np.empty(column.shape, dtype=np.int64)
    for place, value in enumerate(exact.ravel().tolist()):
        number = int(value) if isinstance(value, Integral) else floor(float(value) + 0.5)
        if not -(2**63) <= number < 2**63:
            raise ValueError(
                f"the start of {name}, which is discrete, must be integers of 64 bits, from -2**63 "
                f"to 2**63 - 1; got {number}"
            )
        whole.flat[place] = number
    return whole


def as_position(values: Mapping[str, Any], dtypes: Mapping[str, type]) -> Position:
    """One start position as a tuple of Python numbers.

    Raises
    ------
    ValueError
        If parameters are missing or unknown, or a value is no single number.
    """
    columns = as_columns(values, dtypes)
    for name, column in columns.items():
        if column.size != 1:
            raise ValueError(
                f"the start of {name} must be one number; got an array of shape {column.shape}"
            )
    return tuple([column.item() for column in columns.values()])


def refused_start(point: Point, beta: float) -> str | None:
    """The reason that a chain cannot start at `point`; None if it can."""
    if point.logp == -inf:
        return "lies outside of the prior (logp = -inf)"
    if point.logl == -inf and beta > 0:
        return "has no likelihood (logl = -inf)"
    return None


def examined(level: Level, x: Position) -> tuple[Point | None, list[str]]:
    """The point at a start position, and why it cannot be used, if so.

    Raises
    ------
    ModelError
        If the model raises or returns what it may not.
    """
    # As numbers that its proposals jump from: inside a transdimensional one integers too.
    x = level.proposal_dist._position(dict(zip(level.parameters, x, strict=True)))
    named = dict(zip(level.parameters, x, strict=True))
    refusal = level.proposal_dist._refusal(x)
    if refusal:
        return None, [f"{named}: {refusal}"]
    try:
        point = evaluate(level._model, level.parameters, x, None)
    except NotFiniteError as error:
        return None, [f"{named}: {error.problem}"]
    except Exception as error:
        raise model_error(error, level.where(x)) from error
    refusal = refused_start(point, level.beta)
    return point, [f"{named} {refusal}"] if refusal else []


def points_at(level: Level, xs: Sequence[Position]) -> list[Point]:
    """The points at positions, wherever the chain stands; with no likelihood where NaN is rejected.

    Raises
    ------
    ModelError
        If the model raises or returns what it may not: says at which position, and of no chain.
    """
    points = []
    for x in xs:
        try:
            points.append(evaluate(level._model, level.parameters, x, None))
        except Exception as error:
            points.append(level._rejected(x, error, of_chain=False))
    return points


def present_point(level: Level) -> Point:
    """The present point of a chain, evaluated anew by the model.

    Raises
    ------
    ModelError
        If the model fails, or refuses the position.
    """
    # Rows that there are have the blob's keys.
    like = level.point if level.iteration > level.lastclear else None
    try:
        point = evaluate(level._model, level.parameters, level.point.x, like)
    except Exception as error:
        raise model_error(error, level.where()) from error
    refusal = refused_start(point, level.beta)
    if refusal:
        raise ModelError(
            f"the position where the chain stands {refusal}, says the model that was set since "
            "it came there. Set start_position to another, or the former model",
            level.where(),
        )
    return point


def asked_of(level: Any) -> list[Position]:
    """The positions at which a chain that has proposed is going to ask the model."""
    drawn: Position | None = level._drawn
    if drawn is None:
        return []
    if not level._learns_virtually:
        return [drawn]
    moves = level.proposal_dist._virtual_moves(level.point.x, drawn)
    return [drawn, *[move.x for move in moves]]


def positions_along(
    values: Mapping[str, Any], dtypes: Mapping[str, type], n: int, what: str = "temperature"
) -> list[Position]:
    """Start positions, one for each temperature or walker, from arrays along them.

    Raises
    ------
    ValueError
        If parameters are missing or unknown, a value is no number, or an array has another shape.
    """
    columns = {name: np.atleast_1d(column) for name, column in as_columns(values, dtypes).items()}
    wrong = [f"{name}: {c.shape}" for name, c in columns.items() if c.shape != (n,)]
    if wrong:
        raise ValueError(
            f"start positions must be arrays of shape ({n},), one value for each {what}; got "
            f"{', '.join(wrong)}"
        )
    return list(zip(*[column.tolist() for column in columns.values()], strict=True))
