"""The evidence from all temperatures, anchored to a mixture that was learned.

Between two barriers there are draws of each level, likelihood to the power beta times prior, and
independent draws from a reference m that is frozen and normalised, accepted or not. All together
they are samples from known densities of which the levels lack a constant: those are found by the
multistate Bennett acceptance ratio (Shirts & Chodera 2008, doi:10.1063/1.2978177), which needs no
overlap of a level with any but one other. The prior, beta = 0, is normalised, too. As each stretch
has its own reference, one set of constants is solved from the sum of the equations of all. To take
the references of all stretches for one would be biased: later ones were fitted to draws that
earlier ones had proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from epsie.tempering.bridges import Bridged, estimated
from epsie.tempering.evidence import Evidence, variance_of_mean
from epsie.tempering.log_z import Floats

LEAST = 30
"""Draws of each level that a stretch must have."""

_NEWTON, _CLOSE, _AGAIN = 60, 1e-9, 3


class Anchored(NamedTuple):
    """Draws in a stretch, by level, coldest first, and chain. The hottest is the prior.

    Parameters
    ----------
    logl : sequence of sequence of array
        The log likelihoods of the draws. Shape (n,).
    log_m : sequence of sequence of array
        At the same draws log m - log prior. Shape (n,).
    fresh : sequence of array
        Log likelihoods and log m - log prior of those draws from m that have a likelihood, by
        chain. Shape (k, 2).
    nfresh : sequence of int
        The number of draws from m, by chain.
    """

    logl: Sequence[Sequence[Floats]]
    log_m: Sequence[Sequence[Floats]]
    fresh: Sequence[Floats]
    nfresh: Sequence[int]


class _Rows(NamedTuple):
    """All draws of a stretch as rows."""

    logl: Floats
    log_m: Floats
    source: NDArray[np.int64]
    """The index of the level, or their number for m."""
    chain: NDArray[np.int64]
    nfresh: Floats
    """Of each chain."""


def anchored(stretches: Sequence[Anchored], betas: Floats) -> Bridged:
    """The evidence from stretches of the same chains.

    Parameters
    ----------
    stretches : sequence of Anchored
        Those with too few draws are left out.
    betas : array
        Descending from 1 to 0. Shape (ntemps,).

    Raises
    ------
    ValueError
        If there are too few draws in all.
    """
    used = [_rows(s) for s in stretches if min(map(_number, s.logl)) >= LEAST]
    pairs = [_proposed(rows, len(betas)) for rows in used]
    return estimated(used, pairs, partial(_pooled, betas))


def _pooled(betas: Floats, used: Sequence[_Rows]) -> Evidence:
    """One estimate from all stretches."""
    if not any((rows.source == len(betas)).any() for rows in used):
        raise ValueError(
            "too few independent draws so far: chains propose them when they have learned. Run on"
        )
    lengths = [np.ones(len(betas)) for _ in used]
    log_z = _solved(used, lengths, betas, _first(used, betas), _NEWTON)
    for _ in range(2):
        lengths = [_lengths(rows, length, betas, log_z) for rows, length in zip(used, lengths)]
        log_z = _solved(used, lengths, betas, log_z, _NEWTON)
    error, values, n = _error(used, lengths, betas, log_z), log_z[:1], len(used[0].nfresh)
    if n > 1:
        left_out = [[_less(rows, i) for rows in used] for i in range(n)]
        without = np.array([_solved(r, lengths, betas, log_z, _AGAIN)[0] for r in left_out])
        values = n * log_z[0] - (n - 1) * without
        error = max(error, sqrt(float(values.var(ddof=1)) / n))
    return Evidence(float(log_z[0]), error, "mixture", values, log_z)


def weights(stretch: Anchored, betas: Floats, log_z: Floats) -> list[list[Floats]]:
    """The weights of the draws of all levels as draws of the posterior, by level and chain.

    Parameters
    ----------
    stretch : Anchored
        The draws. Those from m are left out.
    betas, log_z : array
        Of the levels.
    """
    numbers = np.log([max(_number(of_level), 1) for of_level in stretch.logl]) - log_z
    found = []
    for of_level in stretch.logl:
        found.append([_weights(logl, betas, numbers) for logl in of_level])
    return found


def _weights(logl: Floats, betas: Floats, numbers: Floats) -> Floats:
    by_level = _times(betas, logl)
    highest = by_level.max(axis=1, initial=-1e300)
    log_sum = np.log(np.exp(by_level + numbers - highest[:, np.newaxis]).sum(axis=1)) + highest
    weight: Floats = np.exp(logl - log_sum)
    return weight


def _number(arrays: Sequence[Floats]) -> int:
    return sum(map(len, arrays))


def _times(betas: Floats, logl: Floats) -> Floats:
    """Beta times log L, and 0 at beta = 0, shape (n, ntemps)."""
    with np.errstate(invalid="ignore"):
        return np.where(betas > 0, betas * logl[:, np.newaxis], 0.0)


def _rows(stretch: Anchored) -> _Rows:
    """The draws of a stretch one after the other."""
    parts = []
    tables = [
        [np.column_stack(both) for both in zip(*of_level, strict=True)]
        for of_level in zip(stretch.logl, stretch.log_m, strict=True)
    ]
    for source, of_source in enumerate([*tables, list(stretch.fresh)]):
        for chain, table in enumerate(of_source):
            where = np.full((len(table), 2), (source, chain))
            parts.append(np.column_stack([table, where]))
    logl, log_m, source, chain = np.concatenate(parts).T
    nfresh = np.array(stretch.nfresh, dtype=float)
    return _Rows(logl, log_m, source.astype(int), chain.astype(int), nfresh)


def _less(rows: _Rows, chain: int) -> _Rows:
    """Without a chain."""
    left, nfresh = rows.chain != chain, np.delete(rows.nfresh, chain)
    return _Rows(rows.logl[left], rows.log_m[left], rows.source[left], rows.chain[left], nfresh)


def _first(used: Sequence[_Rows], betas: Floats) -> Floats:
    """The constants to begin with, by stepping stones from the prior on."""
    log_z = np.zeros(len(betas))
    for t in range(len(betas) - 2, -1, -1):
        logl = np.concatenate([rows.logl[rows.source == t + 1] for rows in used])
        steps = (betas[t] - betas[t + 1]) * logl
        log_z[t], highest = log_z[t + 1], steps.max()
        # Without any likelihood among the draws of the prior only draws from m tell of it.
        if highest > -np.inf:
            log_z[t] += highest + np.log(np.exp(steps - highest).mean())
    return log_z


def _shares(rows: _Rows, lengths: Floats, betas: Floats, log_z: Floats) -> tuple[Floats, Floats]:
    """Of each row the probabilities to be of the levels, and of m; and the numbers of these."""
    ntemps = len(betas)
    numbers = np.bincount(rows.source, minlength=ntemps + 1)[:ntemps] / lengths
    numbers = np.append(numbers, rows.nfresh.sum())
    with np.errstate(divide="ignore"):
        logs = np.log(numbers)
    logs[:ntemps] -= log_z
    log_parts = np.column_stack([_times(betas, rows.logl), rows.log_m]) + logs
    log_parts -= log_parts.max(axis=1, keepdims=True)
    parts = np.exp(log_parts)
    return parts / parts.sum(axis=1, keepdims=True), numbers


def _each(rows: _Rows, lengths: Floats) -> Floats:
    """By how much each row counts."""
    return np.append(1 / lengths, 1.0)[rows.source]


def _equations(
    used: Sequence[_Rows], lengths: Sequence[Floats], betas: Floats, log_z: Floats
) -> tuple[Floats, Floats]:
    """The excess of each level but the prior, and its slopes."""
    n = len(betas) - 1
    excess, slopes = np.zeros(n), np.zeros((n, n))
    for rows, length in zip(used, lengths):
        shares, numbers = _shares(rows, length, betas, log_z)
        shares, each = shares[:, :n], _each(rows, length)
        counted = each @ shares
        excess += counted - numbers[:n]
        slopes += np.diag(counted) - (shares.T * each) @ shares
    return excess, slopes


def _solved(
    used: Sequence[_Rows], lengths: Sequence[Floats], betas: Floats, log_z: Floats, most: int
) -> Floats:
    """The log Z of all levels at which all equations hold, by Newton's method."""
    log_z = log_z.copy()
    for _ in range(most):
        excess, slopes = _equations(used, lengths, betas, log_z)
        step = np.clip(np.linalg.lstsq(slopes, excess, rcond=1e-13)[0], -1.0, 1.0)
        log_z[:-1] += step
        if np.abs(step).max() < _CLOSE:
            break
    return log_z


