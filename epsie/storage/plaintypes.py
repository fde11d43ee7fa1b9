"""The types of those arrays that are saved: numbers, bools and strings, and rows of them."""

from __future__ import annotations

import re
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from epsie.errors import CheckpointError

_SIMPLE = re.compile(r"[<>|](b1|[iu][1248]|f(2|4|8|16)|c(8|16|32)|[SU][0-9]{1,9})")
_MAX_DEPTH = 8


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
            fields.append([name, spec_of(base).plain, list(shape)])
        return Spec(fields, _dtype(fields, 0))
    if not _SIMPLE.fullmatch(dtype.str):
        raise TypeError(f"its type is {dtype}; allowed are numbers, bools and strings")
    return Spec(dtype.str, dtype)


def read_array(plain: Any, shape: Any, block: memoryview) -> NDArray[Any]:
    """An array of that type and shape, as a read-only view of its bytes.

    Raises
    ------
    CheckpointError
        If the type is not allowed, or the bytes are not as many.
    """
    dtype, shape = _dtype(plain, 0), _shape(shape)
    size = prod(shape) * dtype.itemsize
    if size != len(block):
        raise CheckpointError(f"malformed: an array of {len(block)} bytes instead of {size}")
    array: NDArray[Any] = np.ndarray(shape, dtype, buffer=block if size else None)
    array.flags.writeable = False
    return array


def _dtype(plain: Any, depth: int) -> np.dtype[Any]:
    if isinstance(plain, list) and depth < _MAX_DEPTH:
        fields = [(str(n), _dtype(t, depth + 1), _shape(s)) for n, t, s in plain]
        return np.dtype(fields)
    if not isinstance(plain, str) or not _SIMPLE.fullmatch(plain):
        raise CheckpointError(f"malformed: {plain!r:.100} is no type of an array")
    return np.dtype(plain)


def _shape(plain: Any) -> tuple[int, ...]:
    shape = tuple(plain)
    if len(shape) > 32 or any(n.__class__ is not int or not 0 <= n < 2**62 for n in shape):
        raise CheckpointError(f"malformed: {plain!r:.100} is no shape")
    return shape
