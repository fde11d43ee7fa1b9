"""A mixture of multivariate t distributions: its density, and draws from it."""

from __future__ import annotations

from collections.abc import Mapping
from math import lgamma, log, pi
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from epsie.proposals.learned.plain import fitting

Array = NDArray[np.float64]


class Weighed(NamedTuple):
    """A point as a mixture sees it."""

    log_density: float
    """Log q(x)."""

    log_parts: Array
    """Of each component: the logarithm of its weight times its density. Shape (K,)."""

    distances: Array
    """Of each component: the squared Mahalanobis distance to its centre. Shape (K,)."""

    def shares(self) -> Array:
        """The probability of each component, given the point (its responsibility)."""
        shares: Array = np.exp(self.log_parts - self.log_density)
        return shares


class Mixture:
    """Several multivariate t distributions with weights. Never changed once made.

    The density is the sum over k of w_k t(x; nu_k, m_k, L_k L_k^T). With K components in d
    dimensions

    Parameters
    ----------
    weights : array_like
        Positive, with sum 1. Shape (K,).
    means : array_like
        The centres m_k. Shape (K, d).
    factors : array_like
        The triangular factors L_k. Shape (K, d, d).
    inverses : array_like
        Their inverses. Given, and not computed, as the last bits of an inverse depend on the
        machine: so a mixture that is read from a state is the one that was written. `of` makes
        them.
    dofs : array_like
        The degrees of freedom nu_k. Shape (K,).
    """

    def __init__(
        self,
        weights: ArrayLike,
        means: ArrayLike,
        factors: ArrayLike,
        inverses: ArrayLike,
        dofs: ArrayLike,
    ) -> None:
        self.weights, self.dofs = np.array(weights, dtype=float), np.array(dofs, dtype=float)
        self.means = np.array(means, dtype=float, order="C")
        self.factors = np.array(factors, dtype=float, order="C")
        self.inverses = np.array(inverses, dtype=float, order="C")
        self.size, self.ndim = size, d = self.means.shape
        self._unfactor = self.inverses.reshape(size * d, d)
        self._shift = np.add.reduce(self.inverses * self.means[:, np.newaxis, :], axis=2).ravel()
        self._half, self._per_dof = 0.5 * (self.dofs + d), 1 / self.dofs
        diagonals = np.diagonal(self.factors, axis1=1, axis2=2)
        self.log_volumes = np.log(diagonals).sum(axis=1)
        """The logarithms of the determinants of the factors."""
        norms = [
            lgamma(0.5 * (nu + d)) - lgamma(0.5 * nu) - 0.5 * d * log(nu * pi)
            for nu in self.dofs.tolist()
        ]
        self._norms = np.log(self.weights) + np.array(norms) - self.log_volumes
        self._below = np.cumsum(self.weights)[:-1]

    @classmethod
    def of(cls, weights: ArrayLike, means: ArrayLike, covs: ArrayLike, dofs: ArrayLike) -> Self:
        """The mixture with these scale matrices, shape (K, d, d), and any positive weights.

        Raises
        ------
        numpy.linalg.LinAlgError
            If a matrix is not positive definite.
        """
        factors = np.linalg.cholesky(np.asarray(covs, dtype=float))
        found = np.asarray(weights, dtype=float)
        return cls(found / found.sum(), means, factors, np.linalg.inv(factors), dofs)

    @property
    def covs(self) -> Array:
        """The scale matrices S_k = L_k L_k^T. Shape (K, d, d)."""
        covs: Array = np.matmul(self.factors, self.factors.transpose(0, 2, 1))
        return covs

    def at(self, x: Array) -> Weighed:
        """A point, shape (d,), as the mixture sees it."""
        away = self._unfactor.dot(x)
        away -= self._shift
        away *= away
        distances = np.add.reduce(away.reshape(self.size, self.ndim), axis=1)
        log_parts = self._norms - self._half * np.log1p(distances * self._per_dof)
        highest = np.maximum.reduce(log_parts)
        total = np.add.reduce(np.exp(log_parts - highest))
        return Weighed(float(highest) + log(total), log_parts, distances)

    def at_rows(self, rows: Array) -> tuple[Array, Array, Array]:
        """The same for rows, shape (n, d), with the same bits: n densities, and (n, K) of others.

        A product of matrices would be faster and have other last bits: see `quick`.
        """
        points = np.ascontiguousarray(rows)[:, :, np.newaxis]
        away = np.matmul(self._unfactor, points)[:, :, 0]
        away -= self._shift
        away *= away
        distances = np.add.reduce(away.reshape(len(rows), self.size, self.ndim), axis=2)
        log_parts = self._norms - self._half * np.log1p(distances * self._per_dof)
        highest = np.maximum.reduce(log_parts, axis=1)
        totals = np.add.reduce(np.exp(log_parts - highest[:, np.newaxis]), axis=1)
        return highest + np.array([log(t) for t in totals.tolist()]), log_parts, distances

    def quick(self, rows: Array) -> tuple[Array, Array, Array]:
        """The same as `at_rows` but for the last bits, several times as fast: for fits."""
        away = rows @ self._unfactor.T
        away -= self._shift
        away *= away
        distances = away.reshape(len(rows), self.size, self.ndim).sum(axis=2)
        log_parts = self._norms - self._half * np.log1p(distances * self._per_dof)
        highest = log_parts.max(axis=1)
        totals = np.exp(log_parts - highest[:, np.newaxis]).sum(axis=1)
        return highest + np.log(totals), log_parts, distances

    def draw(self, generator: Generator, n: int) -> Array:
        """`n` independent draws. Shape (n, d)."""
        chosen = np.searchsorted(self._below, generator.random(n), side="right")
        normals = generator.standard_normal((n, self.ndim))
        dofs = self.dofs[chosen]
        stretch = np.sqrt(dofs / generator.chisquare(dofs))
        steps = np.matmul(self.factors[chosen], normals[:, :, np.newaxis])[:, :, 0]
        drawn: Array = self.means[chosen] + steps * stretch[:, np.newaxis]
        return drawn

    def whitened(self, step: Array) -> Array:
        """A step, shape (d,), as each component measures it. Shape (K, d)."""
        white: Array = self._unfactor.dot(step).reshape(self.size, self.ndim)
        return white

    def choose(self, shares: Array, u: float) -> int:
        """The component that a uniform variate chooses, by probabilities up to a factor."""
        below = np.add.accumulate(shares)
        k = int(below.searchsorted(u * below[-1], side="right"))
        return k if k < self.size else self.size - 1

    def joined(self, other: Mixture, weight: float) -> Mixture:
        """Itself, and with this weight in all another one."""
        return Mixture(
            np.concatenate([self.weights * (1 - weight), other.weights * weight]),
            np.concatenate([self.means, other.means]),
            np.concatenate([self.factors, other.factors]),
            np.concatenate([self.inverses, other.inverses]),
            np.concatenate([self.dofs, other.dofs]),
        )

    def only(self, chosen: Any) -> Mixture:
        """Some of its components, whose weights get the sum 1."""
        weights = self.weights[chosen]
        return Mixture(
            weights / weights.sum(),
            self.means[chosen],
            self.factors[chosen],
            self.inverses[chosen],
            self.dofs[chosen],
        )

    def moved(self, shift: ArrayLike, scale: ArrayLike) -> Mixture:
        """The mixture of shift + scale x, with a scale for each parameter."""
        by = np.asarray(scale, dtype=float)
        return Mixture(
            self.weights,
            np.asarray(shift) + by * self.means,
            by[:, np.newaxis] * self.factors,
            self.inverses / by,
            self.dofs,
        )

    def plain(self) -> dict[str, Array]:
        """Itself as plain data."""
        names = ("weights", "means", "factors", "inverses", "dofs")
        return {name: getattr(self, name).copy() for name in names}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], ndim: int) -> Self:
        """A mixture from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        size = len(fitting(plain, "weights", (None,)))
        if not size:
            fitting(plain, "weights", (1,))
        fields = {
            "weights": fitting(plain, "weights", (size,), positive=True),
            "means": fitting(plain, "means", (size, ndim)),
            "factors": fitting(plain, "factors", (size, ndim, ndim)),
            "inverses": fitting(plain, "inverses", (size, ndim, ndim)),
            "dofs": fitting(plain, "dofs", (size,), positive=True),
        }
        diagonals = np.diagonal(fields["factors"], axis1=1, axis2=2)
        fitting({"the diagonals of factors": diagonals}, "the diagonals of factors", positive=True)
        return cls(**fields)
