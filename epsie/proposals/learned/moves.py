"""The moves of a learned kernel: each draws, and has its own Hastings term.

All that was learned is frozen, so that each leaves the target invariant by itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import exp, lgamma, log, pi, sqrt
from typing import Any, ClassVar

import numpy as np

from epsie.errors import ProposalError
from epsie.proposals.learned.mixture import Array, Weighed
from epsie.proposals.learned.spot import Spot
from epsie.proposals.learned.tuning import expit
from epsie.rng.stream import Stream

_TINY = 1e-300


class Move(ABC):
    """A way to propose, in the coordinates of a transform.

    `draw` gets the kernel that it is part of, with all that was learned and tuned, and a uniform
    variate of its own.
    """

    name: ClassVar[str]

    wraps: ClassVar[bool] = False
    """Whether its jumps do not depend on where they begin: an angle may go round."""

    @abstractmethod
    def draw(self, kernel: Any, here: Spot, stream: Stream, u: float) -> Spot | None:
        """A jump from here; None if it would leave the bounds."""

    def log_hastings(self, kernel: Any, here: Spot, there: Spot) -> float:
        """Log q(here | there) - log q(there | here), in the coordinates."""
        return 0.0

    def log_density(self, kernel: Any, there: Spot, here: Spot) -> float:
        """Log q(there | here), in the coordinates.

        Raises
        ------
        ProposalError
            If it has no closed form.
        """
        raise ProposalError(
            f"the density of a jump by the move {self.name} has no closed form: log_hastings has "
            "the difference of two, which is all that a chain needs"
        )

    def learn(self, kernel: Any, ratio: float) -> None:
        """Tune the size of its jumps by the acceptance ratio of the last."""
        if kernel.tunes:
            kernel.tuning.resize(self.name, ratio)


class Independence(Move):
    """A draw from the mixture, wherever the chain stands."""

    name = "independence"

    def draw(self, kernel: Any, here: Spot, stream: Stream, u: float) -> Spot | None:
        """The next of those that were drawn ahead."""
        ahead: Spot | None = kernel.ahead.next(stream)
        return ahead

    def log_hastings(self, kernel: Any, here: Spot, there: Spot) -> float:
        """The ratio of the mixture's densities."""
        seen, other = kernel.weighed(here), kernel.weighed(there)
        found: float = seen.log_density - other.log_density
        return found

    def log_density(self, kernel: Any, there: Spot, here: Spot) -> float:
        """The density of the mixture."""
        found: float = kernel.weighed(there).log_density
        return found

    def learn(self, kernel: Any, ratio: float) -> None:
        """It has no size."""


class CrankNicolson(Independence):
    """A jump within a component, which is left as it is: it preconditions on the mixture.

    A component k is drawn given the point, then, as a t distribution is a mixture of normal ones,
    the precision g of the point given k, and y = m + sqrt(1 - rho^2) (x - m) + rho L z / sqrt(g).
    Each of these steps is reversible with respect to the mixture, so that the Hastings term is
    that of `Independence`.
    """

    name = "crank_nicolson"

    def draw(self, kernel: Any, here: Spot, stream: Stream, u: float) -> Spot | None:
        """Half of the time with the tuned size, else with a smaller one."""
        mixture, seen = kernel.mixture, kernel.weighed(here)
        rho = expit(kernel.tuning.sizes[self.name])
        kernel.tunes = u < 0.5
        if not kernel.tunes:
            rho *= exp(-3.5 * (2 * u - 1) ** 1.5)
        k = mixture.choose(seen.shares(), stream.uniform())
        with_d = float(mixture.dofs[k]) + mixture.ndim
        distance = float(seen.distances[k])
        g = stream.generator.chisquare(with_d) / (with_d - mixture.ndim + distance)
        centre = mixture.means[k]
        step = mixture.factors[k].dot(stream.normal_array(mixture.ndim))
        kernel.size = rho
        stay = sqrt((1 - rho) * (1 + rho))
        y = centre + stay * (here.u - centre) + (rho / sqrt(g)) * step
        drawn: Spot | None = kernel.spot_of(y)
        return drawn

    def log_density(self, kernel: Any, there: Spot, here: Spot) -> float:
        """A mixture of t distributions with nu + d degrees of freedom."""
        mixture, seen, rho = kernel.mixture, kernel.weighed(here), kernel.size
        d = mixture.ndim
        dofs = mixture.dofs + d
        scale = rho * np.sqrt((mixture.dofs + seen.distances) / dofs)
        stay = sqrt((1 - rho) * (1 + rho))
        away = there.u - mixture.means - stay * (here.u - mixture.means)
        white = np.einsum("kij,kj->ki", mixture.inverses, away) / scale[:, np.newaxis]
        kernel_of = 0.5 * (dofs + d) * np.log1p((white * white).sum(axis=1) / dofs)
        norms = np.array([_log_norm_of_t(nu, d) for nu in dofs.tolist()])
        parts = norms - mixture.log_volumes - d * np.log(scale) - kernel_of
        return _log_mean(parts, seen)

    def learn(self, kernel: Any, ratio: float) -> None:
        """Tune rho."""
        Move.learn(self, kernel, ratio)


