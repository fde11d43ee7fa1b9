"""The draw at which chains settle, and the chains that are stuck."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.diagnostics.draws import Angular, Floats, as_parameters

_FALSE_ALARM = 1e-9
"""The probability that a moving chain stays as long as one that is called stuck."""

_LEAST_STAY = 50


def suggest_burn_in(draws: Any, angular: Angular = ()) -> int:
    """The number of draws to leave out: until every chain has settled in all that it records.

    A chain has settled in a parameter at the first draw at which it has reached, or come to the
    other side of, the median of the second half of its own draws. A chain at rest has done so after
    a few autocorrelation lengths, one that still drifts late.

    Parameters
    ----------
    draws, angular
        See `epsie.diagnostics`. The log likelihood and the log prior may be among them, and should.

    Returns
    -------
    int
        If it is in the second half, the chains are too short to tell.
    """
    settled = settling(draws, angular)
    return int(settled.max(initial=0))


def settling(draws: Any, angular: Angular = ()) -> NDArray[np.int64]:
    """The draw at which each chain has settled: see `suggest_burn_in`. Shape (nchains,)."""
    firsts = []
    for parameter in as_parameters(draws, angular).values():
        if parameter.values.shape[-1] and not np.isnan(parameter.values).any():
            firsts += [_first_crossing(facet) for facet in parameter.facets]
    latest: NDArray[np.int64] = np.max(firsts, axis=0, initial=0)
    return latest


def _first_crossing(values: Floats) -> NDArray[np.int64]:
    middle = np.median(values[:, values.shape[-1] // 2 :], axis=-1, keepdims=True)
    side = (values > middle).astype(np.int8) - (values < middle)
    first: NDArray[np.int64] = np.argmax((side != side[:, :1]) | (side == 0), axis=-1)
    return first


def stuck_chains(draws: Any) -> dict[int, int]:
    """The chains that have ceased to move, and the draw since which each stands.

    A chain is called stuck if it has stood at its last position for longer than chains that move as
    often as the chains do (the median over them) would by chance in one of 10^9 cases.

    Parameters
    ----------
    draws
        See `epsie.diagnostics`.

    Returns
    -------
    dict
        By chain the index of the first draw at the position where it stands.
    """
    moved = _moves(draws)
    if moved.shape[-1] == 0:
        return {}
    since = np.where(
        moved.any(axis=-1), moved.shape[-1] - np.argmax(moved[:, ::-1], axis=-1), 0
    ).tolist()
    rate = float(np.median(moved.mean(axis=-1)))
    chance = log(_FALSE_ALARM) / log(1 - rate) if 0 < rate < 1 else 0.0
    longest = max(_LEAST_STAY, chance)
    return {i: first for i, first in enumerate(since) if moved.shape[-1] - first >= longest}


def _moves(draws: Any) -> NDArray[np.bool_]:
    """Whether each draw differs from the one before; shape (nchains, n - 1)."""
    tables = [p.values for p in as_parameters(draws).values()]
    moved = np.zeros((len(tables[0]), max(0, tables[0].shape[-1] - 1)), dtype=bool)
    for values in tables:
        new, old = values[:, 1:], values[:, :-1]
        moved |= (new != old) & ~(np.isnan(new) & np.isnan(old))
    return moved