def _lengths(rows: _Rows, lengths: Floats, betas: Floats, log_z: Floats) -> Floats:
    """Of each level the number of draws that are worth one independent of the others."""
    shares, _ = _shares(rows, lengths, betas, log_z)
    found = np.ones(len(betas))
    for t in range(len(betas)):
        of_level = rows.source == t
        pooled = shares[of_level, t]
        if not pooled.var() > 0:
            continue
        own = [pooled[rows.chain[of_level] == i] for i in np.unique(rows.chain)]
        variances = [len(h) ** 2 * variance_of_mean(h) for h in own if len(h) > 3]
        number = sum(len(h) for h in own if len(h) > 3)
        found[t] = max(1.0, float(sum(variances) / (max(number, 1) * pooled.var())))
    return found


def _error(used: Sequence[_Rows], lengths: Sequence[Floats], betas: Floats, log_z: Floats) -> float:
    """The standard error if chains do not differ by more than their own noise."""
    n = len(betas) - 1
    variance = np.zeros((n, n))
    for rows, length in zip(used, lengths):
        shares, each = _shares(rows, length, betas, log_z)[0][:, :n], _each(rows, length)
        for source in np.unique(rows.source):
            of = rows.source == source
            variance += each[of].sum() * np.cov(shares[of].T, bias=True).reshape(n, n)
    inverse = np.linalg.pinv(_equations(used, lengths, betas, log_z)[1])
    return sqrt(max(float((inverse @ variance @ inverse)[0, 0]), 0.0))


def _proposed(rows: _Rows, ntemps: int) -> tuple[Floats, Floats]:
    """Log posterior - log m at the coldest draws, and at those from m and from the prior."""
    log_ratios = rows.logl - rows.log_m
    return log_ratios[rows.source == 0], log_ratios[rows.source >= ntemps - 1]
