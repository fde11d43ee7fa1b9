"""The quantities that are looked at: parameters, and numbers that the model returned beside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from epsie.checks import as_names
from epsie.results.source import ALL
from epsie.results.view import Columns, View

MOST_ELEMENTS = 16
"""An array with more is looked at only if it is named."""

_NUMBERS = "biuf"
_KINDS = {"c": "complex", "S": "text", "U": "text"}


class Quantity(NamedTuple):
    """The place of a number in the tables."""

    table: str
    field: str
    element: tuple[int, ...] = ()
    """Its index in the array that a blob may be."""


def blobs_of(view: View) -> dict[str, dict[str, Quantity] | str]:
    """The numbers in the blobs: one, or one for each element of an array, as ``a[0]``.

    Of what is no number, what it is. One with the name of a parameter is known as ``name (blob)``.
    """
    first = next(iter(view.source.pieces("blobs", slice(1))), None)
    found: dict[str, dict[str, Quantity] | str] = {}
    taken = set(view.parameters)

    def known_as(name: str) -> str:
        while name in taken:
            name += " (blob)"
        taken.add(name)
        return name

    for field in () if first is None else first.dtype.names or ():
        kind, name = first.dtype[field], known_as(field)  # type: ignore[union-attr]
        if kind.base.kind not in _NUMBERS or 0 in kind.shape:
            found[name] = _KINDS.get(kind.base.kind, "an empty array")
            continue
        found[name] = {
            known_as(f"{name}[{','.join(map(str, at))}]") if at else name: Quantity(
                "blobs", field, at
            )
            for at in np.ndindex(kind.shape)
        }
    return found


def chosen(
    view: View,
    parameters: str | Iterable[str] | None = None,
    blobs: bool | str | Iterable[str] = False,
    what: str = "parameters",
) -> dict[str, Quantity]:
    """The quantities that a person wants to see.

    Parameters
    ----------
    view : View
        What is looked at.
    parameters : str or iterable of str, optional
        Parameters, blobs, or elements of blobs that are arrays, as ``a[0]``; by default all
        parameters.
    blobs : bool, str or iterable of str, optional
        Blobs beside these; True: all that are numbers, and arrays of at most `MOST_ELEMENTS`.
    what : str, optional
        The name of the argument, for messages.

    Raises
    ------
    ValueError
        If there is no such parameter or blob, or it is no number.
    """
    own = {name: Quantity("positions", name) for name in view.parameters}
    if parameters is None and blobs is False:
        return own
    there = blobs_of(view)
    known = {name: {name: quantity} for name, quantity in own.items()}
    known |= {n: {n: q} for of in there.values() if not isinstance(of, str) for n, q in of.items()}
    wanted = [(name, what) for name in (own if parameters is None else as_names(parameters))]
    if isinstance(blobs, bool):
        also = [name for name, of in there.items() if blobs and not _unseen(of)]
    else:
        also = [*as_names(blobs)]
    wanted += [(name, "blobs") for name in also]
    found: dict[str, Quantity] = {}
    for name, argument in wanted:
        quantities = there.get(name) or known.get(name)
        if quantities is None and argument == "blobs":
            raise ValueError(f"there is no blob {name!r}; there are {', '.join(there) or 'none'}")
        if quantities is None:
            more = f". There are the blobs {', '.join(there)}, too" if there else ""
            raise ValueError(f"{argument} must be of {', '.join(own)}; got {name}{more}")
        if isinstance(quantities, str):
            raise ValueError(
                f"the blob {name!r} is {quantities}, and has no mean, quantiles or picture: let "
                "the model return a number for what is to be seen of it"
            )
        found |= quantities
    return found


def _unseen(blob: dict[str, Quantity] | str) -> str:
    """The reason why a blob is not shown unless it is named; '' if it is."""
    if isinstance(blob, str):
        return blob
    return f"{len(blob)} numbers; shown if named" if len(blob) > MOST_ELEMENTS else ""


def left_out(view: View) -> str:
    """Those blobs that are not shown unless they are named, in words; '' if there are none."""
    texts = [f"{name} ({why})" for name, of in blobs_of(view).items() if (why := _unseen(of))]
    return f"blobs that are left out: {', '.join(texts)}" if texts else ""


def draws_of(
    view: View, quantities: dict[str, Quantity], temperature: int = 0, rows: slice = ALL
) -> Columns:
    """The draws of quantities at a temperature, each of shape (nchains, n).

    Raises
    ------
    ValueError
        If there is no such temperature, or no row.
    """
    tables: dict[str, dict[str, Any]] = {
        table: view.columns_at(table, temperature, {q.field: 0 for q in of}, rows)
        for table in ("positions", "blobs")
        if (of := [q for q in quantities.values() if q.table == table])
    }
    # In one order in memory, as rounding depends on it.
    return {
        name: np.ascontiguousarray(tables[q.table][q.field][:, :, *q.element])
        for name, q in quantities.items()
    }
