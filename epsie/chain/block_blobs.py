"""The blobs of a block of chains, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.errors import ModelError
from epsie.model.batch import entries
from epsie.model.evaluation import Point

Rows = NDArray[np.intp]


class OtherBlobsError(ModelError):
    """A model returned blobs of another form than before; chains one by one know what to do."""


class BlockBlobs:
    """Blobs of where chains stand, and of where they are to go.

    Parameters
    ----------
    here : array
        Those of where they stand, a field for each key.
    """

    def __init__(self, here: NDArray[np.void]) -> None:
        self.here, self.there = here, here.copy()

    def propose(
        self,
        rows: slice | Rows,
        columns: Mapping[str, NDArray[Any]] | None,
        logp: NDArray[np.float64],
    ) -> None:
        """Take what a model said of where these rows are to go.

        Raises
        ------
        OtherBlobsError
            If it is of another form than what there is.
        """
        if columns is None and (logp == -inf).all():
            return
        names: Any = self.there.dtype.names
        if columns is None or columns.keys() != {*names}:
            raise OtherBlobsError("the model returned other blobs, or none")
        for name, column in columns.items():
            field = self.there[name]
            if (column.dtype, column.shape[1:]) != (field.dtype, field.shape[1:]):
                raise OtherBlobsError(f"the form of the blob's {name!r} changed")
            field[rows] = column

    def accept(self, rows: Rows) -> None:
        """Stand where some of the last jumps went."""
        self.here[rows] = self.there[rows]

    def swap(self, came_from: Rows) -> None:
        """Stand where others stood."""
        self.here = self.here[came_from]


def blobs_of(points: Sequence[Point]) -> BlockBlobs | None:
    """The blobs of points as arrays; None if they have no form that models of many points give."""
    blobs: list[Any] = [point.blob for point in points]
    columns = {}
    for name in blobs[0]:
        values = [blob[name] for blob in blobs]
        form = _form(values[0])
        if any(_form(value) != form for value in values):
            return None
        columns[name] = column = np.array(values)
        if column.dtype.kind not in "biuf" or _form(entries(column)[0]) != form:
            return None
    kinds = [(name, column.dtype, column.shape[1:]) for name, column in columns.items()]
    here = np.empty(len(points), kinds)
    for name, column in columns.items():
        here[name] = column
    return BlockBlobs(here)


def dicts_of(blobs: NDArray[np.void]) -> list[dict[str, Any]]:
    """Blobs as points have them."""
    names: Any = blobs.dtype.names
    columns = [entries(blobs[name].copy()) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _form(value: Any) -> tuple[Any, ...]:
    return type(value), getattr(value, "dtype", None), np.shape(value)
