"""Ladders of inverse temperatures."""

from __future__ import annotations

import logging
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.checks import as_bool, as_count, as_floats, as_number


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
    given = as_floats(betas, "betas", ndmin=1)
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


def as_next_ladder(betas: ArrayLike, ntemps: int, may_leave_prior: bool) -> NDArray[np.float64]:
    """A ladder for a chain that has one, in descending order.

    Parameters
    ----------
    betas : array_like
        Inverse temperatures in any order.
    ntemps : int
        How many there must be.
    may_leave_prior : bool
        Whether the hottest beta may leave 0: whether its point has a likelihood.

    Raises
    ------
    ValueError
        If it is no ladder, has another length, or leaves 0 and may not.
    """
    ladder = as_betas(betas)
    if len(ladder) != ntemps:
        raise ValueError(f"there are {ntemps} temperatures; got {len(ladder)} betas")
    if ladder[-1] > 0 and not may_leave_prior:
        raise ValueError(
            f"the hottest beta cannot become {ladder[-1]}: the point at beta = 0 has no "
            "likelihood (logl = -inf), which no other beta allows. Keep 0 in the ladder"
        )
    return ladder


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
    TypeError
        If one is no number.
    """
    ntemps, highest = as_count(ntemps, "ntemps"), as_number(maxtemp, "maxtemp")
    if not 1 <= highest < np.inf:
        raise ValueError(f"maxtemp must be finite and at least 1; got {maxtemp!r}")
    if ntemps == 1:
        return np.ones(1)
    ladder = np.geomspace(1 / highest, 1, ntemps)
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

    Raises
    ------
    ValueError
        If `ntemps` or `ndim` is less than 1, or `with_prior` neither True nor False.
    TypeError
        If one is no whole number.
    """
    ntemps, ndim = as_count(ntemps, "ntemps"), as_count(ndim, "ndim")
    ratio = geometric_ratio(ndim)
    ladder: NDArray[np.float64] = ratio ** -np.arange(ntemps, dtype=float)
    if as_bool(with_prior, "with_prior") and ntemps > 1:
        ladder[-1] = 0.0
    return ladder


def geometric_ratio(ndim: int) -> float:
    """The ratio of adjacent temperatures for so many parameters: see `geometric_ladder`."""
    return 1 + sqrt(2 / ndim)


def warn_without_posterior(betas: NDArray[np.float64]) -> None:
    """Warn, through `logging`, if no temperature samples the posterior."""
    if betas[0] != 1:
        logging.getLogger(__name__).warning(
            "no beta is 1 (the largest is %s): no temperature samples the posterior, only powers "
            "of the likelihood",
            betas[0],
        )