class Local(Move):
    """A random walk with the covariance of a component, which is drawn given the point."""

    name = "local"

    def draw(self, kernel: Any, here: Spot, stream: Stream, u: float) -> Spot | None:
        """A normal jump."""
        mixture = kernel.mixture
        kernel.tunes = True
        d = mixture.ndim
        kernel.size = size = 2.38 / sqrt(d) * exp(kernel.tuning.sizes[self.name])
        k = mixture.choose(kernel.weighed(here).shares(), u)
        step = mixture.factors[k].dot(stream.normal_array(d))
        drawn: Spot | None = kernel.spot_of(here.u + size * step)
        return drawn

    def log_hastings(self, kernel: Any, here: Spot, there: Spot) -> float:
        """The component may have been another one, at either end."""
        densities = self._densities(kernel, here, there)
        back, forth = kernel.weighed(there), kernel.weighed(here)
        return _log_mean(densities, back) - _log_mean(densities, forth)

    def log_density(self, kernel: Any, there: Spot, here: Spot) -> float:
        """A mixture of normal distributions."""
        densities = self._densities(kernel, here, there)
        norm: float = kernel.mixture.ndim * log(kernel.size * sqrt(2 * pi))
        return _log_mean(densities, kernel.weighed(here)) - norm

    @staticmethod
    def _densities(kernel: Any, here: Spot, there: Spot) -> Array:
        """Of the jump by each component, without a constant that all have."""
        mixture = kernel.mixture
        white = mixture.whitened(there.u - here.u)
        squares = np.add.reduce(white * white, axis=1)
        densities: Array = squares * (-0.5 / kernel.size**2) - mixture.log_volumes
        return densities


class Difference(Move):
    """A multiple of the difference of two former positions (ter Braak 2006).

    Half of the time of some parameters alone, as in DREAM (Vrugt et al. 2009), else of all with
    some noise. The archive is frozen, so the jump is symmetric, doi:10.1007/s11222-006-8769-1.
    """

    name = "difference"
    wraps = True

    def draw(self, kernel: Any, here: Spot, stream: Stream, u: float) -> Spot | None:
        """A jump along a difference."""
        archive, d = kernel.archive, len(here.u)
        a, b, v = stream.uniforms(3)
        away = archive[int(a * len(archive))] - archive[int(b * len(archive))]
        kernel.tunes = False
        if u < 0.5:
            gamma = 1.0 if u < 0.375 else 2.38 / sqrt(2 * d) * exp(0.3 * stream.normal())
            if d > 1 and v > 0.25:
                away = away * self._some(d, stream)
            y = here.u + gamma * away
        else:
            gamma = self._gamma(kernel, d, v)
            y = here.u + gamma * away + kernel.jitter * stream.normal_array(d)
        drawn: Spot | None = kernel.spot_of(y, True)
        return drawn

    @staticmethod
    def _some(d: int, stream: Stream) -> Array:
        """Ones for some parameters, of which there are equally often any number, else zeros."""
        number = 1 + int(stream.uniform() * d)
        order = np.array(stream.uniforms(d)).argsort(kind="stable")
        chosen = np.zeros(d)
        chosen[order[:number]] = 1.0
        return chosen

    def _gamma(self, kernel: Any, d: int, v: float) -> float:
        """1 to change from one mode to another; else the tuned size, or a smaller one."""
        if v < 0.1:
            return 1.0
        gamma = 2.38 / sqrt(2 * d) * exp(kernel.tuning.sizes[self.name])
        kernel.tunes = v < 0.55
        return gamma if kernel.tunes else gamma * exp(-3 * (v - 0.55) / 0.45)


