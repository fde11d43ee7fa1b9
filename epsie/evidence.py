r"""The evidence Z, the integral of likelihood times prior, from tempered log likelihoods.

Every estimator takes the log likelihoods of the samples of all temperatures and their inverse
temperatures, which must reach from beta = 1 to beta = 0, the prior. For Z to be the evidence the
model's `logp` must be the logarithm of a normalised density. A sample of the prior without
likelihood, logl = -inf, counts as L = 0.

Each gives, beside log Z of one chain, the influence of every iteration: a series whose mean is 0
and the variance of whose mean, autocorrelation counted, is that of log Z. It sums over the
temperatures, as those of one chain are correlated by their swaps.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, expit, logsumexp, ndtr, stdtrit

Floats = NDArray[np.float64]


class Evidence(NamedTuple):
    """An estimate of the evidence."""

    log_z: float
    """The natural logarithm of the evidence: the mean over the chains."""

    standard_error: float
    """Its 1-sigma error."""

    method: str
    """How it was estimated."""

    per_chain: Floats
    """What each chain gives by itself, shape (nchains,)."""


class Estimate(NamedTuple):
    """What one chain says."""

    log_z: float
    influence: Floats
    """Of every iteration, shape (niterations,)."""


def log_evidence(logl: ArrayLike, betas: ArrayLike, method: str = "mbar") -> Evidence:
    """The evidence from independent tempered chains.

    The standard error allows for autocorrelation, and for chains that differ: see `standard_error`.

    Parameters
    ----------
    logl : array_like
        Log likelihoods, shape (ntemps, nchains, niterations).
    betas : array_like
        Inverse temperatures, descending from 1 to 0; shape (ntemps,), or (nchains, ntemps) if each
        chain has its own.
    method : {'mbar', 'bridge', 'stepping_stone', 'thermodynamic'}, optional
        How to estimate it; see `mbar`, `bridge`, `stepping_stone` and `thermodynamic`.

    Raises
    ------
    ValueError
        If the ladder does not reach from 1 to 0, shapes do not fit, there are too few samples, or
        the method is unknown.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    values, ladders = _checked(logl, betas)
    estimates = [METHODS[method](values[:, i], ladder) for i, ladder in enumerate(ladders)]
    per_chain = np.array([estimate.log_z for estimate in estimates])
    error = standard_error(per_chain, [estimate.influence for estimate in estimates])
    return Evidence(float(per_chain.mean()), error, method, per_chain)


def _checked(logl: ArrayLike, betas: ArrayLike) -> tuple[Floats, Floats]:
    values, given = np.asarray(logl, dtype=float), np.asarray(betas, dtype=float)
    if values.ndim != 3:
        raise ValueError(f"logl must have shape (ntemps, nchains, niterations); got {values.shape}")
    ntemps, nchains, niterations = values.shape
    if given.shape not in ((ntemps,), (nchains, ntemps)):
        raise ValueError(
            f"betas must have shape ({ntemps},) or ({nchains}, {ntemps}) with logl of shape "
            f"{values.shape}; got {given.shape}"
        )
    ladders = np.broadcast_to(given, (nchains, ntemps))
    if niterations < LEAST_SAMPLES:
        raise ValueError(f"the evidence needs {LEAST_SAMPLES} samples or more; got {niterations}")
    if (np.diff(ladders) >= 0).any() or ntemps < 2:
        raise ValueError("the evidence needs two temperatures or more, betas descending")
    if (ladders[:, 0] != 1).any() or (ladders[:, -1] != 0).any():
        raise ValueError(
            "the evidence needs a ladder from beta = 1, the posterior, to beta = 0, the prior; got "
            f"one from {ladders[:, 0].min()} to {ladders[:, -1].max()}. Give betas that end with 0"
        )
    if (values[-1] == -inf).all(axis=-1).any():
        raise ValueError(
            "no sample of the prior (beta = 0) has a likelihood: its share of the prior cannot be "
            "told. Take more samples, or a prior nearer to the likelihood"
        )
    if np.isnan(values).any() or (values == inf).any() or (values[:-1] == -inf).any():
        raise ValueError("logl must be finite, and may be -inf at beta = 0 alone")
    return values, ladders


LEAST_SAMPLES = 10
"""Fewer samples tell nothing of their autocorrelation."""


# ---- the error


