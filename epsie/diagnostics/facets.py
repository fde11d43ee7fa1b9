"""Statistics of an array of real numbers, shape (nchains, n), NaN where inactive."""

from __future__ import annotations

from math import inf, log10, nan, sqrt
from typing import Any

import numpy as np

from epsie.diagnostics.draws import Floats

TAILS = (0.05, 0.95)
"""The quantiles that `ess_tail` looks at."""


def error_of_mean(values: Floats, nwalkers: int = 1) -> float:
    """The Monte Carlo standard error of the mean of the active draws."""
    active = ~np.isnan(values)
    spread = float(np.std(values[active], ddof=1))
    # Of a ratio of means: the sum of the active draws over their number.
    worth = active.mean() * ess(halves(centred(values)), nwalkers)
    return spread / sqrt(worth)


def centred(values: Floats) -> Floats:
    """Draws minus their mean; 0 where inactive, which contributes nothing to a sum."""
    active = ~np.isnan(values)
    mean = values[active].mean() if active.any() else 0.0
    return np.where(active, values - mean, 0.0)


def halves(values: Floats) -> Floats:
    """The first and the second halves of chains, as chains of their own."""
    half = values.shape[-1] // 2
    return np.concatenate([values[:, :half], values[:, -half:]])


def scores(values: Floats) -> Floats:
    """Normal scores of the ranks, ties averaged; 0, the mean, where inactive."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    active = ~np.isnan(values)
    normal = np.zeros(values.shape)
    ranks = rankdata(values[active])
    normal[active] = ndtri((ranks - 0.375) / (ranks.size + 0.25))
    return normal


def both_scores(values: Floats) -> tuple[Floats, Floats]:
    """Scores of split chains, and of how far they are from the median."""
    split = halves(values) if values.shape[-1] >= 4 else values
    return scores(split), scores(np.abs(split - np.nanmedian(split)))


def ensemble_means(values: Floats, nwalkers: int) -> Floats:
    """The means over the walkers of each ensemble, shape (nensembles, n)."""
    if nwalkers == 1:
        return values
    means: Floats = values.reshape(-1, nwalkers, values.shape[-1]).mean(axis=1)
    return means


def pooled(values: Floats, nwalkers: int) -> Floats:
    """The draws of all walkers of each ensemble one after the other, as those of one chain."""
    return values.reshape(len(values) // nwalkers, -1) if nwalkers > 1 else values


def ess(values: Floats, nwalkers: int = 1) -> float:
    """The effective sample size of split chains; if none moves, the number of chains.

    Walkers of one ensemble are not independent: of ensembles it is how many independent draws have
    a mean as precise as that of the means over walkers, which are what is averaged
    (Goodman & Weare 2010, section 4).
    """
    if nwalkers == 1:
        return _ess(values)
    means = ensemble_means(values, nwalkers)
    spread = float(means.var())
    return _ess(means) * (float(values.var()) / spread if spread else 1.0)


def _ess(values: Floats) -> float:
    from arviz_stats.base.array import array_stats

    if (values == values[:, :1]).all():
        return nan if (values == values[0, 0]).all() else len(values) / 2
    # It takes differences below 1e-15 for none, whatever the unit.
    scaled = values / np.abs(values).max()
    return float(array_stats.ess(scaled, method="identity"))  # type: ignore[no-untyped-call]


def lengths(values: Floats, nwalkers: int = 1) -> Floats:
    """The autocorrelation length of each chain by itself; inf of one that does not move.

    Of an ensemble that of the mean over its walkers.
    """
    values = ensemble_means(values, nwalkers)
    most = max(1, _MOST_DRAWS // values.shape[-1])
    return np.concatenate([_lengths(values[i : i + most]) for i in range(0, len(values), most)])


_MOST_DRAWS = 2**18
"""So many are transformed together: a few MB."""


def _lengths(values: Floats) -> Floats:
    """Those of several chains, as arviz-stats has that of one, which would take 0.2 ms each."""
    from scipy.fft import next_fast_len

    n, active = values.shape[-1], ~np.isnan(values)
    room = next_fast_len(2 * n, real=True)
    numbers = np.maximum(active.sum(axis=-1, keepdims=True), 1)
    means = np.where(active, values, 0.0).sum(axis=-1, keepdims=True) / numbers
    moved = np.where(active, values - means, 0.0)
    still = (moved == moved[:, :1]).all(axis=-1)
    # Squares of small numbers would vanish.
    moved /= np.where(still, 1.0, np.abs(moved).max(axis=-1))[:, None]
    spectrum = np.abs(np.fft.rfft(moved - moved.mean(axis=-1, keepdims=True), room)) ** 2
    covariances = np.fft.irfft(spectrum, room)[:, :n]
    rho = covariances / np.where(still, 1.0, covariances[:, 0])[:, None] - 1 / (n - 1)
    rho[:, 0] = 1.0
    pairs = rho[:, : (n - 1) // 2 * 2].reshape(len(rho), -1, 2)
    sums, even = pairs.sum(axis=-1), pairs[..., 0]
    # Geyer's sequence ends with the first pair that is not positive.
    ends = np.where((sums <= 0).any(axis=-1), np.argmax(sums <= 0, axis=-1), sums.shape[-1] - 1)
    counted = np.arange(sums.shape[-1]) < ends[:, None]
    total = np.where(counted, np.minimum.accumulate(sums, axis=-1), 0.0).sum(axis=-1)
    last = np.take_along_axis(even, ends[:, None], axis=-1)[:, 0]
    found = np.maximum(2 * total - 1 + np.maximum(last, 0.0), 1 / log10(n))
    return np.where(still, inf, found)


def ess_bulk(values: Floats, nwalkers: int = 1) -> float:
    """The effective sample size of the rank-normalised draws."""
    return _active_share(values) * ess(scores(halves(values)), nwalkers)


def ess_tail(values: Floats, nwalkers: int = 1) -> float:
    """The effective sample size of the quantiles in the tails."""
    found = [ess(halves(centred(_below(values, probability))), nwalkers) for probability in TAILS]
    return _active_share(values) * min(found)


def _below(values: Floats, probability: float) -> Floats:
    """1 up to a quantile, or just below it if there is nothing above; NaN where inactive."""
    quantile = np.nanquantile(values, probability)
    below = values < quantile if quantile == np.nanmax(values) else values <= quantile
    return np.where(np.isnan(values), np.nan, below)


def _active_share(values: Floats) -> float:
    return float(np.mean(~np.isnan(values)))


def rhat(values: Floats, nwalkers: int = 1) -> float:
    """The rank-normalised R-hat of split chains, or of split ensembles."""
    split = [pooled(z, nwalkers) for z in both_scores(values)]
    return max(rhat_of(len(z[0]), z.mean(-1), z.var(-1, ddof=1)) for z in split)


def rhat_of(n: int, means: Floats, variances: Floats) -> float:
    """R-hat from the means and variances of chains of n draws (equations 1 to 4)."""
    within = float(variances.mean())
    between = float(means.var(ddof=1))
    # Draws that do not vary have variances of rounding errors.
    if within <= 1e-20 * between:
        return inf if between > 0 else nan
    return sqrt((n - 1) / n + between / within)


def nested_rhat(values: Floats, groups: Any) -> float:
    """The nested R-hat of scores; `groups` may be repeated, for chains that were split."""
    of_row = np.tile(groups, len(values) // len(groups))
    # Superchains are of one size.
    by_group = np.argsort(of_row, kind="stable").reshape(len(np.unique(groups)), -1)
    means, n = values.mean(-1)[by_group], values.shape[-1]
    inside = values.var(-1, ddof=1)[by_group].mean(-1) if n > 1 else np.zeros(len(means))
    inside += means.var(-1, ddof=1) if means.shape[-1] > 1 else 0.0
    tops = means.mean(-1)
    within, between = float(np.mean(inside)), float(np.var(tops, ddof=1))
    if within <= 1e-20 * between:
        return inf if between > 0 else nan
    return sqrt(1 + between / within)
