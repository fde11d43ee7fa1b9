"""Moves by a mixture that is like the target."""

from __future__ import annotations

from math import exp, lgamma, log, log1p, pi, sqrt
from typing import Any

import numpy as np

from epsie.proposals.learned.move import Move
from epsie.proposals.learned.spot import Spot
from epsie.proposals.learned.tuning import expit
from epsie.rng.stream import Stream


class Independence(Move):
    """A draw from the mixture, or from a prior that is part of it, wherever the chain stands."""

    name = "independence"

    def draw(self, kernel: Any, here: Spot, stream: Stream) -> Spot | None:
        """The next of those that were drawn ahead."""
        if kernel.prior is not None and stream.uniform() < kernel.share:
            drawn: Spot = kernel.from_prior(stream)
            return drawn
        ahead: Spot | None = kernel.ahead.next(stream)
        return ahead

    def log_hastings(self, kernel: Any, here: Spot, there: Spot) -> float:
        """The ratio of the mixture's densities."""
        at_here, at_there = here.log_reference, there.log_reference
        if at_here is None:
            at_here = kernel.log_reference(here)
        if at_there is None:
            at_there = kernel.log_reference(there)
        found: float = at_here - at_there
        return found

    def log_density(self, kernel: Any, there: Spot, here: Spot) -> float:
        """The density of the mixture."""
        found: float = kernel.log_reference(there)
        return found

    def learn(self, kernel: Any, ratio: float) -> None:
        """It has no size."""


class CrankNicolson(Independence):
    """A jump within a component, which is left as it is: it preconditions on the mixture.

    A component k is drawn given the point, then, as a t distribution is a mixture of normal ones,
    the precision g of the point given k, and y = m + sqrt(1 - rho^2) (x - m) + rho L z / sqrt(g).
    Each of these steps is reversible with respect to the mixture, so that the Hastings term is
    that of `Independence`. A prior that is part of it is a component, too, of which is drawn.
    """

    name = "crank_nicolson"

    def draw(self, kernel: Any, here: Spot, stream: Stream) -> Spot | None:
        """Half of the time with the tuned size, else with a smaller one."""
        mixture, seen = kernel.mixture, here.weighed or kernel.weighed(here)
        if kernel.prior is not None and stream.uniform() >= self._share_of_mixture(kernel, here):
            kernel.tunes = False
            of_prior: Spot = kernel.from_prior(stream)
            return of_prior
        rho = expit(kernel.tuning.sizes[self.name])
        v = stream.uniform()
        kernel.tunes = v < 0.5
        if not kernel.tunes:
            rho *= exp(-3.5 * (2 * v - 1) ** 1.5)
        kernel.size = rho
        k = mixture.components.choose(seen, stream.uniform())
        nu, centre, factor = mixture.apart[k]
        g = stream.generator.chisquare(nu + mixture.ndim) / (nu + seen[2][k])
        step = factor.dot(stream.normal_array(mixture.ndim)).tolist()
        stay, by = sqrt((1 - rho) * (1 + rho)), rho / sqrt(g)
        y = [m + stay * (x - m) + by * z for m, x, z in zip(centre, here.u, step)]
        drawn: Spot | None = kernel.spot_of(y)
        return drawn

    def log_density(self, kernel: Any, there: Spot, here: Spot) -> float:
        """A mixture of t distributions with nu + d degrees of freedom."""
        if kernel.prior is not None:
            return Move.log_density(self, kernel, there, here)
        mixture, seen, rho = kernel.mixture, kernel.weighed(here), kernel.size
        d = mixture.ndim
        dofs = mixture.dofs + d
        scale = rho * np.sqrt((mixture.dofs + seen[2]) / dofs)
        stay = sqrt((1 - rho) * (1 + rho))
        y, x = (np.array(spot.u) for spot in (there, here))
        away = y - mixture.means - stay * (x - mixture.means)
        white = np.einsum("kij,kj->ki", mixture.inverses, away) / scale[:, np.newaxis]
        kernel_of = 0.5 * (dofs + d) * np.log1p((white * white).sum(axis=1) / dofs)
        norms = np.array([_log_norm_of_t(nu, d) for nu in dofs.tolist()])
        parts = norms - mixture.log_volumes - d * np.log(scale) - kernel_of
        found: float = mixture.components.log_mean(parts, seen)
        return found

    @staticmethod
    def _share_of_mixture(kernel: Any, here: Spot) -> float:
        """The probability that a point is of the mixture, and not of the prior."""
        log_q: float = kernel.weighed(here)[0]
        return exp(log1p(-kernel.share) + log_q - kernel.log_reference(here))

    def learn(self, kernel: Any, ratio: float) -> None:
        """Tune rho."""
        Move.learn(self, kernel, ratio)


class Local(Move):
    """A random walk with the covariance of a component, which is drawn given the point."""

    name = "local"

    def draw(self, kernel: Any, here: Spot, stream: Stream) -> Spot | None:
        """A normal jump."""
        mixture = kernel.mixture
        kernel.tunes = True
        d = mixture.ndim
        kernel.size = size = 2.38 / sqrt(d) * exp(kernel.tuning.sizes[self.name])
        seen = here.weighed or kernel.weighed(here)
        k = mixture.components.choose(seen, stream.uniform())
        step = mixture.apart[k][2].dot(stream.normal_array(d)).tolist()
        y = [x + size * z for x, z in zip(here.u, step)]
        drawn: Spot | None = kernel.spot_of(y)
        return drawn

    def log_hastings(self, kernel: Any, here: Spot, there: Spot) -> float:
        """The component may have been another one, at either end."""
        densities = self._densities(kernel, here, there)
        log_mean = kernel.mixture.components.log_mean
        back, forth = kernel.weighed(there), kernel.weighed(here)
        found: float = log_mean(densities, back) - log_mean(densities, forth)
        return found

    def log_density(self, kernel: Any, there: Spot, here: Spot) -> float:
        """A mixture of normal distributions."""
        densities = self._densities(kernel, here, there)
        norm: float = kernel.mixture.ndim * log(kernel.size * sqrt(2 * pi))
        found: float = kernel.mixture.components.log_mean(densities, kernel.weighed(here))
        return found - norm

    @staticmethod
    def _densities(kernel: Any, here: Spot, there: Spot) -> list[float]:
        """Of the jump by each component, without a constant that all have."""
        mixture = kernel.mixture
        step = [y - x for x, y in zip(here.u, there.u)]
        by, squares = -0.5 / kernel.size**2, mixture.distances.of_step(step)
        return [by * square - volume for square, volume in zip(squares, mixture.volumes)]


def _log_norm_of_t(nu: float, d: int) -> float:
    return lgamma(0.5 * (nu + d)) - lgamma(0.5 * nu) - 0.5 * d * log(nu * pi)
