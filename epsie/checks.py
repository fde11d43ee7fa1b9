"""Checks of arguments that more than one part needs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Reversible, Set
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_names(parameters: str | Iterable[str]) -> tuple[str, ...]:
    """Parameter names as a tuple of exactly str: those of numpy's str become such.

    Raises
    ------
    ValueError
        If there is none, one is empty or repeated, or they have no order, as in a set.
    TypeError
        If one is not a str.
    """
    names = (parameters,) if isinstance(parameters, str) else in_order(parameters, "parameters")
    if not names:
        raise ValueError("parameters must hold at least one name; got none")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"parameters must be str; got {name!r} of type {type(name).__name__}")
        if not name:
            raise ValueError(f"the name of a parameter is empty; got {names!r}")
    # Of a str's subclass, as numpy's, the text: what is written must be read again.
    names = tuple([str.__str__(name) for name in names])
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"parameters must differ; got {', '.join(repeated)} more than once")
    return names


def in_order(values: Iterable[Any], what: str) -> tuple[Any, ...]:
    """Several things as a tuple.

    Raises
    ------
    ValueError
        If they have no order: that of a set changes from one process to the next.
    TypeError
        If they are no several things.
    """
    # What is in an order can be reversed, the keys of a dict too.
    if isinstance(values, Set) and not isinstance(values, Reversible):
        raise ValueError(
            f"{what} must have an order, which a {type(values).__name__} has not: samples would "
            f"differ from one process to the next. Give a list; got {values!r}"
        )
    if isinstance(values, Iterable):
        return tuple(values)
    raise TypeError(f"{what} must be several, as a list; got {given(values)}")


def as_count(value: Any, name: str, least: int = 1) -> int:
    """A whole number as an int.

    Raises
    ------
    ValueError
        If it is less than `least`, or not whole.
    TypeError
        If it is no number.
    """
    try:
        whole = not isinstance(value, bool) and int(value) == value
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise (ValueError if isinstance(value, float) else TypeError)(
            f"{name} must be a whole number; got {value!r}"
        )
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value!r}")
    return int(value)


def as_bool(value: Any, name: str) -> bool:
    """True or False.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def as_floats(values: Any, name: str, ndmin: int = 0) -> NDArray[np.float64]:
    """Numbers as a new array of floats.

    Raises
    ------
    ValueError
        If they are none. Texts that read like numbers are none.
    """
    try:
        array = np.array(values, dtype=float, ndmin=ndmin)
        if np.asarray(values).dtype.kind not in "US":
            return array
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"{name} must be numbers; got {given(values)}")


def as_number(value: Any, name: str) -> float:
    """A real number as a float.

    Raises
    ------
    TypeError
        If it is none. A text that reads like one is none.
    """
    try:
        if not isinstance(value, bool | str | bytes) and np.ndim(value) == 0:
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise TypeError(f"{name} must be a number; got {given(value)}")


def as_rate(value: Any, name: str) -> float:
    """A number between 0 and 1, both excluded.

    Raises
    ------
    ValueError
        If it is none.
    TypeError
        If it is no number.
    """
    rate = as_number(value, name)
    if not 0 < rate < 1:
        raise ValueError(f"{name} must lie between 0 and 1, both excluded; got {value!r}")
    return rate


def as_beta(beta: Any) -> float:
    """An inverse temperature.

    Raises
    ------
    ValueError
        If it does not lie in [0, 1].
    TypeError
        If it is no number.
    """
    number = as_number(beta, "beta")
    if not 0 <= number <= 1:
        raise ValueError(f"beta must lie in [0, 1]; got {beta!r}")
    return number


def as_path(path: Any, name: str = "directory") -> Path:
    """The path of a directory.

    Raises
    ------
    ValueError
        If it is empty, which would be the directory that the process happens to be in.
    TypeError
        If it is no path.
    """
    if not isinstance(path, str | PathLike):
        raise TypeError(f"{name} must be a path, as 'run'; got {given(path)}")
    if not os.fspath(path):
        raise ValueError(f"{name} is an empty path: name one, as 'run', or '.' for this one")
    return Path(path)


_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
_TIME = re.compile(rf"\s*(\d+(?:\.\d*)?|\.\d+)\s*({'|'.join(_SECONDS)})\s*")


def seconds_in(text: str) -> float | None:
    """The seconds in a time as '60s', '10min' or '3h50m'; None if it is none."""
    parts = _TIME.findall(text)
    if not parts or _TIME.sub("", text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def given(value: Any, limit: int = 200) -> str:
    """A given value and its type as text, for messages: shortened if it is long."""
    text = f"{value!r} of type {type(value).__name__}"
    return text if len(text) <= limit else f"{text[:limit]}..."


def users_line() -> int:
    """The `stacklevel` of the line outside of this package that led here, for a warning."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("epsie."):
        level, frame = level + 1, frame.f_back
    return level
