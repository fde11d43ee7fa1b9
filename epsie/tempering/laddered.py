"""The protocol of a chain whose ladder an annealer moves."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from epsie.tempering.swaps import SwapHistory


class Laddered(Protocol):
    """A chain at several temperatures, after a sweep of swaps."""

    betas: NDArray[np.float64]
    """Its ladder, descending, shape (ntemps,): to be set, or changed in place."""

    swap_interval: int
    """The number of iterations from one sweep to the next."""

    @property
    def iteration(self) -> int:
        """The number of iterations it has made."""

    @property
    def ntemps(self) -> int:
        """The number of temperatures."""

    @property
    def swaps(self) -> SwapHistory:
        """Its sweeps; the last one is `latest`."""

    @property
    def has_likelihood_at_hottest(self) -> bool:
        """Whether the point at the hottest temperature has a likelihood.

        If not, its rejection tells of the share of the prior without likelihood, which no ladder
        changes.
        """
