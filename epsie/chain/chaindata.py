"""Structured arrays that grow: the tables of a history, and the columns of blobs in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from epsie.checks import as_names
from epsie.copying import SetsAttributes
from epsie.errors import ModelError
from epsie.model.blob import STORABLE, check_storable


def array2dict(array: Any) -> Any:
    """A structured array as a dict of its fields.

    Parameters
    ----------
    array : array
        A structured array, or one element of it.

    Returns
    -------
    dict
        Of arrays, or of Python scalars for a single element. An array without fields is returned
        as it is.
    """
    if array.dtype.names is None:
        return array
    fields = {name: array[name] for name in array.dtype.names}
    return {name: field.item() if field.ndim == 0 else field for name, field in fields.items()}


def stack_tables(tables: Sequence[Any]) -> NDArray[np.void]:
    """Structured arrays as one with a new leading axis; types are widened to a common one."""
    return np.stack(tables).astype(np.result_type(*tables), copy=False)


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


def detect_dtypes(data: Any) -> dict[str, Any]:
    """The type of each field of a structured array, or of each value of a dict."""
    if isinstance(data, Mapping):
        return {
            name: value.dtype if isinstance(value, np.ndarray | np.generic) else type(value)
            for name, value in data.items()
        }
    return {name: data.dtype[name] for name in data.dtype.names}


class ChainData(SetsAttributes):
    """A structured array, one row an iteration, that can be extended.

    Parameters
    ----------
    parameters : str or iterable of str
        The names of the fields.
    dtypes : dict, optional
        The type of each field; float where none is given.
    ntemps : int, optional
        The number of temperatures. Rows are arrays of that length if it is more than 1.
    """

    def __init__(
        self,
        parameters: str | Iterable[str],
        dtypes: Mapping[str, DTypeLike] | None = None,
        ntemps: int = 1,
    ) -> None:
        self.parameters = as_names(parameters)
        self.ntemps = ntemps
        self.data: NDArray[np.void] | None = None
        """Shape (n,), or (n, ntemps); None at first."""
        self._dtypes: dict[str, DTypeLike] = {}
        self.dtypes = dict(dtypes or {})

    def __repr__(self) -> str:
        return f"ChainData({self.parameters}, len={len(self)}, ntemps={self.ntemps})"

    @property
    def dtypes(self) -> dict[str, DTypeLike]:
        """The type of each field. Setting some casts what there is.

        Raises
        ------
        ValueError
            For a name that is no field.
        """
        return self._dtypes

    @dtypes.setter
    def dtypes(self, dtypes: Mapping[str, DTypeLike]) -> None:
        unknown = sorted(set(dtypes) - set(self.parameters))
        if unknown:
            raise ValueError(
                f"there is no field {', '.join(unknown)}; fields are {', '.join(self.parameters)}"
            )
        given = {**self._dtypes, **dtypes}
        self._dtypes = {name: given.get(name, float) for name in self.parameters}
        self.dtype = np.dtype([_field(name, kind) for name, kind in self._dtypes.items()])
        """The type of a row."""
        if self.data is not None:
            self.data = self.data.astype(self.dtype)

    def __len__(self) -> int:
        return 0 if self.data is None else len(self.data)

    def __getitem__(self, index: Any) -> Any:
        if self.data is None:
            raise IndexError("there is no data yet: extend it first")
        return self.data[index]

    def __setitem__(self, index: int, values: Mapping[str, Any]) -> None:
        if self.data is None:
            raise IndexError("there is no data yet: extend it first")
        for name in self.parameters:
            self.data[name][index] = values[name]

    def extend(self, n: int) -> None:
        """Add `n` rows, filled with NaN (0 where there is no NaN)."""
        shape: tuple[int, ...] = (n,) if self.ntemps == 1 else (n, self.ntemps)
        new = np.zeros(shape, dtype=self.dtype)
        for name in self.parameters:
            if new.dtype[name].base.kind in "fc":
                new[name] = np.nan
        self.data = new if self.data is None else np.concatenate([self.data, new])

    def reserve(self, n: int) -> None:
        """Make room for `n` rows; what new ones hold is left open."""
        have = len(self)
        if n > have:
            longer = np.empty((n,) if self.ntemps == 1 else (n, self.ntemps), dtype=self.dtype)
            if self.data is not None:
                longer[:have] = self.data
            self.data = longer

    def set_len(self, n: int) -> None:
        """Extend to `n` rows.

        Raises
        ------
        ValueError
            If there are more already.
        """
        if n < len(self):
            raise ValueError(f"cannot shrink to {n} rows; there are {len(self)}. Use clear")
        if n > len(self):
            self.extend(n - len(self))

    def clear(self, newlen: int | None = None) -> None:
        """Drop all rows, and start again with `newlen` new ones; with as many if None."""
        n = len(self) if newlen is None else newlen
        self.data = None
        if n:
            self.extend(n)

    def emptied(self) -> ChainData:
        """One with the same fields and no rows."""
        twin = ChainData.__new__(ChainData)
        twin.parameters, twin.ntemps = self.parameters, self.ntemps
        twin._dtypes, twin.dtype, twin.data = self._dtypes, self.dtype, None
        return twin

    def asdict(self, index: Any = None) -> dict[str, Any]:
        """The fields of all rows, or of some, as a dict."""
        values: dict[str, Any] = array2dict(self[... if index is None else index])
        return values


def _field(name: str, kind: Any) -> Any:
    """A field of a structured dtype; `kind` may be a type, a dtype or (dtype, shape)."""
    return (name, *kind) if isinstance(kind, tuple) else (name, kind)


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
