"""The quantities that are looked at: parameters, and numbers that the model returned beside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from epsie.checks import as_names
from epsie.results.source import ALL
from epsie.results.visited import Columns, Visited

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


class Blobs(NamedTuple):
    """The numbers in the blobs, by the names by which they are known."""

    of: dict[str, dict[str, Quantity]]
    """By blob: one if it is a number, one for each element, as ``a[0]``, if it is an array."""

    refused: dict[str, str]
    """Those that are no numbers, and what they are."""


def blobs_of(visited: Visited) -> Blobs:
    """What the blobs of a run are. One with the name of a parameter is known as ``name (blob)``."""
    first = next(iter(visited.source.pieces("blobs", slice(1))), None)
    found, taken = Blobs({}, {}), set(visited.parameters)

    def known_as(name: str) -> str:
        while name in taken:
            name += " (blob)"
        taken.add(name)
        return name

    for field in () if first is None else first.dtype.names or ():
        kind = first.dtype[field]  # type: ignore[union-attr]
        name = known_as(field)
        if kind.base.kind not in _NUMBERS or 0 in kind.shape:
            found.refused[name] = _KINDS.get(kind.base.kind, "an empty array")
        elif kind.shape:
            found.of[name] = {
                known_as(f"{name}[{','.join(map(str, at))}]"): Quantity("blobs", field, at)
                for at in np.ndindex(kind.shape)
            }
        else:
            found.of[name] = {name: Quantity("blobs", field)}
    return found


def chosen(
    visited: Visited,
    parameters: str | Iterable[str] | None = None,
    blobs: bool | str | Iterable[str] = False,
    what: str = "parameters",
) -> dict[str, Quantity]:
    """The quantities that a person wants to see.

    Parameters
    ----------
    visited : Visited
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
    own = {name: Quantity("positions", name) for name in visited.parameters}
    if parameters is None and blobs is False:
        return own
    there = blobs_of(visited)
    known = {**own, **{n: q for of in there.of.values() for n, q in of.items()}}
    found: dict[str, Quantity] = {}
    for name in visited.parameters if parameters is None else as_names(parameters):
        found |= _named(name, known, there, what)
    if blobs is True:
        shown = [of for of in there.of.values() if len(of) <= MOST_ELEMENTS]
        return found | {name: q for of in shown for name, q in of.items()}
    for name in () if blobs is False else as_names(blobs):
        found |= _named(name, known, there, "blobs")
    return found


def _named(name: str, known: dict[str, Quantity], there: Blobs, what: str) -> dict[str, Quantity]:
    """The quantities of a name; of an array all.

    Raises
    ------
    ValueError
        If there are none.
    """
    if name in there.of:
        return there.of[name]
    if name in known:
        return {name: known[name]}
    if name in there.refused:
        raise ValueError(
            f"the blob {name!r} is {there.refused[name]}, and has no mean, quantiles or picture: "
            "let the model return a number for what is to be seen of it"
        )
    own = [name for name, quantity in known.items() if quantity.table == "positions"]
    also = f". There are the blobs {', '.join(there.of)}, too" if there.of else ""
    raise ValueError(f"{what} must be of {', '.join(own)}; got {name}{also}")


def left_out(visited: Visited) -> str:
    """Those blobs that are not shown unless they are named, in words; '' if there are none."""
    there = blobs_of(visited)
    texts = [f"{name} ({kind})" for name, kind in there.refused.items()]
    long = {name: len(of) for name, of in there.of.items() if len(of) > MOST_ELEMENTS}
    texts += [f"{name} ({n} numbers; shown if named)" for name, n in long.items()]
    return f"blobs that are left out: {', '.join(texts)}" if texts else ""


def draws_of(
    visited: Visited, quantities: dict[str, Quantity], temperature: int = 0, rows: slice = ALL
) -> Columns:
    """The draws of quantities at a temperature, each of shape (nchains, n).

    Raises
    ------
    ValueError
        If there is no such temperature, or no row.
    """
    tables: dict[str, dict[str, Any]] = {
        table: visited.columns_at(table, temperature, {q.field: 0 for q in of}, rows)
        for table in ("positions", "blobs")
        if (of := [q for q in quantities.values() if q.table == table])
    }
    # In one order in memory, as rounding depends on it.
    return {
        name: np.ascontiguousarray(tables[q.table][q.field][:, :, *q.element])
        for name, q in quantities.items()
    }
