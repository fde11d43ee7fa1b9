"""Blobs: what a model may return beside logl and logp, and the copy of it that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import given
from epsie.errors import ModelError

STORABLE = "biufcUS"
"""The kinds of numpy types that a blob's values may have."""

_UNCHANGING = frozenset({float, int, bool, str, complex, bytes, np.float64, np.int64, np.bool_})
"""Types whose values may be shared. All others are copied: the model may update them in place."""

Blob = Mapping[str, Any]


class BlobTypeError(ModelError, TypeError):
    """The model's blob is no dict of names and values."""


def first_blob(blob: Any) -> dict[str, Any] | None:
    """A copy of a blob that has none to be like; None for none.

    Raises
    ------
    ModelError
        If it is no dict of names and storable values, or is empty.
    """
    if blob is None:
        return None
    if not isinstance(blob, Mapping):
        raise BlobTypeError(
            f"the model's blob must be a dict of names and values; got {given(blob)}. "
            "Return (logl, logp) if there is nothing to add"
        )
    if not blob:
        raise BlobTypeError("the model's blob is empty: return (logl, logp) without one, or None")
    own = {}
    for key, value in blob.items():
        if not isinstance(key, str):
            raise BlobTypeError(f"the keys of the model's blob must be str; got {key!r}")
        if not key:
            raise BlobTypeError(f"a key of the model's blob is empty; got {given(blob)}")
        own[str.__str__(key)] = _own(key, value)
    return own


def next_blob(blob: Any, first: Blob | None) -> dict[str, Any] | None:
    """A copy of a blob, in the order of the keys of one before.

    Raises
    ------
    ModelError
        If it has other keys, or a value that cannot be stored.
    """
    if first is None:
        raise ModelError(
            f"the model returned a blob, {given(blob)}, but none at the start position; "
            "it must always return one, with the same keys, or never"
        )
    if blob.__class__ is dict and len(blob) == len(first):
        own: dict[str, Any] = {}
        for key in first:
            if key not in blob:
                break
            value = blob[key]
            kind = value.__class__
            if kind not in _UNCHANGING:
                value = value.copy() if kind is np.ndarray else _own(key, value)
            own[key] = value
        else:
            return own
    return _in_order(blob, first)


def _in_order(blob: Any, first: Blob) -> dict[str, Any]:
    """The same of a blob that is no plain dict, or has other keys."""
    own = first_blob(blob) if isinstance(blob, Mapping) and blob else None
    if own is None or own.keys() != first.keys():
        got = given(blob) if own is None else sorted(own)
        raise ModelError(
            f"the model's blob changed: got {got}, at the start it had the keys {sorted(first)}"
        )
    return {key: own[key] for key in first}


def _own(key: str, value: Any) -> Any:
    """A blob's value that nobody else can change."""
    if isinstance(value, np.generic) and value.dtype.kind in STORABLE:
        return value
    own = check_storable(key, value)
    if own.ndim or isinstance(value, float | int | complex | str | bytes):
        return own if own.ndim else value
    return own[()]


def check_storable(key: str, value: Any) -> NDArray[Any]:
    """A copy of a blob's value as an array.

    Raises
    ------
    ModelError
        If it is no number, bool, string or array of those.
    """
    try:
        own = np.array(value)
    except ValueError:
        own = np.array(None)
    if own.dtype.kind not in STORABLE:
        raise ModelError(
            f"the model's blob has {key!r}: {given(value)}, which cannot be stored; allowed are "
            "numbers, bools, strings and arrays of a fixed shape (for a missing number use NaN)"
        )
    return own
