"""The normal distribution whose log density goes through evaluated points."""

from __future__ import annotations

import numpy as np
from numpy.linalg import LinAlgError

from epsie.proposals.learned.mixture import Array, Mixture

_DOFS = 8.0

_LARGE = 300
"""From so many coefficients on they are found from normal equations, which are faster."""


def coefficients(ndim: int) -> int:
    """The number of coefficients of a quadratic."""
    return (ndim + 1) * (ndim + 2) // 2


def points_needed(ndim: int) -> int:
    """The number of points, the best of all, that it is fitted to."""
    return max(3 * coefficients(ndim), 60)


def surrogate(rows: Array, log_densities: Array) -> Mixture | None:
    """One component: the quadratic least-squares fit of a log density to its best points.

    It needs no sample: positions at which the target was evaluated are enough, rejected ones, too.
    None if there are too few points, or the fit has no maximum.

    Parameters
    ----------
    rows : array
        Where the target was evaluated. Shape (n, d).
    log_densities : array
        What it was there. Shape (n,).
    """
    fine = np.isfinite(log_densities)
    rows, log_densities = rows[fine], log_densities[fine]
    n, d = rows.shape
    if n < 1.1 * coefficients(d) + 2:
        return None
    best = np.argsort(-log_densities, kind="stable")[: points_needed(d)]
    rows, below = rows[best], log_densities[best] - log_densities[best[0]]
    try:
        found = _quadratic(rows - rows[0], below)
        if found is None:
            return None
        step, cov = found
        return Mixture.of([1.0], (rows[0] + step)[np.newaxis], cov[np.newaxis], [_DOFS])
    except LinAlgError:
        return None


def _quadratic(away: Array, below: Array) -> tuple[Array, Array] | None:
    """The maximum of the fitted quadratic, and its covariance; None if it has no maximum."""
    variances, axes = np.linalg.eigh(away.T @ away / len(away))
    if not variances[-1] > 0:
        return None
    widths = np.sqrt(np.maximum(variances, variances[-1] * 1e-14))
    slope, curvature = _least_squares((away @ axes) / widths, below)
    curvatures, directions = np.linalg.eigh(curvature)
    flat = curvatures < 1e-5
    if not np.isfinite(curvatures).all() or curvatures[-1] <= 0 or flat.mean() > 0.5:
        return None
    curvatures = np.where(flat, 1.0, curvatures)
    step = np.where(flat, 0.0, directions.T @ slope / curvatures)
    factor = axes * widths @ directions
    return factor @ step, (factor / curvatures) @ factor.T


def _least_squares(white: Array, below: Array) -> tuple[Array, Array]:
    """The slope g and the curvature H of g x - x H x / 2, fitted to how far points lie below."""
    d = white.shape[1]
    i, j = np.triu_indices(d)
    design = np.concatenate([np.ones((len(white), 1)), white, white[:, i] * white[:, j]], axis=1)
    # Far below the maximum the target need not be quadratic.
    weights = np.exp(0.5 * np.maximum(below / (2 * d + 10), -8))
    design *= weights[:, np.newaxis]
    scale = np.sqrt((design * design).sum(axis=0))
    scale[scale == 0] = 1
    design /= scale
    if len(scale) < _LARGE:
        found = np.linalg.lstsq(design, below * weights, rcond=1e-12)[0]
    else:
        normal = design.T @ design
        normal[np.diag_indices(len(scale))] += 1e-12
        found = np.linalg.solve(normal, design.T @ (below * weights))
    found = found / scale
    curvature = np.zeros((d, d))
    curvature[i, j] = -found[d + 1 :]
    return found[1 : d + 1], curvature + curvature.T
