"""Steps of a chain repeated, and compared bit for bit: `run(..., verify=True)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.base import Segment
from epsie.errors import NotReproducibleError
from epsie.storage.statetree import encode

_ADVICE = (
    "A model must always give the same for the same parameters: no random numbers of its own or of "
    "numpy.random, nothing that it remembers from call to call and that changes what it gives, "
    "nothing that depends on the time or the process. The same holds for proposals of your own. "
    "This run is not attached; assign a mended sampler.model, and run again"
)


class Verifier:
    """Says which chain is repeated, in turns."""

    def __init__(self) -> None:
        self._turn = 0

    def next(self, nchains: int) -> int:
        """The index of the chain whose turn it is: the last one first."""
        self._turn += 1
        return -self._turn % nchains


def refuse_difference(chain: int, begin: int, found: Segment, again: Segment) -> None:
    """Compare what a chain gave with what it gave when it was repeated serially, bit for bit.

    Parameters
    ----------
    chain : int
        The chain's number.
    begin : int
        Its iteration before.
    found, again : Segment
        What it gave, and what it gave serially.

    Raises
    ------
    NotReproducibleError
        If they differ; it says where, and in what.
    """
    first: tuple[int, dict[str, Any]] | None = None
    tables = zip(_tables(found), _tables(again))
    for (where, one), (_, other) in tables:
        row = _first_difference(one, other)
        if row is not None and (first is None or row < first[0]):
            values = {"in the run": one[row].item(), "repeated": other[row].item()}
            first = row, {**where, **values}
    if first is not None:
        row, what = first
        raise NotReproducibleError(
            f"a chain gave something else when it was repeated. {_ADVICE}",
            {"chain": chain, "iteration": begin + row + 1, **what},
        )
    if encoded(found.state) != encoded(again.state):
        raise NotReproducibleError(
            f"a chain visited the same when it was repeated, but has another state. {_ADVICE}",
            {"chain": chain, "iteration": begin + 1},
        )


def _tables(segment: Segment) -> Iterator[tuple[dict[str, Any], NDArray[Any]]]:
    """Every column of the rows at each temperature, and what it is of."""
    levels = segment.by_temperature
    for level, rows in enumerate(levels):
        where = {"temperature number": level} if len(levels) > 1 else {}
        for table, kind in _KINDS.items():
            if (columns := rows[table]) is not None:
                for name in columns.dtype.names or ():
                    yield {**where, "what differs": kind.format(name)}, columns[name]


_KINDS = {
    "positions": "parameter {}",
    "stats": "{}",
    "blobs": "blob {}",
    "acceptance": "{} of the jump, hence the logl or logp proposed",
}


def _first_difference(one: NDArray[Any], other: NDArray[Any]) -> int | None:
    """The first row in which two columns have other bits."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return 0
    if one.dtype.hasobject:
        different = np.array([a != b for a, b in zip(one, other, strict=True)], dtype=bool)
    else:
        bits = [np.ascontiguousarray(part).view(np.uint8) for part in (one, other)]
        unequal = bits[0] != bits[1]
        different = unequal.reshape(len(one), -1).any(axis=1) if len(one) else unequal
    return int(np.argmax(different)) if different.any() else None


def encoded(state: Any) -> bytes:
    """Plain data as bytes, to be compared; b'' for anything else."""
    try:
        return bytes(encode(state))
    except TypeError:
        # What a user's proposal keeps need be no plain data to be run.
        return b""
