"""The axis of temperatures at the face of a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from epsie.chain.chaindata import stack_tables
from epsie.chain.start import as_columns
from epsie.model.evaluation import Position


def stacked(values: Sequence[Any]) -> Any:
    """Tables, or dicts of numbers, of each temperature as one with a leading axis; None of None."""
    if values[0] is None:
        return None
    if isinstance(values[0], Mapping):
        return {name: np.array([value[name] for value in values]) for name in values[0]}
    return stack_tables(values)


def parted(columns: Mapping[str, Any], ntemps: int) -> list[Mapping[str, Any]]:
    """A dict of arrays as one dict for each temperature."""
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    return [{name: array[t] for name, array in arrays.items()} for t in range(ntemps)]


def positions_along(
    values: Mapping[str, Any], dtypes: Mapping[str, type], ntemps: int
) -> list[Position]:
    """Start positions, one for each temperature, from arrays along them.

    Raises
    ------
    ValueError
        If parameters are missing or unknown, a value is no number, or an array has another shape.
    """
    columns = {name: np.atleast_1d(column) for name, column in as_columns(values, dtypes).items()}
    wrong = [f"{n}: {c.shape}" for n, c in columns.items() if c.shape != (ntemps,)]
    if wrong:
        raise ValueError(
            f"start positions must be arrays of shape ({ntemps},), one value for each "
            f"temperature; got {', '.join(wrong)}"
        )
    return list(zip(*[column.tolist() for column in columns.values()], strict=True))
