"""Expectation maximisation of mixtures of t distributions."""

from __future__ import annotations

from math import exp, lgamma, log

import numpy as np
from numpy.linalg import LinAlgError

from epsie.proposals.learned.mixture import Array, Mixture

DOFS = np.array([2, 2.5, 3, 4, 5, 6, 8, 10, 14, 20, 30, 50, 100, 300])
"""The degrees of freedom among which is chosen."""

_DOFS_TERMS = 20_000
"""Rows times components that are looked at for it, about."""

_DOFS_EVERY = 3
"""Iterations from one choice of the degrees of freedom to the next."""

_ROUNDING = 1e-15


def maximised(
    rows: Array,
    mixture: Mixture,
    iterations: int,
    shape: Array,
    weight: float,
    least: float = 1e-3,
) -> Mixture:
    """A mixture after some iterations of ECME for t distributions.

    See Liu & Rubin (1995), Statistica Sinica 5, 19.

    Components that are left with too few rows go.

    Parameters
    ----------
    rows : array
        What it is fitted to. Shape (n, d).
    mixture : Mixture
        Where to start.
    iterations : int
        How many iterations to make.
    shape : array
        The covariance towards which those of the components are shrunk, as long as there is one
        component, or one has just gone; else it is their average. Shape (d, d).
    weight : float
        With the weight of so many rows.
    least : float, optional
        The least share of the rows that a component must have, beside d + 1 rows.
    """
    for i in range(iterations):
        learns_dofs = i % _DOFS_EVERY == _DOFS_EVERY - 1 or i == iterations - 1
        try:
            better = _iteration(rows, mixture, shape, weight, least, learns_dofs)
        except LinAlgError:
            return mixture
        if better is None:
            return mixture
        mixture = better
    return mixture


def _iteration(
    rows: Array, mixture: Mixture, shape: Array, weight: float, least: float, learns_dofs: bool
) -> Mixture | None:
    """One iteration; None if no component has rows enough."""
    n, d = rows.shape
    totals, log_parts, distances = mixture.quick(rows)
    shares = np.exp(log_parts - totals[:, np.newaxis])
    kept = shares.sum(axis=0) > max(d + 1.0, least * n)
    if not kept.any():
        return None
    dofs = mixture.dofs[kept]
    if not kept.all():
        shares, distances = shares[:, kept], distances[:, kept]
        shares /= np.maximum(shares.sum(axis=1), 1e-300)[:, np.newaxis]
    sizes = shares.sum(axis=0)
    precisions = (dofs + d) / (dofs + distances)
    weighted = shares * precisions
    means = (weighted.T @ rows) / weighted.sum(axis=0)[:, np.newaxis]
    targets = _targets(mixture, shape, len(sizes))
    covs = np.empty((len(sizes), d, d))
    for k, size in enumerate(sizes.tolist()):
        away = rows - means[k]
        scatter = (away * weighted[:, k : k + 1]).T @ away
        covs[k] = (scatter + weight * targets[k]) / (size + weight)
    if learns_dofs:
        dofs = _likeliest_dofs(shares, distances, d)
    return Mixture.of(sizes, means, covs, dofs)


def _targets(mixture: Mixture, shape: Array, size: int) -> Array:
    """The targets that the covariances are shrunk to: their average, at the volume of each."""
    d = mixture.ndim
    if size == 1 or mixture.size != size:
        return np.broadcast_to(shape * size ** (-2 / d), (size, d, d))
    # Of their logarithms: the widest and the narrowest components would rule any other average.
    variances, axes = np.linalg.eigh(mixture.covs)
    logs = np.log(np.maximum(variances, _ROUNDING * variances[:, -1:]))
    logs = np.matmul(axes * logs[:, np.newaxis], axes.transpose(0, 2, 1))
    logs, axes = np.linalg.eigh(np.tensordot(mixture.weights, logs, axes=1))
    average = axes * np.exp(logs - logs.mean()) @ axes.T
    return np.array([average * exp(2 * v / d) for v in mixture.log_volumes.tolist()])


def _likeliest_dofs(shares: Array, distances: Array, d: int) -> Array:
    """The degrees of freedom of each component at which the likelihood is largest.

    The likelihood itself, and not its expectation given the former ones (ECME), as one gets stuck
    with that.
    """
    every = slice(None, None, max(1, shares.size // _DOFS_TERMS))
    shares, distances = shares[every], distances[every]
    sizes = shares.sum(axis=0)
    found = [
        sizes * (lgamma((nu + d) / 2) - lgamma(nu / 2) - d / 2 * log(nu))
        - (nu + d) / 2 * (shares * np.log1p(distances / nu)).sum(axis=0)
        for nu in DOFS.tolist()
    ]
    chosen: Array = DOFS[np.argmax(found, axis=0)]
    return chosen
