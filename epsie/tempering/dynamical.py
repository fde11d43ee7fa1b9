"""The annealer that moves temperatures until adjacent pairs swap equally often."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import as_count, as_number
from epsie.tempering.laddered import Laddered
from epsie.tempering.ladders import is_ladder


class DynamicalAnnealer:
    r"""Moves temperatures until adjacent pairs swap at equal rates.

    After the n-th sweep the log differences :math:`S_i = \log(T_{i+1} - T_i)` change by

    .. math:: \Delta S_i = \frac{A_i - A_{i+1}}{\nu (1 + n / \tau)},

    where :math:`A_i` is the acceptance ratio of the pair (i, i+1). The coldest and the hottest
    temperature stay; if the hottest is finite, all differences are scaled to reach it.

    Vousden, Farr & Mandel (2016), doi:10.1093/mnras/stv2422, equations 11 to 13.

    Parameters
    ----------
    tau : float, optional
        The number of sweeps after which changes have halved.
    nu : float, optional
        How slow the changes are at first.
    Tmax_prior : bool, optional
        Whether the hottest temperature is to sample the prior (beta = 0).
    duration : int, optional
        The number of iterations after which the ladder stays; by default it changes ever less.

    Raises
    ------
    ValueError
        If `tau` or `nu` is not positive, or `tau` is not greater than `nu`.
    """

    def __init__(
        self,
        tau: float = 1000,
        nu: float = 10,
        Tmax_prior: bool = True,  # noqa: N803
        duration: int | None = None,
    ) -> None:
        self.setup_decay(tau, nu)
        self.Tmax_prior = bool(Tmax_prior)
        self.duration = None if duration is None else as_count(duration, "duration")
        self._end = inf if duration is None else duration

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that make an equal annealer."""
        return {
            "tau": self.tau,
            "nu": self.nu,
            "Tmax_prior": self.Tmax_prior,
            "duration": self.duration,
        }

    def setup_decay(self, tau: float, nu: float) -> None:
        """Set how fast changes become small, and how slow they are at first.

        Raises
        ------
        ValueError
            If one is not positive, or `tau` is not greater than `nu`.
        TypeError
            If one is no number.
        """
        tau, nu = as_number(tau, "tau"), as_number(nu, "nu")
        if not 0 < nu < tau < inf:
            raise ValueError(f"tau must be greater than nu, and both positive; got {tau}, {nu}")
        self.tau, self.nu = tau, nu

    @property
    def state(self) -> dict[str, Any]:
        """Nothing evolves: the chain's own count of iterations is all that it needs."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to take over."""

    def setup_annealing(self, betas: NDArray[np.float64]) -> None:
        """Note where the ladder starts; nothing is kept."""

    def first_ladder(self, betas: NDArray[np.float64]) -> NDArray[np.float64]:
        """The ladder to start from."""
        ladder = np.array(betas, dtype=float)
        if self.Tmax_prior and len(ladder) > 1:
            ladder[-1] = 0.0
        return ladder

    def __call__(self, chain: Laddered) -> None:
        """Move the chain's ladder after a sweep."""
        if chain.ntemps < 3 or chain.iteration > self._end:
            return
        ratios = np.array(chain.swaps.latest.ratios)
        step = 1 / (self.nu * (1 + (chain.iteration // chain.swap_interval) / self.tau))
        change = step * (ratios[:-1] - ratios[1:])
        if not chain.has_likelihood_at_hottest:
            change[-1] = 0.0
        moved = _spaced(chain.betas, change)
        # Rounding can make neighbours equal where nearly all swaps are accepted.
        if is_ladder(moved):
            chain.betas = moved


def _spaced(betas: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ladder whose log temperature differences are changed, all but the last."""
    moved = betas.copy()
    temperatures = 1 / betas[:-1] if betas[-1] == 0 else 1 / betas
    steps = np.diff(temperatures)
    steps[: len(change)] *= np.exp(change)
    if betas[-1] != 0:
        steps *= (temperatures[-1] - temperatures[0]) / steps.sum()
    inner = temperatures[0] + np.cumsum(steps)
    moved[1:-1] = 1 / inner[: len(betas) - 2]
    return moved
