"""Sweeps: pure functions that decide which temperatures swap their points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp
from typing import Any, NamedTuple


class Sweep(NamedTuple):
    """The outcome of a sweep of swaps."""

    order: list[int]
    """For every temperature the index of the one whose point moved into it."""

    ratios: list[float]
    """The acceptance ratio of every adjacent pair, coldest first."""


SwapScheme = Callable[[Sequence[float], Sequence[float], Sequence[float], int], Sweep]


def swap_ratio(logl_cold: float, logl_hot: float, beta_cold: float, beta_hot: float) -> float:
    """The probability to swap two temperatures: min(1, (L_hot/L_cold)^(beta_cold - beta_hot)).

    A point without likelihood, which only beta = 0 can hold, is never swapped to a colder one.
    """
    log_ratio = (beta_cold - beta_hot) * (logl_hot - logl_cold)
    return exp(log_ratio) if log_ratio < 0 else 1.0


def cascade(
    logls: Sequence[float],
    betas: Sequence[float],
    uniforms: Sequence[float],
    sweep: int,
) -> Sweep:
    """Try all adjacent pairs in turn, from hot to cold.

    A point may travel from the hottest temperature to the coldest within one sweep.

    Parameters
    ----------
    logls : sequence of float
        Log likelihoods of the points, coldest first, shape (ntemps,).
    betas : sequence of float
        Inverse temperatures, descending, shape (ntemps,).
    uniforms : sequence of float
        Uniform variates on [0, 1), shape (ntemps - 1,).
    sweep : int
        The number of sweeps made before.
    """
    hot = len(betas) - 1
    order, ratios = list(range(hot + 1)), [1.0] * hot
    carried, logl_hot, beta_hot = hot, logls[hot], betas[hot]
    for cold in range(hot - 1, -1, -1):
        beta, logl = betas[cold], logls[cold]
        log_ratio = (beta - beta_hot) * (logl_hot - logl)
        if log_ratio < 0:
            ratios[cold] = exp(log_ratio)
        if uniforms[cold] < ratios[cold]:
            order[cold + 1] = cold
        else:
            order[cold + 1] = carried
            carried, logl_hot = cold, logl
        beta_hot = beta
    order[0] = carried
    return Sweep(order, ratios)


def deo(
    logls: Sequence[float], betas: Sequence[float], uniforms: Sequence[float], sweep: int
) -> Sweep:
    """Try the even pairs in one sweep and the odd ones in the next, deterministically.

    That makes the points' way through the temperatures non-reversible: they keep their direction
    (Okabe et al. 2001, doi:10.1016/S0009-2614(01)00055-0; Syed et al. 2022,
    doi:10.1111/rssb.12464, algorithm 1). The ratios are those of all pairs before the sweep.

    Parameters
    ----------
    logls, betas, uniforms, sweep
        See `cascade`.
    """
    ntemps = len(betas)
    ratios = [
        swap_ratio(logls[cold], logls[cold + 1], betas[cold], betas[cold + 1])
        for cold in range(ntemps - 1)
    ]
    order = list(range(ntemps))
    for cold in range(sweep % 2, ntemps - 1, 2):
        if uniforms[cold] < ratios[cold]:
            order[cold], order[cold + 1] = cold + 1, cold
    return Sweep(order, ratios)


SWAP_SCHEMES: dict[str, SwapScheme] = {"cascade": cascade, "deo": deo}
"""The swap schemes by name."""


def find_swap_scheme(name: Any) -> SwapScheme:
    """A swap scheme by its name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if not isinstance(name, str) or name not in SWAP_SCHEMES:
        raise ValueError(f"swap_scheme must be one of {', '.join(SWAP_SCHEMES)}; got {name!r}")
    return SWAP_SCHEMES[name]
