"""Answers repeated in this process, and compared: steps of a chain, and a worker's first point."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from epsie.chain.base import Segment
from epsie.errors import NotReproducibleError, PoolError
from epsie.model.evaluation import Point
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


_CAUSES = (
    "The model depends on something that the workers have not: what the main script sets after "
    "imports (jax.config.update('jax_enable_x64', True), numpy.seterr, variables of modules), "
    "environment variables, the number of threads of linear algebra (BLAS), the type of machine. "
    "Set it inside the model or in the module where it is defined, or in the environment before "
    "Python starts. If the workers are right, give the sampler check_workers=False"
)

_TOLERANCE = 1e-8
"""The relative difference beyond which it is another model."""

_NOTHING = 1e-12
"""An absolute difference that is none of models: what is left where large terms cancel."""


class Difference(NamedTuple):
    """Something that two answers do not have in common."""

    name: str
    was: float
    now: float

    @property
    def is_rounding(self) -> bool:
        """Whether it is one of last bits."""
        largest = max(abs(self.was), abs(self.now))
        allowed = max(_NOTHING, _TOLERANCE * largest)
        return isfinite(largest) and abs(self.was - self.now) <= allowed


def differences(was: Point, now: Point) -> Iterator[Difference]:
    """In what two answers differ, of log likelihood and log prior."""
    for name in ("logl", "logp"):
        difference = Difference(name, getattr(was, name), getattr(now, name))
        if difference.was != difference.now:
            yield difference


def refuse_other_answer(there: Point | None, here: Point | None) -> None:
    """Compare what a worker and this process say of a position.

    Parameters
    ----------
    there, here : Point or None
        Their answers; None if the model gave NaN.

    Raises
    ------
    PoolError
        If they differ by more than rounding. Other last bits warn, and other blobs.
    """
    if there is None or here is None:
        if there is not here:
            which = "a worker" if there is None else "this process"
            raise PoolError(f"the model gives NaN or +inf in {which} alone. {_CAUSES}")
        return
    for found in differences(there, here):
        text = f"{found.name} is {found.was!r} in a worker and {found.now!r} in this process"
        if not found.is_rounding:
            raise PoolError(f"at {here.x} {text}. {_CAUSES}")
        _warn(f"{text}: they differ in their last bits, so samples depend on the pool")
    if encoded(there.blob) != encoded(here.blob):
        _warn(f"the blob is {there.blob} in a worker and {here.blob} in this process")


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def first_point(result: Any) -> Point | None:
    """The first point of what chains answer that are asked about positions."""
    points = result[0] if isinstance(result, tuple) else result
    point: Point | None = points[0]
    return point
