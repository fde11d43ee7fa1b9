"""Covariances and widths: what they may be, and the densities they give."""

from __future__ import annotations

from math import inf, log, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.checks import as_floats

_LOG_2PI = log(2 * pi)


def as_covariance(cov: ArrayLike | None, ndim: int) -> NDArray[np.float64]:
    """A covariance as an array of variances or a matrix.

    Parameters
    ----------
    cov : float or array_like, optional
        One variance for all, one for each or a matrix; 1 if None.
    ndim : int
        The number of parameters.

    Raises
    ------
    ValueError
        If the shape is another, or it is not finite, symmetric and positive semi-definite.
    """
    given = as_floats(1.0 if cov is None else cov, "cov")
    if given.ndim == 2 and given.shape == (ndim, ndim):
        if not np.array_equal(given, np.diag(np.diagonal(given))):
            return _as_matrix(given)
        given = np.diagonal(given)
    if given.ndim == 2 or (given.ndim and given.shape != (ndim,)):
        raise ValueError(
            f"cov must be a number, {ndim} variances or a matrix of {ndim} x {ndim} for {ndim} "
            f"parameter(s); got shape {given.shape}"
        )
    if not (np.isfinite(given).all() and (given >= 0).all()):
        raise ValueError(f"variances must be finite and not negative; got {given}")
    return np.broadcast_to(given, (ndim,)).copy()


def as_first_covariance(
    cov: ArrayLike | None, ndim: int, diagonal: bool = False
) -> NDArray[np.float64]:
    """The covariance that learning starts from, as `as_covariance` has it.

    Raises
    ------
    ValueError
        If a variance is not positive, or it must be diagonal and is not.
    """
    found = as_covariance(cov, ndim)
    if diagonal and found.ndim > 1:
        raise ValueError(f"cov must be diagonal here: a number or {ndim} variances; got a matrix")
    if not min(stds_of(found)) > 0:
        raise ValueError(
            f"learning cannot start from a width of zero; got the standard deviations "
            f"{stds_of(found)}. Give a guess, or leave it to the spread of the starts"
        )
    return found


def _as_matrix(given: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(given).all():
        raise ValueError(f"cov must be finite; got {given}")
    scale = np.sqrt(np.abs(np.outer(np.diagonal(given), np.diagonal(given))))
    uneven = np.abs(given - given.T) > 1e-8 * scale
    if uneven.any():
        i, j = np.argwhere(uneven)[0]
        raise ValueError(
            f"cov must be symmetric; got {given[i, j]} at [{i}, {j}] and {given[j, i]} at "
            f"[{j}, {i}]. For instance use (cov + cov.T) / 2"
        )
    lowest, *_, highest = np.linalg.eigvalsh(given)
    if lowest < -1e-10 * abs(highest):
        raise ValueError(
            f"cov must be positive semi-definite; its lowest eigenvalue is {lowest:.6g}"
        )
    return (given + given.T) / 2


def factor_of(cov: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix F with F F^T = cov: triangular, unless the covariance is semi-definite."""
    try:
        return np.ascontiguousarray(np.linalg.cholesky(cov))
    except np.linalg.LinAlgError:
        variances, axes = np.linalg.eigh(cov)
        return np.ascontiguousarray(axes * np.sqrt(np.maximum(variances, 0)))


def as_stds(std: ArrayLike, ndim: int, name: str) -> NDArray[np.float64]:
    """Standard deviations, one for each parameter.

    Raises
    ------
    ValueError
        If there are not one or `ndim`, or one is negative or not finite.
    """
    given = as_floats(std, name)
    if given.shape not in ((), (1,), (ndim,)):
        raise ValueError(
            f"{name} must be a number or {ndim} of them for {ndim} parameter(s); got shape "
            f"{given.shape}"
        )
    if not (np.isfinite(given).all() and (given >= 0).all()):
        raise ValueError(f"{name} must be finite and not negative; got {given}")
    return np.broadcast_to(given, (ndim,)).copy()


def log_normal_density(
    away: NDArray[np.float64], stds: NDArray[np.float64], tolerance: float = 0.0
) -> float:
    """The log density of independent normals at `away`; those of zero width must be at zero."""
    moves = stds > 0
    if (np.abs(away[~moves]) > tolerance).any():
        return -inf
    z = away[moves] / stds[moves]
    return float(-0.5 * (z @ z) - np.log(stds[moves]).sum() - 0.5 * len(z) * _LOG_2PI)


def stds_of(cov: NDArray[np.float64]) -> tuple[float, ...]:
    """The standard deviations of variances or of a matrix."""
    stds: list[float] = np.sqrt(cov if cov.ndim == 1 else np.diagonal(cov)).tolist()
    return tuple(stds)
