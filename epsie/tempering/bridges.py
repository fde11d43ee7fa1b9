"""The evidence from plain chains, by bridges between what they learned and the target.

Between two barriers a chain draws from the target pi, likelihood times prior, and now and then an
independent draw from a mixture q, which is frozen and normalised, is proposed to it: accepted or
not, these are draws of q. The optimal bridge (Meng & Wong 1996, Statistica Sinica 6, 831; Bennett
1976, doi:10.1016/0021-9991(76)90078-4) finds log Z from both. As each stretch has its own q, one
log Z is solved from the sum of the equations of all. To take the mixtures of all stretches for one
would be biased: later ones were fitted to draws that earlier ones had proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import hypot, log, sqrt
from typing import NamedTuple, TypeVar

import numpy as np

from epsie.tempering.evidence import Evidence, variance_of_mean
from epsie.tempering.log_z import Floats

T = TypeVar("T")

LEAST = 30
"""Draws, and independent ones, that a stretch must have."""

_NEWTON, _CLOSE = 100, 1e-10


class Stretch(NamedTuple):
    """Log pi - log q in a stretch, by chain.

    Parameters
    ----------
    draws : sequence of array
        Where each chain was, in the order of time. Shape (n,).
    fresh : sequence of array
        At its independent draws from q, accepted or not; -inf where pi vanishes. Shape (m,).
    """

    draws: Sequence[Floats]
    fresh: Sequence[Floats]


class Bridged(NamedTuple):
    """The evidence, and how much of the target the mixtures miss.

    Parameters
    ----------
    evidence : Evidence
        Its `per_chain` are the pseudo-values of a jackknife over chains.
    miss : float
        The share of draws at which pi / q exceeds that at all independent draws: there may be more
        of the target that is never proposed.
    newly : float
        The largest share in any stretch of draws at which it does so by far: where a chain found a
        mode that was not known. What was before the last such stretch is not used if it disagrees.
    """

    evidence: Evidence
    miss: float
    newly: float


def bridged(stretches: Sequence[Stretch]) -> Bridged:
    """The evidence from stretches of the same chains.

    Parameters
    ----------
    stretches : sequence of Stretch
        Those with too few draws are left out.

    Raises
    ------
    ValueError
        If there are too few draws in all.
    """
    used = [s for s in stretches if min(_number(s.draws), _number(s.fresh)) >= LEAST]
    pairs = [(np.concatenate(s.draws), np.concatenate(s.fresh)) for s in used]
    return estimated(used, pairs, _pooled)


def _pooled(used: Sequence[Stretch]) -> Evidence:
    """One estimate from all stretches."""
    if not any(np.isfinite(np.concatenate(s.fresh)).any() for s in used):
        raise ValueError(
            "too few independent draws so far: chains propose them when they have learned. Run on, "
            "or sample at several temperatures"
        )
    middle = float(np.median(np.concatenate(used[-1].draws)))
    lengths = [1.0] * len(used)
    everyone = list(range(len(used[0].draws)))
    log_z = _solved(used, lengths, everyone, middle)
    for _ in range(2):
        lengths = [_length(s, length, log_z) for s, length in zip(used, lengths)]
        log_z = _solved(used, lengths, everyone, log_z)
    left_out = [[j for j in everyone if j != i] for i in everyone] if len(everyone) > 1 else []
    without = np.array([_solved(used, lengths, chains, log_z) for chains in left_out])
    n = len(everyone)
    error = _error(used, lengths, everyone, log_z)
    values = np.array([log_z])
    if n > 1:
        values = n * log_z - (n - 1) * without
        error = max(error, sqrt((n - 1) / n * float(np.square(without - without.mean()).sum())))
    return Evidence(log_z, error, "mixture", values)


_FAR = 2.0
"""In log density: what exceeds all that is proposed by more is a mode that was not known."""

_SAME = 2.5
"""So many standard errors apart two estimates may be of the same."""


def estimated(
    stretches: Sequence[T],
    pairs: Sequence[tuple[Floats, Floats]],
    estimate: Callable[[Sequence[T]], Evidence],
) -> Bridged:
    """What an estimator says of stretches, and what their mixtures miss.

    Parameters
    ----------
    stretches : sequence
        The stretches.
    pairs : sequence of tuple of array
        For each the log ratio of target and mixture at the draws, and at independent ones.
    estimate : callable
        The evidence from some stretches; it raises a ValueError if they are too few.
    """
    news = [float((draws > fresh.max() + _FAR).mean()) for draws, fresh in pairs]
    found, first = _agreed(stretches, news, estimate)
    misses = [(draws > fresh.max()).mean() for draws, fresh in pairs[first:]]
    return Bridged(found, float(np.mean(misses)), max(news))


def _agreed(
    stretches: Sequence[T], news: Sequence[float], estimate: Callable[[Sequence[T]], Evidence]
) -> tuple[Evidence, int]:
    """The estimate of all stretches that say the same, and how many are left out.

    Those before a mode was last found are left out if they say something else: they are of the
    target without it. Often they do not, as it was a draw far out in a tail.
    """
    last = max((i for i, new in enumerate(news) if new), default=0)
    found = estimate(stretches)
    if last:
        try:
            since, before = estimate(stretches[last:]), estimate(stretches[:last])
        except ValueError:  # Too few draws to tell.
            return found, 0
        error = hypot(since.standard_error, before.standard_error)
        if not abs(since.log_z - before.log_z) < _SAME * error:
            return since, last
    return found, 0


def _number(arrays: Sequence[Floats]) -> int:
    return sum(map(len, arrays))


def _shares(
    stretch: Stretch, length: float, chains: Sequence[int], log_z: float
) -> tuple[Floats, Floats]:
    """Of draws the probability to be of q, of independent draws that to be of pi."""
    from scipy.special import expit

    draws = np.concatenate([stretch.draws[i] for i in chains])
    fresh = np.concatenate([stretch.fresh[i] for i in chains])
    odds = log(len(draws) / length) - log(len(fresh)) - log_z
    return expit(-(odds + draws)), expit(odds + fresh)


def _solved(
    stretches: Sequence[Stretch], lengths: Sequence[float], chains: Sequence[int], log_z: float
) -> float:
    """The log Z at which the equations of all stretches hold together, by Newton's method."""
    for _ in range(_NEWTON):
        excess = slope = 0.0
        for stretch, length in zip(stretches, lengths):
            if not _number([stretch.draws[i] for i in chains]) * _number(
                [stretch.fresh[i] for i in chains]
            ):
                continue
            of_q, of_pi = _shares(stretch, length, chains, log_z)
            excess += float(of_pi.sum() - of_q.sum() / length)
            slope += float((of_pi * (1 - of_pi)).sum() + (of_q * (1 - of_q)).sum() / length)
        step = min(max(excess / max(slope, 1e-300), -1.0), 1.0)
        log_z += step
        if abs(step) < _CLOSE:
            break
    return log_z


def _length(stretch: Stretch, length: float, log_z: float) -> float:
    """The number of draws that are worth one independent of the others."""
    own = [
        _shares(stretch, length, [i], log_z)[0]
        for i in range(len(stretch.draws))
        if len(stretch.draws[i]) and len(stretch.fresh[i])
    ]
    pooled = np.concatenate(own)
    if not pooled.var() > 0:
        return 1.0
    variances = [len(h) ** 2 * variance_of_mean(h) for h in own if len(h) > 3]
    number = sum(len(h) for h in own if len(h) > 3)
    return max(1.0, float(sum(variances) / (max(number, 1) * pooled.var())))


def _error(
    stretches: Sequence[Stretch], lengths: Sequence[float], chains: Sequence[int], log_z: float
) -> float:
    """The standard error if chains do not differ by more than their own noise."""
    variance = information = 0.0
    for stretch, length in zip(stretches, lengths):
        of_q, of_pi = _shares(stretch, length, chains, log_z)
        variance += len(of_pi) * float(of_pi.var()) + len(of_q) / length * float(of_q.var())
        information += float((of_pi * (1 - of_pi)).sum() + (of_q * (1 - of_q)).sum() / length)
    return sqrt(variance) / max(information, 1e-300)
