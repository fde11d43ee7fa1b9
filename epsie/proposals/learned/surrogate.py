"""Normal distributions whose log densities go through evaluated points."""

from __future__ import annotations

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from epsie.proposals.learned.mixture import Array, Mixture

_DOFS = 8.0

_LARGE = 300
"""From so many coefficients on they are found from normal equations, which are faster."""

_MOST = 4
"""So many modes are looked for."""

_KEPT, _MOST_KEPT = 40, 4000
"""Of points evaluated so many for each coefficient are kept, and no more than that."""


def coefficients(ndim: int) -> int:
    """The number of coefficients of a quadratic."""
    return (ndim + 1) * (ndim + 2) // 2


def points_needed(ndim: int) -> int:
    """The number of points, the best of all, that it is fitted to."""
    return max(3 * coefficients(ndim), 60)


def points_kept(ndim: int) -> int:
    """The number of points that are kept: from some that are not among the best a mode is known."""
    return max(points_needed(ndim), min(_KEPT * coefficients(ndim), _MOST_KEPT))


def surrogates(rows: Array, log_densities: Array) -> Mixture | None:
    """A component for the best points, another one for the best that it does not explain, etc.

    On the way to one mode chains leave others, which they never reached: but what was evaluated
    near them tells where they are, and how wide. None if there is no component.

    Parameters
    ----------
    rows : array
        Where the target was evaluated. Shape (n, d).
    log_densities : array
        What it was there. Shape (n,).
    """
    found: list[Mixture] = []
    while len(found) < _MOST and (one := surrogate(rows, log_densities)) is not None:
        found.append(one)
        if coefficients(one.ndim) >= _LARGE:
            break
        left = _unexplained(one, rows, log_densities)
        rows, log_densities = rows[left], log_densities[left]
    if not found:
        return None
    mixture = found[0]
    for n, one in enumerate(found[1:], 2):
        mixture = mixture.joined(one, 1 / n)
    return mixture


def _unexplained(one: Mixture, rows: Array, log_densities: Array) -> NDArray[np.bool_]:
    """The points that are much higher than the normal distribution of a component."""
    d = one.ndim
    lacks = log_densities + 0.5 * one.quick(rows)[2][:, 0]
    best = np.argsort(-log_densities, kind="stable")[: points_needed(d)]
    higher: NDArray[np.bool_] = lacks > np.median(lacks[best]) + d
    return higher


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
