"""Annealers: they move the ladder of temperatures while a chain runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import as_count

if TYPE_CHECKING:
    from epsie.chain.ptchain import ParallelTemperedChain


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
        """
        if not 0 < nu < tau < inf:
            raise ValueError(f"tau must be greater than nu, and both positive; got {tau}, {nu}")
        self.tau, self.nu = float(tau), float(nu)

    def setup_annealing(self, betas: NDArray[np.float64]) -> None:
        """Note where the ladder starts; nothing is kept."""

    def first_ladder(self, betas: NDArray[np.float64]) -> NDArray[np.float64]:
        """The ladder to start from."""
        ladder = np.array(betas, dtype=float)
        if self.Tmax_prior and len(ladder) > 1:
            ladder[-1] = 0.0
        return ladder

    def __call__(self, chain: ParallelTemperedChain) -> None:
        """Move the chain's ladder after a sweep."""
        if chain.ntemps < 3 or chain.iteration > self._end:
            return
        ratios = chain.temperature_acceptance[:, -1]  # type: ignore[index]
        step = 1 / (self.nu * (1 + (chain.iteration // chain.swap_interval) / self.tau))
        chain.betas = _spaced(chain.betas, step * (ratios[:-1] - ratios[1:]))


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


class BarrierAnnealer:
    r"""Places temperatures so that adjacent pairs are rejected equally often.

    In rounds of doubling length the mean rejection rate :math:`r_i` of every pair is measured; their
    sum from the hottest to beta estimates the cumulative communication barrier
    :math:`\Lambda(\beta)`, and the next ladder divides it into equal parts.

    Syed, Bouchard-Cote, Deligiannidis & Doucet (2022), doi:10.1111/rssb.12464, algorithms 2 to 4.

    Parameters
    ----------
    duration : int
        The number of iterations after which the ladder stays.
    first_round : int, optional
        The number of sweeps of the first round.

    Raises
    ------
    ValueError
        If one is less than 1.
    """

    def __init__(self, duration: int, first_round: int = 16) -> None:
        self.duration = as_count(duration, "duration")
        self.first_round = as_count(first_round, "first_round")
        self.round_length = self.first_round
        self.nsweeps = 0
        self.rejections: NDArray[np.float64] | None = None

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that make an equal annealer."""
        return {"duration": self.duration, "first_round": self.first_round}

    @property
    def state(self) -> dict[str, Any]:
        """What evolves, as plain data."""
        return {
            "round_length": self.round_length,
            "nsweeps": self.nsweeps,
            "rejections": copy.deepcopy(self.rejections),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        for name, value in state.items():
            setattr(self, name, copy.deepcopy(value))

    def setup_annealing(self, betas: NDArray[np.float64]) -> None:
        """Begin the first round."""
        self.round_length, self.nsweeps = self.first_round, 0
        self.rejections = np.zeros(len(betas) - 1)

    def __call__(self, chain: ParallelTemperedChain) -> None:
        """Measure a sweep; at the end of a round, move the chain's ladder."""
        if chain.iteration > self.duration or chain.ntemps < 3:
            return
        assert self.rejections is not None
        ratios = chain.temperature_acceptance[:, -1]  # type: ignore[index]
        self.rejections = self.rejections + (1 - ratios)
        self.nsweeps += 1
        if self.nsweeps == self.round_length:
            chain.betas = equal_rejection(chain.betas, self.rejections / self.nsweeps)
            self.setup_next_round()

    def setup_next_round(self) -> None:
        """Begin a round that is twice as long."""
        assert self.rejections is not None
        self.round_length, self.nsweeps = 2 * self.round_length, 0
        self.rejections = np.zeros_like(self.rejections)


_LEAST_REJECTION = 1e-3
"""A pair never rejected still has a width, so that no two temperatures fall together."""


def equal_rejection(
    betas: NDArray[np.float64], rejections: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A ladder that divides the communication barrier into equal parts.

    Parameters
    ----------
    betas : array
        The ladder, descending, shape (ntemps,).
    rejections : array
        The mean rejection rate of every pair on it, shape (ntemps - 1,).
    """
    barrier = np.concatenate([[0.0], np.cumsum(np.maximum(rejections, _LEAST_REJECTION))])
    wanted = np.linspace(0, barrier[-1], len(betas))
    ladder = np.interp(wanted, barrier, betas)
    ladder[0], ladder[-1] = betas[0], betas[-1]
    return ladder


def annealer_state(annealer: Any) -> Any:
    """What evolves of any annealer: its `state`, or else all its attributes."""
    if annealer is None:
        return None
    state = annealer.state if hasattr(annealer, "state") else vars(annealer)
    return copy.deepcopy(state)


def set_annealer_state(annealer: Any, state: Any) -> None:
    """Take over what `annealer_state` gave."""
    if annealer is None or state is None:
        return
    if hasattr(annealer, "set_state"):
        annealer.set_state(copy.deepcopy(state))
    else:
        vars(annealer).update(copy.deepcopy(state))
