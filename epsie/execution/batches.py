"""Chains whose points a vectorised model is asked about together: whole batches go to a worker."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from epsie.chain.base import BaseChain
from epsie.errors import ModelError
from epsie.execution.repeating import differences
from epsie.model.evaluation import Point, Position


def by_id(chains: Sequence[BaseChain], rows: int) -> list[range]:
    """The chains in batches of so many points, as they step.

    In which one a chain is depends on its id alone: not on what else is stepped here.
    """
    each = max(1, rows // chains[0].points_at_once)
    numbers = [chain.chain_id // each for chain in chains]
    found = [[i for i, _ in group] for _, group in groupby(enumerate(numbers), lambda of: of[1])]
    return [range(indices[0], indices[-1] + 1) for indices in found]


def by_points(chains: Sequence[BaseChain], arguments: Sequence[Any], rows: int) -> list[range]:
    """Jobs of chains in batches of at most so many points, if no job alone has more."""
    found: list[range] = []
    filled = rows
    for i, (chain, xs) in enumerate(zip(chains, arguments, strict=True)):
        n = len(chain.by_temperature) if xs is None else len(xs)
        if filled + n > rows:
            found.append(range(i, i + 1))
            filled = n
        else:
            found[-1] = range(found[-1].start, i + 1)
            filled += n
    return found


def each_twice(xs: Sequence[Position]) -> list[Position]:
    """The first half of positions, each twice in a row, which shows what rows depend on."""
    return [xs[i // 2] for i in range(len(xs))]


def refuse_other_rows(points: Sequence[Point], again: Sequence[Point]) -> None:
    """Compare points with what was said of the first half of them when `each_twice` was asked.

    Raises
    ------
    ModelError
        If they differ by more than rounding.
    """
    for i, now in enumerate(again):
        for found in differences(points[i // 2], now):
            if not found.is_rounding:
                raise OtherRowsError(
                    f"at {now.x} the model gave {found.name} = {found.was!r} and, asked about "
                    f"other points beside it, {found.now!r}"
                )


class OtherRowsError(ModelError):
    """A vectorised model gives rows in another order, or what depends on other rows."""

    advice = (
        "entry i of what a vectorised model returns must be of point i alone: sort nothing, and "
        "take sums, means and maxima along the axes of data, never along that of points"
    )
