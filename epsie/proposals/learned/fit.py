"""Fitting a mixture to points: the number of its components is that which foretells others best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.linalg import LinAlgError

from epsie.proposals.learned.em import maximised
from epsie.proposals.learned.mixture import Array, Mixture
from epsie.proposals.learned.splitting import covariance, split

LARGEST = 32
"""The number of components that a fit does not go beyond."""

_GAIN_OF_SPLIT = 0.03
"""In log density for each point of a component, for it to be split."""

_GAIN_HELD_OUT = 0.002
"""In log density for each point held out, for more components to be better."""

_MOST_IN_VAIN = 2
"""Levels that are no better, after which to end."""

_INFLATION, _DOFS = 1.1, 20.0
"""Covariances are multiplied by it, degrees of freedom are at most so many, to cover tails."""

_HALO, _HALO_SCALE, _HALO_DOFS = 0.12, 4.0, 5.0
"""The weight, scale and degrees of freedom of a wider copy of all components."""

_WIDE, _WIDE_SCALE, _WIDE_DOFS = 0.05, 2.0, 4.0
"""The same of one component over all."""


class Fitted(NamedTuple):
    """A fitted mixture, and its broader form to propose from, whose first components are its."""

    core: Mixture
    broad: Mixture


def fit(
    rows: Array, held_out: Array, largest: int = LARGEST, former: Mixture | None = None
) -> Fitted:
    """Fit a mixture of t distributions by splitting components and expectation maximisation.

    All is done in units of the standard deviations, so that no unit matters.

    Parameters
    ----------
    rows : array
        What is fitted. Shape (n, d); a few are enough, and columns may be constant.
    held_out : array
        By the density of these the number of components is chosen; then both are fitted.
    largest : int, optional
        The largest number of components.
    former : Mixture, optional
        A fit to points of before: it is gone on from, too, and taken if it is better.
    """
    both = np.concatenate([rows, held_out])
    centre, scale = both.mean(axis=0), both.std(axis=0)
    scale[~(scale > 0)] = 1e-10 * np.maximum(np.abs(centre[~(scale > 0)]), 1e-290)
    white, tests, all_rows = ((x - centre) / scale for x in (rows, held_out, both))
    shape = _shape(all_rows)
    best = _best(white, tests, shape, largest)
    if former is not None and former.size > 1:
        best = _better(best, former.moved(-centre / scale, 1 / scale), white, tests, shape)
    d = shape.shape[0]
    if best.size > 1:
        best = maximised(all_rows, best, 6, shape * 0.1, d + 1.0)
    else:
        best = maximised(all_rows, best, 6, shape, 1.0)
    return Fitted(best.moved(centre, scale), broadened(best, shape).moved(centre, scale))


def _shape(white: Array) -> Array:
    """The covariance of all rows, without correlations if there are too few to tell them."""
    n, d = white.shape
    cov = covariance(white)
    if n < 5 * d:
        cov = np.diag(np.diagonal(cov))
    return cov + 1e-9 * np.eye(d)


def _best(rows: Array, tests: Array, shape: Array, largest: int) -> Mixture:
    """Split until what is held out is no more likely."""
    d = rows.shape[1]
    mixture = Mixture.of([1.0], np.zeros((1, d)), shape[np.newaxis], [30.0])
    best = mixture = maximised(rows, mixture, 9, shape, 1.0, 0.0)
    highest, in_vain = _likelihood(mixture, tests), 0
    while mixture.size < largest and in_vain < _MOST_IN_VAIN:
        try:
            finer = split(rows, mixture, largest, _GAIN_OF_SPLIT)
        except LinAlgError:
            break
        if finer is None:
            break
        mixture = maximised(rows, finer, 12, shape * 0.1, d + 1.0)
        found = _likelihood(mixture, tests)
        in_vain += 1
        if found > highest + _GAIN_HELD_OUT:
            best, highest, in_vain = mixture, found, 0
    return best


def _better(best: Mixture, former: Mixture, rows: Array, tests: Array, shape: Array) -> Mixture:
    """The former mixture, gone on from, if what is held out is more likely by it."""
    other = maximised(rows, former, 6, shape * 0.1, rows.shape[1] + 1.0)
    return other if _likelihood(other, tests) > _likelihood(best, tests) else best


def _likelihood(mixture: Mixture, rows: Array) -> float:
    return float(mixture.quick(rows)[0].mean())


def inflated(core: Mixture) -> Mixture:
    """A fit as it is proposed from: somewhat wider, and with heavier tails."""
    return core.widened(_INFLATION, np.minimum(core.dofs, _DOFS))


def broadened(core: Mixture, shape: Array) -> Mixture:
    """A mixture to propose from: somewhat wider, with a halo and one component over all.

    Parameters
    ----------
    core : Mixture
        A fit, in the units of the standard deviations about the mean.
    shape : array
        The covariance of all. Shape (d, d).
    """
    broad = core
    if core.size > 1:
        halo = core.widened(_INFLATION * _HALO_SCALE, np.full(core.size, _HALO_DOFS))
        broad = inflated(core).joined(halo, _HALO)
    d = core.ndim
    wide = Mixture.of([1.0], np.zeros((1, d)), shape[np.newaxis] * _WIDE_SCALE, [_WIDE_DOFS])
    return broad.joined(wide, _WIDE)
