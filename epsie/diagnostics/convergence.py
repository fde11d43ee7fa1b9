"""Autocorrelation lengths, effective sample sizes, R-hat and Monte Carlo standard errors."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log1p, nan, pi, sqrt, tau
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from epsie.diagnostics import facets
from epsie.diagnostics.draws import LEAST_DRAWS, Angular, Floats, Parameter, as_parameters


def autocorrelation_length(
    draws: Any, angular: Angular = (), nwalkers: int = 1
) -> dict[str, Floats]:
    r"""The integrated autocorrelation length of every chain by itself, in draws.

    .. math:: \tau = 1 + 2 \sum_{t \ge 1} \rho_t

    that many draws are worth one independent one. The sum is Geyer's initial monotone sequence
    (1992, doi:10.1214/ss/1177011137). Chains are not averaged: that would hide the one that is
    stuck.

    Parameters
    ----------
    draws, angular, nwalkers
        See `epsie.diagnostics`.

    Returns
    -------
    dict
        By parameter, shape (nchains,); of ensembles those of the means over their walkers, shape
        (nensembles,). inf of a chain that never moves while others do; NaN of a
        parameter that nowhere changes.
    """
    return {
        name: _lengths(p) if p.has_moments else np.full(len(p.values) // nwalkers, nan)
        for name, p in as_parameters(draws, angular, nwalkers).items()
    }


def _lengths(parameter: Parameter) -> Floats:
    worst: Floats = np.max(
        [facets.lengths(facet, parameter.nwalkers) for facet in parameter.facets], axis=0
    )
    return worst


def ess_bulk(draws: Any, angular: Angular = (), nwalkers: int = 1) -> dict[str, float]:
    """The effective sample size of all chains together, for the centre of the distribution.

    That of the rank-normalised draws, chains split in halves (Vehtari et al. 2021, section 3.4).

    Parameters
    ----------
    draws, angular, nwalkers
        See `epsie.diagnostics`.
    """
    return _each("ess_bulk", draws, angular, nwalkers)


def ess_tail(draws: Any, angular: Angular = (), nwalkers: int = 1) -> dict[str, float]:
    """The effective sample size of all chains together, for the tails.

    The smaller of those of the 5 % and 95 % quantiles (Vehtari et al. 2021, section 4.3).

    Parameters
    ----------
    draws, angular, nwalkers
        See `epsie.diagnostics`.
    """
    return _each("ess_tail", draws, angular, nwalkers)


def rhat(draws: Any, angular: Angular = (), nwalkers: int = 1) -> dict[str, float]:
    """The rank-normalised R-hat of chains split in halves: 1 if they agree.

    The larger of that of the draws and that of their distances from the median (Vehtari et al.
    2021, section 4.1). Of one chain it compares its halves alone. inf if no chain moves, and they
    differ.

    Parameters
    ----------
    draws, angular, nwalkers
        See `epsie.diagnostics`.
    """
    return _each("rhat", draws, angular, nwalkers)


def nested_rhat(draws: Any, superchains: ArrayLike, angular: Angular = ()) -> dict[str, float]:
    """The nested R-hat, for many chains that are too short for R-hat, rank-normalised as that is.

    Chains that started at the same position form a superchain. It compares superchains, and is near
    1 when chains have forgotten where they started, however short they are (Margossian et al. 2024,
    doi:10.1214/24-BA1453, equations 4 to 8). Chains of four draws or more are split in halves.

    Parameters
    ----------
    draws, angular
        See `epsie.diagnostics`.
    superchains : array_like of int
        The superchain of each chain, shape (nchains,); all of the same size. For 16 chains from 4
        positions: ``numpy.repeat([0, 1, 2, 3], 4)``.

    Raises
    ------
    ValueError
        If there are fewer than two superchains, or they differ in size, or each has one chain with
        one draw.
    """
    groups = np.asarray(superchains)

    def of_facet(values: Floats) -> float:
        return max(facets.nested_rhat(z, groups) for z in facets.both_scores(values))

    parameters = as_parameters(draws, angular)
    _check_superchains(groups, next(iter(parameters.values())).values.shape)
    return {
        name: nan if p.is_constant else max(map(of_facet, p.facets))
        for name, p in parameters.items()
    }


def mcse_mean(draws: Any, angular: Angular = (), nwalkers: int = 1) -> dict[str, float]:
    """The Monte Carlo standard error of the mean; of an angle that of its mean direction.

    Parameters
    ----------
    draws, angular, nwalkers
        See `epsie.diagnostics`.
    """
    return {name: mean_error(p) for name, p in as_parameters(draws, angular, nwalkers).items()}


def mcse_sd(draws: Any, angular: Angular = (), nwalkers: int = 1) -> dict[str, float]:
    """The Monte Carlo standard error of the standard deviation.

    Parameters
    ----------
    draws, angular, nwalkers
        See `epsie.diagnostics`.
    """
    return {name: sd_error(p) for name, p in as_parameters(draws, angular, nwalkers).items()}


def _each(what: str, draws: Any, angular: Angular, nwalkers: int) -> dict[str, float]:
    parameters = as_parameters(draws, angular, nwalkers)
    return {name: of_parameter(what, parameter) for name, parameter in parameters.items()}


_OF_FACETS: dict[str, tuple[Callable[[Floats, int], float], Callable[..., float]]] = {
    "ess_bulk": (facets.ess_bulk, min),
    "ess_tail": (facets.ess_tail, min),
    "rhat": (facets.rhat, max),
}


def of_parameter(what: str, parameter: Parameter) -> float:
    """'ess_bulk', 'ess_tail' or 'rhat' of one parameter."""
    function, worst = _OF_FACETS[what]
    if parameter.values.shape[-1] < LEAST_DRAWS or parameter.is_constant:
        return nan
    return worst(function(facet, parameter.nwalkers) for facet in parameter.facets)


def mean_error(parameter: Parameter) -> float:
    """See `mcse_mean`."""
    values, period, nwalkers = parameter.values, parameter.period, parameter.nwalkers
    if not parameter.has_moments:
        return nan
    if period is None:
        return facets.error_of_mean(values, nwalkers)
    away = deviations(values, period)
    # A draw off the mean direction by d turns it by sin(d) over the number and the length.
    return facets.error_of_mean(np.sin(away), nwalkers) / (1 - _shortfall(away)) * period / tau


def sd_error(parameter: Parameter) -> float:
    """See `mcse_sd`."""
    values, period, nwalkers = parameter.values, parameter.period, parameter.nwalkers
    if not parameter.has_moments:
        return nan
    if period is None:
        # The standard deviation is the root of a mean of squares.
        scale = float(np.nanstd(values))
        squares = ((values - np.nanmean(values)) / scale) ** 2
        return facets.error_of_mean(squares, nwalkers) * scale / 2
    away = deviations(values, period)
    steepness = (1 - _shortfall(away)) * circular_sd(away)
    return facets.error_of_mean(2 * np.sin(away / 2) ** 2, nwalkers) / steepness * period / tau


def mean_direction(values: Floats) -> complex:
    """The mean of the unit vectors in the directions of angles in radians."""
    angles = values[~np.isnan(values)]
    return complex(np.cos(angles).mean(), np.sin(angles).mean())


def deviations(values: Floats, period: float) -> Floats:
    """The distances of angles from their mean direction, in radians, [-pi, pi]."""
    turns = values * (tau / period)
    away: Floats = np.remainder(turns - np.angle(mean_direction(turns)) + pi, tau) - pi
    return away


def circular_sd(away: Floats) -> float:
    r"""The circular standard deviation, :math:`\sqrt{-2 \log R}`, in radians.

    Parameters
    ----------
    away : array
        See `deviations`.
    """
    short = _shortfall(away)
    return sqrt(-2 * log1p(-short)) if short < 1 else inf


def _shortfall(away: Floats) -> float:
    """By how much the resultant length of angles is less than 1, also if they hardly differ."""
    return float(np.nanmean(2 * np.sin(away / 2) ** 2))


def _check_superchains(groups: Any, shape: tuple[int, ...]) -> None:
    nchains, n = shape
    sizes = np.unique(groups, return_counts=True)[1] if groups.ndim == 1 else np.array([])
    fits = groups.shape == (nchains,) and len(sizes) >= 2 and len(set(sizes.tolist())) == 1
    if not fits or (n == 1 and sizes[0] == 1):
        raise ValueError(
            f"superchains must give the superchain of each of the {nchains} chains: two or more, "
            "all of the same number of chains, and of two chains or more if these have one draw; "
            f"got {groups.tolist()!r} with {n} draws"
        )
