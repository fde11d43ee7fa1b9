"""The blobs of many points, as columns of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.chaindata import ChainData
from epsie.errors import ModelError
from epsie.model.blob import STORABLE, check_storable


def blob_columns(blobs: list[Any]) -> dict[str, NDArray[Any]]:
    """The blobs of many points, as one array for each key."""
    columns = {}
    for key in blobs[0]:
        name, values = str(key), [blob[key] for blob in blobs]
        try:
            columns[name] = np.array(values)
        except ValueError:
            raise ModelError(
                f"the shape of the blob's {name!r} changed; shapes were "
                f"{sorted({np.shape(value) for value in values})}"
            ) from None
        kind = columns[name].dtype.kind
        if kind not in STORABLE:
            for value in values:
                check_storable(name, value)
        # numpy would make strings of numbers that come with strings.
        if kind in "SU" and not all(np.asarray(value).dtype.kind == kind for value in values):
            raise ModelError(f"the blob's {name!r} was a number and a string; it must stay one")
    return columns


def kind_of(column: NDArray[Any]) -> Any:
    """The type of a field that takes the column."""
    return (column.dtype, column.shape[1:]) if column.ndim > 1 else column.dtype


def wider_kinds(table: ChainData, columns: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The types of those fields that have to be widened for new rows."""
    wider = {}
    dtype = table.dtype
    for name, new in columns.items():
        old = dtype[name]
        if new.shape[1:] != old.shape or (old.base.kind in "SU") != (new.dtype.kind in "SU"):
            raise ModelError(
                f"the blob's {name!r} changed from {old.base} of shape {old.shape} to {new.dtype} "
                f"of shape {new.shape[1:]}; it must keep its shape and stay a number or a string"
            )
        both = np.result_type(old.base, new.dtype)
        if both != old.base:
            wider[name] = (both, old.shape) if old.shape else both
    return wider
