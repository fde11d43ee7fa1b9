"""Checks of the parts of a prior, by what they draw and what their density is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.model.part import Part, Values, whole


@contextmanager
def named(part: Part) -> Iterator[None]:
    """Errors of what a user gave, with a note of the parameters for which it was asked."""
    try:
        yield
    except Exception as error:
        error.add_note(f"This came up when the prior of {', '.join(part.names)} was tried out")
        raise


def drawn_from(
    part: Part, rng: np.random.Generator, n: int, values: Values
) -> dict[str, NDArray[Any]]:
    """For each parameter of a part n draws, given draws of those that it needs.

    Raises
    ------
    ValueError
        If they are not n finite numbers, or not integers where they ought to be.
    """
    if not n:
        # What a user gave may not know how to draw nothing, as scipy's joint distributions.
        dtype = np.int64 if part.kind == "integer" else np.float64
        return {name: np.empty(0, dtype) for name in part.names}
    found = {}
    with named(part):
        columns = zip(part.names, part.draw(rng, n, values), strict=True)
        for name, column in columns:
            if column.shape != (n,):
                raise ValueError(
                    f"the prior of {name} gave draws of shape {column.shape} when asked for {n}; "
                    "it must give so many numbers. One distribution of several parameters has "
                    "their names as its key: Prior({('x', 'y'): distribution})"
                )
            if not np.isfinite(column).all():
                wrong = column[~np.isfinite(column)][0]
                raise ValueError(f"the prior of {name} draws {wrong}; draws must be finite numbers")
            found[name] = whole(name, column) if part.kind == "integer" else column
    return found


def check_densities(parts: Sequence[Part], rows: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a density that is not a finite number where it draws.

    Raises
    ------
    ValueError
        That has the parameters, a draw and the density there.
    """
    for values in rows:
        for part in parts:
            with named(part):
                value = part.log_density(values)
            if not isfinite(value):
                at = ", ".join(f"{name} = {values[name]!r}" for name in part.names)
                why = "its draws and its density do not belong together"
                if value == inf:
                    why = (
                        "so much of it lies there that many draws are the same number; sample "
                        "something that spreads it, as the logarithm of the distance from there"
                    )
                raise ValueError(
                    f"the prior of {', '.join(part.names)} draws {at}, where the log of its "
                    f"density is {value}: {why}"
                )
