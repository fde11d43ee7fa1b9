"""Splitting components whose points do not look normal."""

from __future__ import annotations

from collections.abc import Iterator
from math import log, pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from epsie.proposals.learned.mixture import Array, Mixture

_HALVED = 0.5 * log(1 - 2 / pi) + log(2)
"""The log density per point that halving a normal distribution loses: log 2 less what it gains."""

_FAR = 3.0
"""Deviations beyond this, per root of the dimensions, are pulled in before moments are taken."""

_LARGEST_DOFS, _SMALLEST_DOFS = 20.0, 5.0


class _Half(NamedTuple):
    """A cut through the points of a component."""

    worth: float
    k: int
    rows: Array
    below: NDArray[np.bool_]


def split(rows: Array, mixture: Mixture, largest: int, least: float) -> Mixture | None:
    """A mixture with components cut in two where that gains most; None where none gains enough.

    Parameters
    ----------
    rows : array
        What the mixture was fitted to. Shape (n, d).
    mixture : Mixture
        The mixture.
    largest : int
        The number of components not to go beyond.
    least : float
        What a cut must gain in log density for each of the component's points, beyond what a cut
        through a normal distribution seems to gain, and what more parameters gain by chance.
    """
    _, log_parts, _ = mixture.quick(rows)
    nearest, more = log_parts.argmax(axis=1), mixture.ndim * (mixture.ndim + 3) / 2
    cuts = [_best_cut(k, rows[nearest == k], mixture) for k in range(mixture.size)]
    halves = [half for half in cuts if half and half.worth > least + more / len(half.rows)]
    halves.sort(key=lambda half: -half.worth * len(half.rows))
    halves = halves[: largest - mixture.size]
    return _cut(mixture, halves) if halves else None


def _best_cut(k: int, rows: Array, mixture: Mixture) -> _Half | None:
    """The best cut through the points of a component; None if there are too few."""
    n, d = rows.shape
    if n < max(4 * d + 4, 20):
        return None
    white = (rows - mixture.means[k]) @ mixture.inverses[k].T
    white -= np.median(white, axis=0)
    best: tuple[float, NDArray[np.bool_]] | None = None
    for direction in _directions(white):
        along = white @ direction
        for at in (np.median(along), along.mean()):
            gain = _gain(white, below := along < at)
            if gain is not None and (best is None or gain > best[0]):
                best = gain, below
    if best is None:
        return None
    whole = _log_volume(white)
    return None if whole is None else _Half(best[0] + whole + _HALVED, k, rows, best[1])


def _gain(white: Array, below: NDArray[np.bool_]) -> float | None:
    """The log density of points as two normal distributions, up to a constant."""
    n, d = white.shape
    share = float(below.mean())
    if min(share, 1 - share) * n < 2 * d + 2:
        return None
    one, other = _log_volume(white[below]), _log_volume(white[~below])
    if one is None or other is None:
        return None
    entropy = share * log(share) + (1 - share) * log(1 - share)
    return entropy - share * one - (1 - share) * other


def _log_volume(rows: Array) -> float | None:
    """The logarithm of the root of the determinant of a covariance; None if it is singular."""
    sign, log_det = np.linalg.slogdet(covariance(rows))
    return 0.5 * float(log_det) if sign > 0 and np.isfinite(log_det) else None


def _directions(white: Array) -> Iterator[Array]:
    """Directions in which points that should be standard normal may not be so."""
    d = white.shape[1]
    squares = (white * white).sum(axis=1)
    bend = (white * np.minimum(squares, 9.0 * d)[:, np.newaxis]).mean(axis=0)
    if (length := float(np.linalg.norm(bend))) > 0:
        yield bend / length
    reach = np.sqrt(np.maximum(squares, 1e-300))
    near = white * np.minimum(1, _FAR * sqrt(d) / reach)[:, np.newaxis]
    cov = covariance(near)
    fourth = (near * (near * near).sum(axis=1)[:, np.newaxis]).T @ near / len(near)
    try:
        unfactor = np.linalg.inv(np.linalg.cholesky(cov + 1e-9 * np.eye(d)))
        axes = unfactor.T @ np.linalg.eigh(unfactor @ fourth @ unfactor.T)[1]
        axes /= np.linalg.norm(axes, axis=0)
        for j in (0, 1, d - 2, d - 1) if d > 4 else range(d):
            yield axes[:, j]
        yield np.linalg.eigh(cov)[1][:, -1]
    except LinAlgError:
        return


def covariance(rows: Array) -> Array:
    """The covariance of rows; also of a single column a matrix."""
    away = rows - rows.mean(axis=0)
    cov: Array = away.T @ away / max(len(rows) - 1, 1)
    return cov


def _cut(mixture: Mixture, halves: list[_Half]) -> Mixture:
    """The mixture with some of its components in two."""
    d = mixture.ndim
    gone = {half.k for half in halves}
    kept = [k for k in range(mixture.size) if k not in gone]
    weights, dofs = mixture.weights[kept].tolist(), mixture.dofs[kept].tolist()
    means, covs = list(mixture.means[kept]), list(mixture.covs[kept])
    for half in halves:
        narrow = 0.5 * mixture.covs[half.k]
        for rows in (half.rows[half.below], half.rows[~half.below]):
            n = len(rows)
            weights.append(mixture.weights[half.k] * n / len(half.rows))
            means.append(rows.mean(axis=0))
            covs.append((covariance(rows) * n + (d + 2) * narrow) / (n + d + 2))
            dofs.append(min(_LARGEST_DOFS, max(float(mixture.dofs[half.k]), _SMALLEST_DOFS)))
    return Mixture.of(weights, np.array(means), np.array(covs), dofs)
