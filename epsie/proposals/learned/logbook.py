"""The logbook of lessons: what was learned when, and how well it had proposed."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np

from epsie.proposals.learned.knowledge import MOVES, Knowledge
from epsie.proposals.learned.mixture import Array

_ROWS = 2000


class Entry(NamedTuple):
    """An entry of a lesson.

    Parameters
    ----------
    iteration : int
        That of the barrier.
    ncomponents : int
        The number of fitted components from then on.
    change : float
        How far the mixture is from the former one, from 0 (the same) to 1: their total variation
        distance, as the draws see it. NaN of the first.
    probabilities : dict
        Of each move, from then on.
    acceptance : dict
        The mean acceptance ratio of each move since the lesson before; NaN if it was not made.
    """

    iteration: int
    ncomponents: int
    change: float
    probabilities: dict[str, float]
    acceptance: dict[str, float]

    @classmethod
    def from_row(cls, row: Array) -> Self:
        """The entry that is a row of a log."""
        iteration, size, change, *rest = row.tolist()
        n = len(MOVES)
        both = (dict(zip(MOVES, values, strict=True)) for values in (rest[:n], rest[n:]))
        return cls(int(iteration), int(size), change, *both)


WIDTH = 3 + 2 * len(MOVES)
"""The number of columns of a log."""


def row_of(
    iteration: int, former: Knowledge | None, now: Knowledge, tallies: Array, rows: Array
) -> list[Any]:
    """The row of a lesson.

    Parameters
    ----------
    iteration : int
        That of the barrier.
    former, now : Knowledge
        What was known before and is now; None if nothing was.
    tallies : array
        See `Lesson`.
    rows : array
        Draws. Shape (n, d).
    """
    jumps, accepted = tallies[:, 0], tallies[:, 1]
    rates = np.where(jumps > 0, accepted / np.maximum(jumps, 1), np.nan)
    rows = rows[:: len(rows) // _ROWS + 1]
    change = _distance(former, now, rows) if former is not None and len(rows) else np.nan
    return [iteration, now.ncore, change, *now.weights, *rates]


def _distance(one: Knowledge, other: Knowledge, rows: Array) -> float:
    """The total variation distance of two mixtures, of both of which rows are taken for draws."""
    logs = one.log_density(rows) - other.log_density(rows)
    return float(np.abs(np.tanh(0.5 * logs)).mean())
