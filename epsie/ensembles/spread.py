"""The walkers of an ensemble: how many there may be, and whether they span all directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import as_count
from epsie.model.evaluation import Position

_FLAT = 1e-8
"""The least extent in a direction, of walkers whose parameters all have standard deviation 1."""

_PART_OF_IT = 0.1
"""A parameter is named if it makes up so much of the direction that is missing."""


def as_walkers(nwalkers: Any, ndim: int, least: int = 1) -> int:
    """The number of walkers of an ensemble.

    Parameters
    ----------
    nwalkers : int
        What was given.
    ndim : int
        The number of parameters.
    least : int, optional
        How many walkers the moves need in each half.

    Raises
    ------
    ValueError
        If they are too few, or odd.
    """
    n, enough = as_count(nwalkers, "nwalkers"), max(2 * ndim + 2, 2 * least)
    if n < enough or n % 2:
        what = "an odd number" if n % 2 and n >= enough else "too few"
        raise ValueError(
            f"nwalkers={n} is {what}: half of an ensemble moves while the other half, which must "
            f"span all {ndim} directions, rests. Give an even number, {enough} or more (32 is a "
            "good one for up to some ten parameters)"
        )
    return n


def refuse_flat(xs: Sequence[Position], parameters: Sequence[str], of: str) -> None:
    """Refuse walkers that do not span all directions: no move would ever leave their subspace.

    Parameters
    ----------
    xs : sequence of tuple
        Their positions.
    parameters : sequence of str
        The names of the parameters.
    of : str
        The ensemble, in words.

    Raises
    ------
    ValueError
        That names the parameters that are tied to each other.
    """
    rows = np.array(xs, dtype=float)
    away = rows - rows.mean(axis=0)
    spread, size = away.std(axis=0), np.abs(rows).max(axis=0)
    still = spread <= 1e-14 * size
    if still.any():
        names = ", ".join(np.array(parameters)[still])
        raise ValueError(f"{of} starts at one value of {names} in all of its walkers: {_REMEDY}")
    extents, directions = _extents(away / spread)
    if extents[-1] < _FLAT * np.sqrt(len(rows)):
        tied = np.array(parameters)[np.abs(directions[-1]) > _PART_OF_IT]
        rank = int((extents >= _FLAT * np.sqrt(len(rows))).sum())
        raise ValueError(
            f"the walkers of {of} span {rank} of {len(parameters)} directions, as "
            f"{', '.join(tied)} are tied to each other at the start: {_REMEDY}"
        )


_REMEDY = (
    "it would never leave this subspace. Give each walker a start of its own in all parameters, as "
    "draws from the prior, or a point with noise on every parameter"
)


def _extents(scaled: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The extents along principal directions, largest first, and these."""
    _, extents, directions = np.linalg.svd(scaled, full_matrices=False)
    return extents, directions
