"""Arrays of a state, read with care: they may come from a disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.errors import MalformedStateError


def fitting(
    plain: Mapping[str, Any],
    name: str,
    shape: tuple[int | None, ...] | None = None,
    *,
    positive: bool = False,
    finite: bool = True,
) -> NDArray[np.float64]:
    """The array of floats of this name; None stands for any length.

    Raises
    ------
    MalformedStateError
        If it is none, or has another shape or values.
    """
    array: NDArray[np.float64] = entry(plain, name, np.ndarray)
    fits = shape is None or (
        array.ndim == len(shape)
        and all(want is None or want == n for want, n in zip(shape, array.shape))
    )
    if array.dtype != np.float64 or not fits:
        raise malformed(name, f"an array of floats of shape {shape}", array)
    if finite and not np.isfinite(array).all():
        raise malformed(name, "finite", array)
    if positive and not (array > 0).all():
        raise malformed(name, "positive", array)
    return array


def counted(rows: NDArray[np.float64]) -> dict[str, Any]:
    """Any number of rows as plain data, which tells how many there are."""
    return {"n": len(rows), "values": rows}


def rows_of(plain: Any, name: str, width: int, *, finite: bool = True) -> NDArray[np.float64]:
    """The rows of this name that `counted` gave.

    Raises
    ------
    MalformedStateError
        If they are none, or not as many as they should be.
    """
    table = entry(plain, name, dict)
    n = entry(table, "n", int)
    try:
        return fitting(table, "values", (n, width), finite=finite)
    except MalformedStateError:
        raise malformed(name, f"{n} rows of {width} floats", table.get("values")) from None


def entry(plain: Any, name: str, kind: type) -> Any:
    """The entry of this name, of exactly this type.

    Raises
    ------
    MalformedStateError
        If there is none, or it is of another type.
    """
    if plain.__class__ is not dict or name not in plain or plain[name].__class__ is not kind:
        raise malformed(name, f"a {kind.__name__}", plain)
    return plain[name]


def malformed(name: str, must: str, value: Any) -> MalformedStateError:
    """The error for what no proposal could have written."""
    return MalformedStateError(
        f"the state of what was learned is malformed: {name} must be {must}; got one of type "
        f"{type(value).__name__}"
    )
