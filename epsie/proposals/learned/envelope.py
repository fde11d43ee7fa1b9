"""Components where a mixture is too low: the envelope of a target over it."""

from __future__ import annotations

from math import exp, log, log1p

import numpy as np
from numpy.linalg import LinAlgError

from epsie.proposals.learned.mixture import Array, Mixture

_MOST = 16
_TOO_LOW = log(3.0)
_LEAST_WEIGHT, _LARGEST_WEIGHT = 1e-4, 0.03
_SCALE, _DOFS = 3.0, 5.0


def enveloped(mixture: Mixture, rows: Array, log_densities: Array) -> Mixture:
    """The mixture, with components put where the target is higher than it, compared to elsewhere.

    At most 16, one after the other, as in incremental mixture importance sampling (Raftery & Bao
    2010, doi:10.1111/j.1541-0420.2010.01399.x): where the ratio of the target to the mixture
    exceeds three times its median, one is put whose weight makes the two equal.

    Parameters
    ----------
    mixture : Mixture
        What to draw from.
    rows : array
        Positions. Shape (n, d).
    log_densities : array
        The log density of the target there. Shape (n,).
    """
    rows, first = np.unique(rows, axis=0, return_index=True)
    log_densities = log_densities[first]
    log_q = mixture.quick(rows)[0]
    log_densities = log_densities - np.median(log_densities - log_q)
    for _ in range(_MOST):
        lacks = log_densities - log_q
        i = int(lacks.argmax())
        if not lacks[i] >= _TOO_LOW:
            break
        try:
            one = _component(mixture, rows, i)
        except LinAlgError:
            break
        log_one = one.quick(rows)[0]
        wanted = min(log_densities[i] - log_one[i] + log(0.5), log(_LARGEST_WEIGHT))
        weight = exp(max(wanted, log(_LEAST_WEIGHT)))
        mixture = mixture.joined(one, weight)
        log_q = np.logaddexp(log_q + log1p(-weight), log(weight) + log_one)
    return mixture


def _component(mixture: Mixture, rows: Array, i: int) -> Mixture:
    """A component about a row, as wide as its neighbourhood."""
    d = mixture.ndim
    k = int(mixture.quick(rows[i : i + 1])[1][0].argmax())
    away = rows - rows[i]
    distances = np.square(away @ mixture.inverses[k].T).sum(axis=1)
    nearest = np.argsort(distances, kind="stable")[: max(4 * d, 20)]
    n, cov = len(nearest), mixture.covs[k]
    near = away[nearest].T @ away[nearest] / n
    log_det = float(np.linalg.slogdet(near + 1e-12 * cov)[1])
    shrink = (log_det - 2 * float(mixture.log_volumes[k])) / d
    near = (near * n + (d + 1) * cov * exp(max(-2.0, min(0.0, shrink)))) / (n + d + 1)
    return Mixture.of([1.0], rows[i : i + 1], _SCALE * near[np.newaxis], [_DOFS])
