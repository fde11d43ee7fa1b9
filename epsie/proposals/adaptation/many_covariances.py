"""The covariances that many chains learn, as arrays, with the bits of each alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.adaptation.search import LARGEST

Array = NDArray[np.float64]


def _sums(x: Array) -> Array:
    """The sums over positions, of shape (nchains, npositions, ndim)."""
    sums: Array = np.add.reduce(x, axis=1)
    return sums


class ManyCovariances:
    """What `CovarianceLearning` is for one chain, for many that began together.

    Sums over positions and matrices are taken along axes of C-contiguous arrays, which numpy adds
    up in the order in which it does those of a single chain.

    Parameters
    ----------
    schemes : sequence of CovarianceLearning
        Those of the chains. They learn covariances, not variances alone.
    """

    def __init__(self, schemes: Sequence[Any]) -> None:
        self._schemes, first = schemes, schemes[0]
        self._mean = np.array([scheme.mean for scheme in schemes])
        self._cov = np.array([scheme.unit_cov for scheme in schemes])
        self._naccepted = np.array([scheme.naccepted for scheme in schemes])
        self._nblocks, self._filled = first.nblocks, len(first.positions)
        self._x = np.empty((first.BLOCK, len(schemes), first.ndim))
        for j in range(self._filled):
            self._x[j] = [scheme.positions[j] for scheme in schemes]

    def take_in(self, x: Array, accepted: NDArray[np.bool_]) -> bool:
        """Note where chains stand; whether what was learned is to be used anew by some."""
        self._naccepted += accepted
        self._x[self._filled] = x
        self._filled += 1
        if self._filled < len(self._x):
            return False
        self._filled = 0
        self._nblocks += 1
        first = self._schemes[0]
        first.nblocks = self._nblocks
        self._learn(first.gain_of_covariance())
        return bool(first._is_due())

    def _learn(self, gain: float) -> None:
        x = np.ascontiguousarray(self._x.transpose(1, 0, 2))
        n = x.shape[1]
        centre = _sums(x) / n
        away = x - centre[:, np.newaxis]
        spread = np.matmul(away.transpose(0, 2, 1), away) / n
        if gain == 1:
            self._mean, self._cov = centre, spread
            return
        shift = centre - self._mean
        self._mean = self._mean + gain * shift
        spread = spread + ((1 - gain) * shift)[:, np.newaxis] * shift[:, :, np.newaxis]
        self._cov = self._cov + gain * (spread - self._cov)

    def refactor(self, factors: Array) -> None:
        """Put the factors of what was learned in the place of those of chains that know enough."""
        first = self._schemes[0]
        due = np.flatnonzero(self._naccepted >= first.MOVES * first.ndim)
        if not len(due):
            return
        units = np.array([self._schemes[i].units for i in due.tolist()])
        stds = np.sqrt(np.diagonal(self._cov, axis1=1, axis2=2)[due])
        usual = ((stds > 0) & (stds < LARGEST * units)).all(axis=1)
        for i in due[~usual].tolist():
            self._refactor_alone(i, factors)
        due, stds = due[usual], stds[usual]
        if len(due):
            shrunk, scale = self._shrunk(due, stds)
            try:
                factors[due] = scale[:, :, np.newaxis] * np.linalg.cholesky(shrunk)
            except np.linalg.LinAlgError:
                for i in due.tolist():
                    self._refactor_alone(i, factors)

    def _shrunk(self, due: NDArray[np.intp], stds: Array) -> tuple[Array, Array]:
        """As `CovarianceLearning.shrunk` of chains of which all parameters moved."""
        first, cov = self._schemes[0], self._cov[due]
        ndim = first.ndim
        units = np.ldexp(1.0, np.frexp(stds)[1])
        variances = np.diagonal(cov, axis1=1, axis2=2) / units / units
        cov = cov / units[:, np.newaxis] / units[:, :, np.newaxis]
        weight = np.zeros(len(due))
        if ndim > 1:
            squares = cov**2 / (variances[:, :, np.newaxis] * variances[:, np.newaxis])
            size = squares.reshape(len(due), -1).sum(axis=1) - ndim
            independent = first.MOVES_WORTH * self._naccepted[due] / ndim
            noise = ((1 - squares) ** 2).reshape(len(due), -1).sum(axis=1) / independent
            weight = noise / (noise + size)
        shrunk = (1 - weight)[:, np.newaxis, np.newaxis] * cov
        shrunk[:, np.arange(ndim), np.arange(ndim)] = variances
        return shrunk, units

    def _refactor_alone(self, i: int, factors: Array) -> None:
        scheme = self._schemes[i]
        self._give_back(i)
        scheme.unit_factor = factors[i].copy()
        scheme._refactor()
        factors[i] = scheme.unit_factor

    def give_back(self) -> None:
        """Let each chain's scheme know what it learned."""
        for i, scheme in enumerate(self._schemes):
            self._give_back(i)
            scheme.positions = list(map(tuple, self._x[: self._filled, i].tolist()))

    def _give_back(self, i: int) -> None:
        scheme = self._schemes[i]
        scheme.mean, scheme.unit_cov = self._mean[i].copy(), self._cov[i].copy()
        scheme.naccepted, scheme.nblocks = int(self._naccepted[i]), self._nblocks
