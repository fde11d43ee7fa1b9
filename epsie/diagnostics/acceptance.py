"""Acceptance rates: of chains, and of proposal blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.diagnostics.draws import Floats


def acceptance_rate(acceptance: Any) -> Floats:
    """The share of its jumps that each chain accepted.

    A jump is that of all proposal blocks together, accepted or rejected as a whole; iterations at
    which all rested do not count.

    Parameters
    ----------
    acceptance : structured array
        Fields `acceptance_ratio`, NaN where all rested, and `accepted`; shape (nchains, n).

    Returns
    -------
    array
        Shape (nchains,); NaN of a chain without a jump.
    """
    return _share(acceptance["accepted"], ~np.isnan(acceptance["acceptance_ratio"]))


def block_acceptance_rate(
    acceptance: Any, iterations: ArrayLike, intervals: Mapping[str, tuple[int, int | None]]
) -> dict[str, Floats]:
    """The share of its jumps that were accepted, of each proposal block of each chain.

    Blocks that jump at the same iteration are accepted or rejected together: this is the rate at
    the iterations at which the block jumped. It is the chain's own of a block that jumps at every
    iteration, and exact, as it is known when a block jumps.

    Parameters
    ----------
    acceptance : structured array
        As for `acceptance_rate`.
    iterations : array_like of int
        The iteration of each draw, counted from 1, shape (n,).
    intervals : dict
        By block its `jump_interval`, and its `jump_interval_duration` or None.

    Returns
    -------
    dict
        By block, shape (nchains,); NaN of a block without a jump.
    """
    at = np.asarray(iterations)
    jumped = ~np.isnan(acceptance["acceptance_ratio"])
    rates = {}
    for block, (interval, duration) in intervals.items():
        due = (at % interval == 0) | (at > (np.inf if duration is None else duration))
        rates[block] = _share(acceptance["accepted"], jumped & due)
    return rates


def _share(accepted: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Floats:
    numbers = counted.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        share: Floats = (accepted & counted).sum(axis=-1) / numbers
    return share