def standard_error(per_chain: Floats, influences: list[Floats]) -> float:
    """The 1-sigma error of the mean over independent chains.

    It comes from within the chains, autocorrelation counted, as long as they differ no more from
    each other than that explains (a chi-square test at 5 %). Else it comes from the spread between
    them, times the quantile of Student's t for their number.

    Parameters
    ----------
    per_chain : array
        The estimate of each chain, shape (nchains,).
    influences : list of array
        Of every chain the influence of each iteration.
    """
    nchains = len(per_chain)
    within = sum(variance_of_mean(influence) for influence in influences) / nchains**2
    if nchains > 1:
        between = float(per_chain.var(ddof=1)) / nchains
        if between * (nchains - 1) > within * float(chdtri(nchains - 1, 0.05)):
            return float(stdtrit(nchains - 1, ndtr(1.0))) * sqrt(between)
    return sqrt(within)


def variance_of_mean(series: Floats) -> float:
    """The variance of the mean of an autocorrelated series.

    Sums of adjacent pairs of autocovariances are positive and descend for a reversible chain: the
    sum ends where they cease to (the initial monotone sequence of Geyer 1992,
    doi:10.1214/ss/1177011137).

    Parameters
    ----------
    series : array
        Values at consecutive iterations, shape (niterations,).
    """
    n = len(series)
    centred = series - series.mean()
    spectrum = np.fft.rfft(centred, 2 ** int(np.ceil(np.log2(2 * n))))
    covariances = np.fft.irfft(np.abs(spectrum) ** 2)[:n] / n
    pairs = covariances[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    positive = pairs[: negative[0]] if negative.size else pairs
    total = 2 * float(np.minimum.accumulate(positive).sum()) - float(covariances[0])
    return max(total, float(covariances[0])) / n


# ---- estimators: log likelihoods of one chain, shape (ntemps, niterations), and its ladder


def stepping_stone(logl: Floats, betas: Floats) -> Estimate:
    r"""Products of the mean of :math:`L^{\Delta\beta}` at the hotter of adjacent temperatures.

    Xie, Lewis, Fan, Kuo & Chen (2011), doi:10.1093/sysbio/syq085.

    Parameters
    ----------
    logl, betas : array
        Of one chain, shapes (ntemps, niterations) and (ntemps,).
    """
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
    thinned = logl[:, :: -(-logl.shape[1] // _MOST)]
    log_ratios, _ = _bridges(thinned, betas)
    start = np.concatenate([-np.cumsum(log_ratios[::-1])[::-1], [0.0]])
    with np.errstate(invalid="ignore"):
        log_weights = np.where(betas > 0, betas * thinned.T[..., None], 0.0)
    offsets, shares, information = _regression(log_weights.reshape(-1, len(betas)), start)
    scores = 1 - shares.reshape(log_weights.shape).sum(axis=1)[:, :-1]
    influence = -_solved(information, scores.T)[0] * len(scores)
    return Estimate(float(-offsets[0]), influence)


_MOST = 10_000
"""Iterations of a chain that `mbar` uses at most."""


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
        solution: Floats = np.linalg.solve(matrix, right)
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

    Where a part of the prior has no likelihood its share is counted beside the integral.

    Parameters
    ----------
    logl, betas : array
        Of one chain, shapes (ntemps, niterations) and (ntemps,).
    """
    finite = logl > -inf
    shares = finite.mean(axis=1)
    weights = finite / shares[:, None]
    values = np.where(finite, logl, 0.0)
    means = (weights * values).mean(axis=1)
    apart = values - means[:, None]
    variances = (weights * apart**2).mean(axis=1)
    of_means, of_variances = weights * apart, weights * (apart**2 - variances[:, None])
    log_z = float(np.log(shares[-1]))
    influence: Floats = np.asarray(weights[-1] - 1, dtype=np.float64)
    for cold, width in enumerate(-np.diff(betas)):
        hot = cold + 1
        slope, of_slope = ((m[cold] - m[hot]) / width for m in (means, of_means))
        log_z += width / 2 * (means[cold] + means[hot])
        influence = influence + width / 2 * (of_means[cold] + of_means[hot])
        for side, sign in ((hot, 1), (cold, -1)):
            limited = variances[side] > 3 * slope
            log_z += sign * width**2 / 12 * (3 * slope if limited else variances[side])
            influence += sign * width**2 / 12 * (3 * of_slope if limited else of_variances[side])
    return Estimate(float(log_z), influence)


METHODS: dict[str, Callable[[Floats, Floats], Estimate]] = {
    "mbar": mbar,
    "bridge": bridge,
    "stepping_stone": stepping_stone,
    "thermodynamic": thermodynamic,
}
"""The estimators by name."""
