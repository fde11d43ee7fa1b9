"""Where chains may start."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.model.evaluation import Point, Position

NO_START = "the chain has no start position yet: set `start_position` first"


_ACTIVE = "_state"
"""The key under which EPSIE 1.x told which components are active. NaN tells it; it is ignored."""


def check_names(given: Iterable[str], parameters: Iterable[str]) -> None:
    """Refuse values for other parameters than there are.

    Raises
    ------
    ValueError
        That names all missing and all unknown ones.
    """
    given, parameters = list(given), list(parameters)
    missing = [name for name in parameters if name not in given]
    surplus = [str(name) for name in given if name not in (*parameters, _ACTIVE)]
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


def as_columns(values: Mapping[str, Any], dtypes: Mapping[str, type]) -> dict[str, NDArray[Any]]:
    """The start values of all parameters, in their order, as floats, or ints if discrete.

    Raises
    ------
    ValueError
        If parameters are missing or unknown, or a value is no number.
    """
    check_names(values, dtypes)
    columns = {}
    for name, kind in dtypes.items():
        columns[name] = _as_column(values[name], kind, name)
    return columns


def _as_column(values: Any, kind: type, name: str) -> NDArray[Any]:
    """The start values of one parameter as floats, or as ints if it is discrete.

    A discrete value that is no integer is rounded, halves up, with a warning.

    Raises
    ------
    ValueError
        If a value is no number.
    """
    try:
        column = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"the start of {name} must be numbers; got {values!r}") from None
    if kind is not int:
        return column
    if not np.isfinite(column).all():
        raise ValueError(
            f"the start of {name}, which is discrete, must be integers; got {values!r}"
        )
    whole = np.floor(column + 0.5)
    if (whole != column).any():
        # Of the line that sets the start. A comprehension in between is a frame in Python 3.11.
        warnings.warn(
            f"{name} is discrete: start values were rounded to integers, halves up", stacklevel=5
        )
    return whole.astype(np.int64)


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
    """Why a chain cannot start at `point`; None if it can."""
    if point.logp == -inf:
        return "lies outside of the prior (logp = -inf)"
    if point.logl == -inf and beta > 0:
        return "has no likelihood (logl = -inf)"
    return None
