"""The types of those arrays that are saved: numbers, bools and strings, and rows of them."""

from __future__ import annotations

import re
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from epsie.errors import CheckpointError

_SIMPLE = re.compile(r"[<>|](b1|[iu][1248]|f(2|4|8|16)|c(8|16|32)|[SU][1-9][0-9]{0,8})")
_MAX_DEPTH = 8
_MAX_DIMENSIONS = 32
_MAX_EMPTY = 2**24
"""Rows of an array in which there is nothing: what looks at each of them must come to an end."""


class Spec(NamedTuple):
    """The type of an array: as plain data, and as it is in memory without gaps."""

    plain: Any
    dtype: np.dtype[Any]


def spec_of(dtype: np.dtype[Any]) -> Spec:
    """The type as plain data: a string, or a list of [name, type, shape] for rows.

    Raises
    ------
    TypeError
        If arrays of this type cannot be saved.
    """
    if dtype.names is not None:
        fields = []
        for name in dtype.names:
            base, shape = dtype[name].base, dtype[name].shape
            fields.append([str(name), spec_of(base).plain, list(shape)])
        return Spec(fields, _dtype(fields, 0))
    return Spec(dtype.str, _dtype(dtype.str, 0))


def as_shape(plain: Any) -> tuple[int, ...]:
    """The shape of an array.

    Raises
    ------
    TypeError
        If no array of this shape can be saved.
    """
    shape = tuple(plain)
    if any(n.__class__ is not int or n < 0 for n in shape):
        raise TypeError(f"{plain!r:.100} is no shape")
    empty = 0 in shape and prod(n for n in shape if n) > _MAX_EMPTY
    if len(shape) > _MAX_DIMENSIONS or empty:
        raise TypeError(f"its shape is {shape!r:.100}, which is too large")
    return shape


def read_array(plain: Any, shape: Any, block: memoryview) -> NDArray[Any]:
    """An array of that type and shape, as a read-only view of its bytes.

    Raises
    ------
    CheckpointError
        If the type is not allowed, or the bytes are not as many.
    """
    try:
        dtype, shape = _dtype(plain, 0), as_shape(shape)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"malformed: an array: {error}") from error
    size = prod(shape) * dtype.itemsize
    if size != len(block):
        raise CheckpointError(f"malformed: an array of {len(block)} bytes instead of {size}")
    array: NDArray[Any] = np.ndarray(shape, dtype, buffer=block if size else None)
    array.flags.writeable = False
    return array


def _dtype(plain: Any, depth: int) -> np.dtype[Any]:
    """The type, of plain data that may be anything; what is refused raises a TypeError."""
    if plain.__class__ is not list:
        if plain.__class__ is not str or not _SIMPLE.fullmatch(plain):
            raise TypeError(
                f"its type is {_shown_type(plain)}; allowed are numbers, bools and strings"
            )
        return np.dtype(plain)
    if not plain or depth >= _MAX_DEPTH:
        raise TypeError("its rows have no fields, or are nested too deeply")
    fields = []
    for name, base, shape in plain:
        if name.__class__ is not str or not name:
            raise TypeError(f"one of its fields is called {name!r:.100}")
        fields.append((name, _dtype(base, depth + 1), as_shape(shape)))
    made = np.dtype(fields)
    if not made.itemsize:
        raise TypeError("its rows are empty")
    return made


def _shown_type(plain: Any) -> str:
    try:
        return str(np.dtype(plain)) if isinstance(plain, str) else f"{plain!r:.100}"
    except TypeError:
        return f"{plain!r:.100}"