class Snooker(Move):
    """A jump along the line to a former position (ter Braak & Vrugt 2008).

    It is by the projection of a difference of two others, doi:10.1007/s11222-008-9104-9.
    """

    name = "snooker"

    def draw(self, kernel: Any, here: Spot, stream: Stream, u: float) -> Spot | None:
        """A jump along the line."""
        archive = kernel.archive
        z, a, b = (archive[int(v * len(archive))] for v in stream.uniforms(3))
        line = here.u - z
        square = float(line.dot(line))
        if not square > _TINY:
            return None
        along = (1.2 + u) * float((a - b).dot(line)) / square
        stretched = abs(1 + along)
        if not stretched > 0:
            return None
        kernel.stretch = log(stretched)
        drawn: Spot | None = kernel.spot_of(here.u + along * line)
        return drawn

    def log_hastings(self, kernel: Any, here: Spot, there: Spot) -> float:
        """(d - 1) log (|y - z| / |x - z|)."""
        found: float = (len(here.u) - 1) * kernel.stretch
        return found

    def learn(self, kernel: Any, ratio: float) -> None:
        """It has no size."""


class RandomWalk(Move):
    """A normal jump whose covariance each chain adapts at every step."""

    name = "random_walk"
    wraps = True

    def draw(self, kernel: Any, here: Spot, stream: Stream, u: float) -> Spot | None:
        """A normal jump."""
        kernel.normals = z = stream.normal_array(len(here.u))
        kernel.step = step = kernel.tuning.factor.dot(z)
        drawn: Spot | None = kernel.spot_of(here.u + step, True)
        return drawn

    def log_density(self, kernel: Any, there: Spot, here: Spot) -> float:
        """A normal distribution."""
        factor, away = kernel.tuning.factor, there.u - here.u
        white = np.linalg.solve(factor, away)
        log_volume = float(np.linalg.slogdet(factor)[1])
        return -0.5 * float(white.dot(white)) - log_volume - 0.5 * len(away) * log(2 * pi)

    def learn(self, kernel: Any, ratio: float) -> None:
        """Adapt the covariance."""
        kernel.tuning.walk(kernel.normals, kernel.step, ratio)


def _log_mean(log_values: Array, seen: Weighed) -> float:
    """The logarithm of the mean over components, by their probabilities at a point."""
    parts = log_values + seen.log_parts
    highest = np.maximum.reduce(parts)
    total = np.add.reduce(np.exp(parts - highest))
    return float(highest) + log(total) - seen.log_density


def _log_norm_of_t(nu: float, d: int) -> float:
    return lgamma(0.5 * (nu + d)) - lgamma(0.5 * nu) - 0.5 * d * log(nu * pi)


MOVES: tuple[Move, ...] = (
    Independence(),
    CrankNicolson(),
    Difference(),
    Snooker(),
    Local(),
    RandomWalk(),
)
"""All of them, in the order of their weights."""

WALK = MOVES[-1]
"""The random walk: the only move before anything was learned."""
