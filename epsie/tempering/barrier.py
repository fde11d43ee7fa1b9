"""Ladders that divide the communication barrier, and the annealer that finds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import as_count
from epsie.tempering.laddered import Laddered
from epsie.tempering.ladders import is_ladder


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
        """All that evolves, as plain data."""
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

    def __call__(self, chain: Laddered) -> None:
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

    def _measure(self, chain: Laddered) -> None:
        ratios = chain.swaps.latest.ratios
        counted = len(ratios) - (not chain.has_likelihood_at_hottest)
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
    from scipy.special import erfinv

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
