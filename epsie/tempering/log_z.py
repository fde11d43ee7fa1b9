r"""Estimators of log Z, the evidence, from the log likelihoods of one tempered chain.

All take log likelihoods of shape (ntemps, niterations) and the ladder, descending from 1 to 0;
logl = -inf, allowed at beta = 0, counts as L = 0. Beside log Z they give the influence of every
iteration: a series whose mean is 0 and the variance of whose mean, autocorrelation counted, is that
of log Z. It sums over the temperatures, as those of one chain are correlated by their swaps.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """The estimate of one chain."""

    log_z: float
    influence: Floats
    """Of every iteration, shape (niterations,)."""


def stepping_stone(logl: Floats, betas: Floats) -> Estimate:
    r"""Products of the mean of :math:`L^{\Delta\beta}` at the hotter of adjacent temperatures.

    Xie, Lewis, Fan, Kuo & Chen (2011), doi:10.1093/sysbio/syq085.

    Parameters
    ----------
    logl, betas : array
        Of one chain, shapes (ntemps, niterations) and (ntemps,).
    """
    from scipy.special import logsumexp

    log_weights = -np.diff(betas)[:, None] * logl[1:]
    log_ratios = logsumexp(log_weights, axis=1) - np.log(logl.shape[1])
    influence = (np.exp(log_weights - log_ratios[:, None]) - 1).sum(axis=0)
    return Estimate(float(log_ratios.sum()), influence)


def bridge(logl: Floats, betas: Floats) -> Estimate:
    """The optimal bridge between every two adjacent temperatures.

    Bennett (1976), doi:10.1016/0021-9991(76)90078-4; Meng & Wong (1996), Statistica Sinica 6, 831.

    Parameters
    ----------
    logl, betas : array
        Of one chain, shapes (ntemps, niterations) and (ntemps,).
    """
    log_ratios, influence = _bridges(logl, betas)
    return Estimate(float(log_ratios.sum()), influence)


def _bridges(logl: Floats, betas: Floats) -> tuple[Floats, Floats]:
    from scipy.special import expit

    log_ratios, influence = np.empty(len(betas) - 1), np.zeros(logl.shape[1])
    steps = -np.diff(betas)
    for pair, step in enumerate(steps):
        cold, hot = step * logl[pair], step * logl[pair + 1]
        log_ratios[pair] = ratio = _bridge(cold, hot)
        towards_cold, towards_hot = expit(hot - ratio), expit(ratio - cold)
        information = np.mean(towards_cold * (1 - towards_cold) + towards_hot * (1 - towards_hot))
        if information == 0:
            raise ValueError(_NO_OVERLAP)
        influence += (towards_cold - towards_hot) / information
    return log_ratios, influence


def _bridge(cold: Floats, hot: Floats) -> float:
    """The log ratio at which as many would go one way as the other, by bisection."""
    from scipy.special import expit

    finite = np.concatenate([cold, hot[hot > -inf]])
    lower, upper = float(finite.min()) - _MARGIN, float(finite.max()) + _MARGIN
    while upper - lower > _TOLERANCE * max(1.0, abs(upper)):
        middle = 0.5 * (lower + upper)
        if expit(hot - middle).sum() > expit(middle - cold).sum():
            lower = middle
        else:
            upper = middle
    return 0.5 * (lower + upper)


_MARGIN, _TOLERANCE = 50.0, 1e-12


def mbar(logl: Floats, betas: Floats) -> Estimate:
    """All temperatures at once, every sample counted for every temperature.

    The multistate Bennett acceptance ratio (Shirts & Chodera 2008, doi:10.1063/1.2978177), which is
    reverse logistic regression (Geyer 1994): of all samples together the log density ratios are
    those that best tell which temperature each came from. Of long chains evenly spaced iterations
    are taken.

    Parameters
    ----------
    logl, betas : array
        Of one chain, shapes (ntemps, niterations) and (ntemps,).
    """
    most = max(_MOST_TERMS // len(betas) ** 2, 1)
    thinned = logl[:, :: -(-logl.shape[1] // most)]
    log_ratios, _ = _bridges(thinned, betas)
    start = np.concatenate([-np.cumsum(log_ratios[::-1])[::-1], [0.0]])
    with np.errstate(invalid="ignore"):
        log_weights = np.where(betas > 0, betas * thinned.T[..., None], 0.0)
    offsets, shares, information = _regression(log_weights.reshape(-1, len(betas)), start)
    scores = 1 - shares.reshape(log_weights.shape).sum(axis=1)[:, :-1]
    influence = -_solved(information, scores.T)[0] * len(scores)
    return Estimate(float(-offsets[0]), influence)


_MOST_TERMS = 5_000_000
"""Samples times temperatures that `mbar` holds at most: 40 MB. Of 32 temperatures 4,882 each."""


def _regression(log_weights: Floats, offsets: Floats) -> tuple[Floats, Floats, Floats]:
    """Newton's method for the offsets of all temperatures but the last, whose offset stays.

    Returns the offsets, the probability that each sample is of each temperature, and the
    information matrix.
    """
    expected = len(log_weights) / len(offsets)
    for _ in range(_MOST_NEWTON_STEPS):
        shares = log_weights + offsets
        shares = np.exp(shares - shares.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        free = shares[:, :-1]
        information = np.diag(free.sum(axis=0)) - free.T @ free
        step = _solved(information, expected - free.sum(axis=0))
        # A long step from a poor start could overshoot for ever.
        step /= max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < _SMALL:
            break
        offsets = offsets + np.append(step, 0.0)
    return offsets, shares, information


_MOST_NEWTON_STEPS, _SMALL = 100, 1e-9


def _solved(matrix: Floats, right: Floats) -> Floats:
    try:
        solution = np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise ValueError(_NO_OVERLAP) from None
    return solution


_NO_OVERLAP = (
    "the samples of two adjacent temperatures have nothing in common, so that the evidence cannot "
    "be told: take more temperatures, or let the ladder be tuned (adaptive_annealer)"
)


def thermodynamic(logl: Floats, betas: Floats) -> Estimate:
    r"""The integral of the mean log likelihood over beta.

    In every interval the mean is interpolated by a cubic with the slopes that are known, as the
    derivative of the mean is the variance (Friel, Hurn & Wyse 2014, doi:10.1007/s11222-013-9397-1,
    equation 11); the slopes are limited to keep it monotone. The standard error does not count what
    is left of the discretisation, which few temperatures near beta = 0 can make large.

    What lies so far below all else that the colder temperature cannot have it, as a part of the
    prior without likelihood, is no part of the interval: its share is counted beside the integral.
    That is exact.

    Parameters
    ----------
    logl, betas : array
        Of one chain, shapes (ntemps, niterations) and (ntemps,).
    """
    log_z, influence = 0.0, np.zeros(logl.shape[1])
    everything = np.ones(logl.shape[1])
    for cold, hot, width in zip(logl, logl[1:], -np.diff(betas)):
        kept = in_common(hot, cold, width)
        share = kept.mean()
        above, below = _Moments(cold, everything), _Moments(hot, kept / share)
        log_z += float(np.log(share)) + width / 2 * (below.mean + above.mean)
        influence += kept / share - 1 + width / 2 * (below.of_mean + above.of_mean)
        slope = (above.mean - below.mean) / width
        of_slope = (above.of_mean - below.of_mean) / width
        for end, sign in ((below, 1), (above, -1)):
            limited = end.variance > 3 * slope
            log_z += sign * width**2 / 12 * (3 * slope if limited else end.variance)
            influence += sign * width**2 / 12 * (3 * of_slope if limited else end.of_variance)
    return Estimate(float(log_z), influence)


class _Moments:
    """Mean and variance of log likelihoods with weights, and the influence of each on them."""

    def __init__(self, logl: Floats, weights: Floats) -> None:
        values = np.where(weights > 0, logl, 0.0)
        self.mean = (weights * values).mean()
        apart = values - self.mean
        self.variance = (weights * apart**2).mean()
        self.of_mean = weights * apart
        self.of_variance = weights * (apart**2 - self.variance)


def in_common(hot: Floats, cold: Floats, width: float) -> NDArray[np.bool_]:
    """The samples of the hotter of two temperatures of a kind that the colder one can have.

    Not so are those without likelihood, and those below a gap that nothing colder comes across.

    Parameters
    ----------
    hot, cold : array
        Log likelihoods.
    width : float
        The difference of the inverse temperatures.
    """
    weights: Floats = width * (hot - np.median(cold))
    there = np.sort(weights[weights > -inf])
    gaps = np.flatnonzero((there[:-1] < -_VANISHING) & (np.diff(there) > _VANISHING))
    within = gaps.size and there[-1] > -_VANISHING
    kept: NDArray[np.bool_] = weights > (there[gaps[-1]] if within else -inf)
    return kept


_VANISHING = 40.0
"""The exponential of minus that is lost in the rounding of 1."""


METHODS: dict[str, Callable[[Floats, Floats], Estimate]] = {
    "mbar": mbar,
    "bridge": bridge,
    "stepping_stone": stepping_stone,
    "thermodynamic": thermodynamic,
}
"""The estimators by name."""
