"""Ladders of inverse temperatures, and the sweeps that swap points between them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import exp
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.checks import as_count


class Sweep(NamedTuple):
    """What a sweep of swaps did."""

    order: list[int]
    """For every temperature the index of the one whose point moved into it."""

    ratios: list[float]
    """The acceptance ratio of every adjacent pair, coldest first."""


SwapScheme = Callable[[Sequence[float], Sequence[float], Sequence[float], int], Sweep]


def swap_ratio(logl_cold: float, logl_hot: float, beta_cold: float, beta_hot: float) -> float:
    """The probability to swap two temperatures: min(1, (L_hot/L_cold)^(beta_cold - beta_hot)).

    A point without likelihood, which only beta = 0 can hold, is never swapped to a colder one.
    """
    log_ratio = (beta_cold - beta_hot) * (logl_hot - logl_cold)
    return exp(log_ratio) if log_ratio < 0 else 1.0


def cascade(
    logls: Sequence[float],
    betas: Sequence[float],
    uniforms: Sequence[float],
    sweep: int,
) -> Sweep:
    """Try all adjacent pairs in turn, from hot to cold.

    A point may travel from the hottest temperature to the coldest within one sweep.

    Parameters
    ----------
    logls : sequence of float
        Log likelihoods of the points, coldest first, shape (ntemps,).
    betas : sequence of float
        Inverse temperatures, descending, shape (ntemps,).
    uniforms : sequence of float
        Uniform variates on [0, 1), shape (ntemps - 1,).
    sweep : int
        The number of sweeps made before.
    """
    hot = len(betas) - 1
    order, ratios = list(range(hot + 1)), [1.0] * hot
    carried, logl_hot, beta_hot = hot, logls[hot], betas[hot]
    for cold in range(hot - 1, -1, -1):
        beta, logl = betas[cold], logls[cold]
        log_ratio = (beta - beta_hot) * (logl_hot - logl)
        if log_ratio < 0:
            ratios[cold] = exp(log_ratio)
        if uniforms[cold] < ratios[cold]:
            order[cold + 1] = cold
        else:
            order[cold + 1] = carried
            carried, logl_hot = cold, logl
        beta_hot = beta
    order[0] = carried
    return Sweep(order, ratios)


def deo(
    logls: Sequence[float], betas: Sequence[float], uniforms: Sequence[float], sweep: int
) -> Sweep:
    """Try the even pairs in one sweep and the odd ones in the next, deterministically.

    That makes the points' way through the temperatures non-reversible: they keep their direction
    (Okabe et al. 2001, doi:10.1016/S0009-2614(01)00055-0; Syed et al. 2022,
    doi:10.1111/rssb.12464, algorithm 1). The ratios are those of all pairs before the sweep.

    Parameters
    ----------
    logls, betas, uniforms, sweep
        See `cascade`.
    """
    ntemps = len(betas)
    ratios = [
        swap_ratio(logls[cold], logls[cold + 1], betas[cold], betas[cold + 1])
        for cold in range(ntemps - 1)
    ]
    order = list(range(ntemps))
    for cold in range(sweep % 2, ntemps - 1, 2):
        if uniforms[cold] < ratios[cold]:
            order[cold], order[cold + 1] = cold + 1, cold
    return Sweep(order, ratios)


SWAP_SCHEMES: dict[str, SwapScheme] = {"cascade": cascade, "deo": deo}
"""The swap schemes by name."""


def find_swap_scheme(name: Any) -> SwapScheme:
    """A swap scheme by its name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in SWAP_SCHEMES:
        raise ValueError(f"swap_scheme must be one of {', '.join(SWAP_SCHEMES)}; got {name!r}")
    return SWAP_SCHEMES[name]


def as_betas(betas: ArrayLike) -> NDArray[np.float64]:
    """A ladder of inverse temperatures in descending order.

    Parameters
    ----------
    betas : float or array_like
        Inverse temperatures in any order.

    Raises
    ------
    ValueError
        If there is none, one does not lie in [0, 1], or one is repeated.
    """
    given = np.array(betas, dtype=float, ndmin=1)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(
            f"betas must be a number or a list of them, at least one; got shape {given.shape}"
        )
    wrong = np.flatnonzero(~((given >= 0) & (given <= 1)))
    if wrong.size:
        raise ValueError(f"betas must lie in [0, 1]; got {given[wrong[0]]} at index {wrong[0]}")
    ladder = np.sort(given)[::-1].copy()
    repeated = ladder[1:][ladder[1:] == ladder[:-1]]
    if repeated.size:
        raise ValueError(f"betas must differ; got {repeated[0]} more than once")
    return ladder


def as_beta(beta: Any) -> float:
    """An inverse temperature.

    Raises
    ------
    ValueError
        If it does not lie in [0, 1].
    """
    if not 0 <= beta <= 1:
        raise ValueError(f"beta must lie in [0, 1]; got {beta!r}")
    return float(beta)


def is_ladder(betas: NDArray[np.float64]) -> bool:
    """Whether betas descend strictly within [0, 1], so that a chain can have them."""
    return bool(betas[0] <= 1 and betas[-1] >= 0 and (np.diff(betas) < 0).all())


def make_betas_ladder(ntemps: int, maxtemp: float) -> NDArray[np.float64]:
    """Geometrically spaced inverse temperatures, ascending from 1 / `maxtemp` to 1.

    Parameters
    ----------
    ntemps : int
        How many.
    maxtemp : float
        The highest temperature, at least 1. A single temperature is 1, whatever this is.

    Raises
    ------
    ValueError
        If `ntemps` or `maxtemp` is less than 1.
    """
    ntemps = as_count(ntemps, "ntemps")
    if not 1 <= maxtemp < np.inf:
        raise ValueError(f"maxtemp must be finite and at least 1; got {maxtemp!r}")
    if ntemps == 1:
        return np.ones(1)
    ladder = np.geomspace(1 / maxtemp, 1, ntemps)
    ladder[-1] = 1.0
    return ladder


def geometric_ladder(ntemps: int, ndim: int, with_prior: bool = True) -> NDArray[np.float64]:
    """A ladder for a posterior of so many parameters, descending from 1.

    Between temperatures with the ratio 1 + sqrt(2 / ndim) points of a normal posterior swap at a
    rate of 0.5 to 0.7, the more the fewer parameters (Kofke 2002, doi:10.1063/1.1507776, with the
    heat capacity ndim / 2).

    Parameters
    ----------
    ntemps : int
        How many temperatures.
    ndim : int
        The number of parameters.
    with_prior : bool, optional
        Whether the hottest is to be the prior, beta = 0, as the evidence needs it.
    """
    ntemps, ndim = as_count(ntemps, "ntemps"), as_count(ndim, "ndim")
    ratio = 1 + np.sqrt(2 / ndim)
    ladder: NDArray[np.float64] = ratio ** -np.arange(ntemps, dtype=float)
    if with_prior and ntemps > 1:
        ladder[-1] = 0.0
    return ladder


def warn_without_posterior(betas: NDArray[np.float64]) -> None:
    """Warn, through `logging`, if no temperature samples the posterior."""
    if betas[0] != 1:
        logging.getLogger(__name__).warning(
            "no beta is 1 (the largest is %s): no temperature samples the posterior, only powers "
            "of the likelihood",
            betas[0],
        )
