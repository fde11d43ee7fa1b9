"""A mixture of multivariate t distributions: its density, and draws from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import lgamma, log, pi, sqrt
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from epsie.proposals.learned.components import FEW, Few, Many, Weighed
from epsie.proposals.learned.distances import Array as Array
from epsie.proposals.learned.distances import distances_to
from epsie.proposals.learned.plain import fitting


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
        self.distances = distances_to(self.inverses, self.means, size <= FEW)
        diagonals = np.diagonal(self.factors, axis1=1, axis2=2)
        self.log_volumes = np.log(diagonals).sum(axis=1)
        """The logarithms of the determinants of the factors."""
        norms = [
            lgamma(0.5 * (nu + d)) - lgamma(0.5 * nu) - 0.5 * d * log(nu * pi)
            for nu in self.dofs.tolist()
        ]
        log_norms = np.log(self.weights) + np.array(norms) - self.log_volumes
        kind = Few if size <= FEW else Many
        self.components = kind(log_norms, 0.5 * (self.dofs + d), 1 / self.dofs)
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

    @cached_property
    def apart(self) -> list[tuple[float, list[float], Array]]:
        """Of each component: degrees of freedom, centre, and factor."""
        return list(zip(self.dofs.tolist(), self.means.tolist(), self.factors))

    @cached_property
    def volumes(self) -> list[float]:
        """The logarithms of the determinants of the factors, as a list."""
        volumes: list[float] = self.log_volumes.tolist()
        return volumes

    def at(self, u: Sequence[float]) -> Weighed:
        """A point as the mixture sees it."""
        return self.components.weighed(self.distances.at(u))

    def at_rows(self, rows: Array) -> tuple[Array, Array, Array]:
        """The same for rows, shape (n, d), with the same bits: n densities, and (n, K) of others.

        A product of matrices would be faster and have other last bits: see `quick`.
        """
        return self.components.rows(self.distances.at_rows(rows))

    def at_each(self, rows: Array) -> list[Weighed]:
        """What `at` gives for each of some rows."""
        return self.components.apart(*self.at_rows(rows))

    def quick(self, rows: Array) -> tuple[Array, Array, Array]:
        """The same as `at_rows` but for the last bits, several times as fast: for fits."""
        return self.components.quick(self.distances.quick(rows))

    def draw(self, generator: Generator, n: int) -> Array:
        """`n` independent draws. Shape (n, d)."""
        chosen = np.searchsorted(self._below, generator.random(n), side="right")
        normals = generator.standard_normal((n, self.ndim))
        dofs = self.dofs[chosen]
        stretch = np.sqrt(dofs / generator.chisquare(dofs))
        steps = np.matmul(self.factors[chosen], normals[:, :, np.newaxis])[:, :, 0]
        drawn: Array = self.means[chosen] + steps * stretch[:, np.newaxis]
        return drawn

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

    def widened(self, by: float, dofs: ArrayLike) -> Mixture:
        """The mixture with scale matrices that are so many times larger, and other tails.

        Made of the factors: of matrices that are nearly singular there may be none.
        """
        root = sqrt(by)
        return Mixture(self.weights, self.means, root * self.factors, self.inverses / root, dofs)

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
