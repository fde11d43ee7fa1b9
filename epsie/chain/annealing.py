"""Annealers: they move the ladder of temperatures while a chain runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfinv

from epsie.chain.tempering import is_ladder
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

    def __call__(self, chain: ParallelTemperedChain) -> None:
        """Move the chain's ladder after a sweep."""
        if chain.ntemps < 3 or chain.iteration > self._end:
            return
        ratios = chain.temperature_acceptance[:, -1]  # type: ignore[index]
        step = 1 / (self.nu * (1 + (chain.iteration // chain.swap_interval) / self.tau))
        change = step * (ratios[:-1] - ratios[1:])
        if _nothing_to_swap(chain):
            change[-1] = 0.0
        moved = _spaced(chain.betas, change)
        # Rounding can make neighbours equal where nearly all swaps are accepted.
        if is_ladder(moved):
            chain.betas = moved


def _nothing_to_swap(chain: ParallelTemperedChain) -> bool:
    """Whether the hottest temperature holds a point without likelihood.

    Its rejection then tells of the share of the prior without likelihood, which no ladder changes.
    """
    return chain.chains[-1].point.logl == -inf


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

    In rounds of doubling length the mean rejection rate :math:`r_i` of every pair is measured;
    their sum from the coldest to beta estimates the cumulative communication barrier
    :math:`\Lambda(\beta)`, and the next ladder divides it into equal parts. Between the
    temperatures its inverse is interpolated by a monotone cubic. The last round ends with the
    duration; it is used if it was at least as long as the one before.

    A swap with a point of the prior that has no likelihood (logl = -inf) is not counted: its
    rejection would be the same on any ladder.

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
        self.rejections: list[float] = []
        self.counts: list[int] = []

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
            "rejections": self.rejections.copy(),
            "counts": self.counts.copy(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.round_length, self.nsweeps = state["round_length"], state["nsweeps"]
        self.rejections, self.counts = list(state["rejections"]), list(state["counts"])

    def setup_annealing(self, betas: NDArray[np.float64]) -> None:
        """Begin the first round."""
        self.round_length = self.first_round
        self._begin_round(len(betas) - 1)

    def _begin_round(self, npairs: int) -> None:
        self.nsweeps = 0
        self.rejections, self.counts = [0.0] * npairs, [0] * npairs

    def __call__(self, chain: ParallelTemperedChain) -> None:
        """Measure a sweep; at the end of a round, move the chain's ladder."""
        if chain.iteration > self.duration or chain.ntemps < 3:
            return
        self._measure(chain)
        last = chain.iteration + chain.swap_interval > self.duration
        if self.nsweeps == self.round_length or (last and 2 * self.nsweeps >= self.round_length):
            rates = [
                total / count if count else 0.0
                for total, count in zip(self.rejections, self.counts, strict=True)
            ]
            moved = equal_rejection(chain.betas, np.array(rates))
            if is_ladder(moved):
                chain.betas = moved
            self.round_length *= 2
            self._begin_round(len(rates))

    def _measure(self, chain: ParallelTemperedChain) -> None:
        ratios = chain.temperature_acceptance[:, -1].tolist()  # type: ignore[index]
        counted = len(ratios) - _nothing_to_swap(chain)
        for pair in range(counted):
            self.rejections[pair] += 1 - ratios[pair]
            self.counts[pair] += 1
        self.nsweeps += 1


_REJECTIONS = (1e-3, 0.999)
"""A pair never rejected still has a width, so that no two temperatures fall together."""


def equal_rejection(
    betas: NDArray[np.float64], rejections: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A ladder that divides the communication barrier into equal parts.

    The part of a pair is its rejection rate r only if that is small: wide gaps count
    erfinv(r) 2 / sqrt(pi), as normally distributed log likelihoods have it (Predescu, Predescu &
    Ciobanu 2004, doi:10.1063/1.1644093). Equal rates stay as they are, and unequal ones meet
    sooner. Temperatures are interpolated in log(beta + the smallest positive beta).

    Parameters
    ----------
    betas : array
        The ladder, descending, shape (ntemps,).
    rejections : array
        The mean rejection rate of every pair on it, shape (ntemps - 1,).
    """
    parts = erfinv(np.clip(rejections, *_REJECTIONS))
    barrier = np.concatenate([[0.0], np.cumsum(parts)])
    wanted = np.linspace(0, barrier[-1], len(betas))
    offset = betas[betas > 0][-1]
    places = monotone_interpolated(wanted, barrier, np.log(betas + offset))
    ladder: NDArray[np.float64] = np.exp(places) - offset
    ladder[0], ladder[-1] = betas[0], betas[-1]
    return ladder


def monotone_interpolated(
    x: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A monotone cubic through points, evaluated within their range.

    The slope at a point is the weighted harmonic mean of those of the two intervals beside it
    (Fritsch & Butland 1984, doi:10.1137/0905021).

    Parameters
    ----------
    x : array
        Where to evaluate it.
    xs, ys : array
        The points; `xs` ascends, `ys` is monotone.
    """
    widths, secants = np.diff(xs), np.diff(ys) / np.diff(xs)
    slopes = np.concatenate([secants[:1], np.zeros(len(xs) - 2), secants[-1:]])
    before, after = widths[:-1] + 2 * widths[1:], 2 * widths[:-1] + widths[1:]
    rising = secants[:-1] * secants[1:] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        harmonic = (before + after) / (before / secants[:-1] + after / secants[1:])
    slopes[1:-1] = np.where(rising, harmonic, 0.0)
    i = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(widths) - 1)
    h, t = widths[i], (x - xs[i]) / widths[i]
    smooth = t * t * (3 - 2 * t)
    bend = h * t * (1 - t) * ((1 - t) * slopes[i] - t * slopes[i + 1])
    result: NDArray[np.float64] = ys[i] + (ys[i + 1] - ys[i]) * smooth + bend
    return result


def as_annealer(annealer: Any) -> Any:
    """Anything that can move a ladder, or None.

    Raises
    ------
    TypeError
        If it cannot be called, has no ``setup_annealing``, or has no state that can be saved.
    """
    if annealer is None:
        return None
    usable = callable(annealer) and hasattr(annealer, "setup_annealing")
    if isinstance(annealer, type) or not usable:
        raise TypeError(
            "adaptive_annealer must be an object with setup_annealing(betas) that is called with "
            f"the chain; got {annealer!r}"
        )
    if not hasattr(annealer, "__dict__") and not hasattr(annealer, "set_state"):
        raise TypeError(f"the annealer {annealer!r} needs a state and set_state, to be resumed")
    return annealer


def annealer_state(annealer: Any) -> Any:
    """What evolves of any annealer: its `state`, or else all its attributes."""
    if annealer is None:
        return None
    state = annealer.state if hasattr(annealer, "set_state") else vars(annealer)
    return copy.deepcopy(state)


def set_annealer_state(annealer: Any, state: Any) -> None:
    """Take over what `annealer_state` gave."""
    if annealer is None or state is None:
        return
    if hasattr(annealer, "set_state"):
        annealer.set_state(copy.deepcopy(state))
    else:
        vars(annealer).update(copy.deepcopy(state))
