"""The sweeps of `epsie.tempering.sweeps` of many chains at once: the same decisions, as arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from epsie.rng.elementwise import exps

Array = NDArray[np.float64]
Sweeps = tuple[NDArray[np.int64], Array]
"""Where points came from, shape (nchains, ntemps), and ratios, shape (nchains, ntemps - 1)."""


def _ratios(log_ratio: Array) -> Array:
    ratios, below = np.ones(len(log_ratio)), np.flatnonzero(log_ratio < 0)
    ratios[below] = exps(log_ratio[below])
    return ratios


def _cascade(logls: Array, betas: Array, uniforms: Array, sweep: int) -> Sweeps:
    n, ntemps = logls.shape
    order, ratios = np.empty((n, ntemps), np.int64), np.empty((n, ntemps - 1))
    carried, hot = np.full(n, ntemps - 1), logls[:, -1]
    for cold in range(ntemps - 2, -1, -1):
        log_ratio = (betas[:, cold] - betas[:, cold + 1]) * (hot - logls[:, cold])
        ratios[:, cold] = _ratios(log_ratio)
        swapped = uniforms[:, cold] < ratios[:, cold]
        order[:, cold + 1] = np.where(swapped, cold, carried)
        carried = np.where(swapped, carried, cold)
        hot = np.where(swapped, hot, logls[:, cold])
    order[:, 0] = carried
    return order, ratios


def _deo(logls: Array, betas: Array, uniforms: Array, sweep: int) -> Sweeps:
    n, ntemps = logls.shape
    log_ratios = (betas[:, :-1] - betas[:, 1:]) * (logls[:, 1:] - logls[:, :-1])
    ratios = _ratios(log_ratios.ravel()).reshape(n, -1)
    order = np.tile(np.arange(ntemps), (n, 1))
    for cold in range(sweep % 2, ntemps - 1, 2):
        swapped = uniforms[:, cold] < ratios[:, cold]
        order[swapped, cold], order[swapped, cold + 1] = cold + 1, cold
    return order, ratios


SWEEPS: dict[str, Callable[[Array, Array, Array, int], Sweeps]] = {"cascade": _cascade, "deo": _deo}
"""By the name of the scheme: log likelihoods, betas and uniforms are of shape (nchains, ...)."""
