r"""The travel of points between the temperatures of a tempered chain.

The mean rejection rates of adjacent pairs add up to the communication barrier :math:`\Lambda`, a
property of target and prior rather than of the ladder if that is fine enough; it says how many
temperatures pay (Syed, Bouchard-Cote, Deligiannidis & Doucet 2022, doi:10.1111/rssb.12464).
"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def swap_acceptance(ratios: ArrayLike) -> NDArray[np.float64]:
    """The mean acceptance ratio of every adjacent pair of temperatures.

    Parameters
    ----------
    ratios : array_like
        The `temperature_acceptance` of a chain or a sampler: shape (ntemps - 1, nsweeps) or
        (ntemps - 1, nchains, nsweeps).

    Returns
    -------
    array
        Shape (ntemps - 1,) or (ntemps - 1, nchains).

    Raises
    ------
    ValueError
        If there was no sweep.
    """
    values = np.asarray(ratios, dtype=float)
    if values.ndim < 2 or values.shape[-1] == 0:
        raise ValueError("no sweep of swaps was made yet: run the sampler first")
    means: NDArray[np.float64] = values.mean(axis=-1)
    return means


def communication_barrier(ratios: ArrayLike) -> NDArray[np.float64]:
    r"""The communication barrier :math:`\Lambda` from the coldest to the hottest temperature.

    The sum of the mean rejection rates, which is too low where a pair is hardly ever swapped.

    Parameters
    ----------
    ratios : array_like
        See `swap_acceptance`.

    Returns
    -------
    array
        Of each chain, shape (nchains,); a number without an axis of chains.
    """
    total: NDArray[np.float64] = (1 - swap_acceptance(ratios)).sum(axis=0)
    return total


def recommended_ntemps(barrier: float) -> int:
    r"""The number of temperatures that makes most round trips for its cost: :math:`2\Lambda + 1`.

    With it adjacent temperatures swap about every other time (Syed et al. 2022, section 5.3). It is
    for temperatures that are stepped one after another, as here.

    Parameters
    ----------
    barrier : float
        The communication barrier.
    """
    return ceil(2 * barrier) + 1


def round_trips(swaps: ArrayLike) -> NDArray[np.int64]:
    """The number of times that a point went from the coldest temperature to the hottest and back.

    Parameters
    ----------
    swaps : array_like
        The `temperature_swaps` of a chain or a sampler: shape (ntemps, nsweeps) or (ntemps,
        nchains, nsweeps).

    Returns
    -------
    array
        Of each chain, shape (nchains,); a number without an axis of chains.
    """
    orders = np.asarray(swaps)
    ntemps, *chains, nsweeps = orders.shape
    nchains = int(np.prod(chains))
    trips = RoundTrips(ntemps, nchains)
    trips.add(orders.reshape(ntemps, nchains, nsweeps))
    return trips.made.reshape(chains)


class RoundTrips:
    """A count of round trips, sweep by sweep.

    Parameters
    ----------
    ntemps, nchains : int
        The number of temperatures and of chains.
    """

    def __init__(self, ntemps: int, nchains: int) -> None:
        self.made = np.zeros(nchains, dtype=np.int64)
        """Of each chain, shape (nchains,)."""
        # Of the point at each temperature: 1 if it has been at the coldest since it last came
        # home, 2 if at the hottest since that.
        self._stage = np.zeros((ntemps, nchains), dtype=np.int64)
        self._stage[0] = 1

    def add(self, orders: NDArray[Any]) -> None:
        """Take in the sweeps that came next, shape (ntemps, nchains, nsweeps)."""
        stage, places = self._stage, np.arange(len(self.made))
        for order in np.moveaxis(orders, -1, 0):
            stage = stage[order, places]
            stage[-1][stage[-1] == 1] = 2
            self.made += stage[0] == 2
            stage[0] = 1
        self._stage = stage
