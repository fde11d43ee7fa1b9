"""The moves of a population at a level: each leaves the level's target invariant."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from epsie.annealed.level import Level, Seen
from epsie.annealed.population import Population
from epsie.annealed.space import Space
from epsie.proposals.learned.mixture import Array

FRESH, WITHIN, DIFFERENCE = range(3)
"""The moves: a draw from the reference, one within a component of it, a difference of particles."""

_BELOW, _BELOW_OF_MANY = (0.6, 0.8), (0.4, 0.6)
"""Most often a draw from the reference: that alone keeps the weights of distant modes."""

MANY = 4
"""Where the reference has so many components or more, some modes are in none of them, so that
differences are as frequent."""

_TARGET, _SMALLEST, _LARGEST = 0.35, 0.02, 0.999
"""Of rho: the acceptance rate to which it is tuned from step to step, and between what."""

_FINE = 0.3
_NOISE = 1e-4


class Jumps(NamedTuple):
    """One jump of every particle, not decided yet.

    Parameters
    ----------
    here, there : Seen
        From where, and to where.
    kinds : array of int
        The move of each. Shape (n,).
    uniforms : array
        What decides. Shape (n,).
    """

    here: Seen
    there: Seen
    kinds: NDArray[Any]
    uniforms: Array


def propose(
    space: Space, level: Level, population: Population, rho: float, generator: Generator
) -> Jumps:
    """A jump of each particle, by one of the three moves."""
    here = level.see(space, population.rows, population.logp)
    below = _BELOW if level.reference.mixture.size < MANY else _BELOW_OF_MANY
    kinds = np.searchsorted(below, generator.random(len(here.rows)), side="right")
    rows = np.empty_like(here.rows)
    for kind, move in enumerate((_fresh, _within, _difference)):
        chosen = np.flatnonzero(kinds == kind)
        if len(chosen):
            some = Seen(*(of_all[chosen] for of_all in here))
            rows[chosen] = move(space, level, some, rho, generator)
    return Jumps(here, level.see(space, rows), kinds, generator.random(len(rows)))


def decide(
    level: Level, population: Population, jumps: Jumps, logl: Array
) -> tuple[Population, Array]:
    """The population after its jumps, and their acceptance ratios.

    For the first two moves the reference m is reversible, so that the ratio is that of target to m;
    differences are symmetric.

    Parameters
    ----------
    level : Level
        The level.
    population : Population
        The population as it was.
    jumps : Jumps
        Its jumps.
    logl : array
        The log likelihoods to which they lead. Shape (n,).
    """
    here, there = jumps.here, jumps.there
    log_ratios = level.log_target(there, logl) - level.log_target(here, population.logl)
    by_m = (jumps.kinds != DIFFERENCE) & (there.logp > -np.inf)
    log_ratios[by_m] -= there.log_m[by_m] - here.log_m[by_m]
    ratios = np.exp(np.minimum(log_ratios, 0.0))
    taken = jumps.uniforms < ratios
    rows = np.where(taken[:, np.newaxis], there.rows, population.rows)
    logl, logp = (
        np.where(taken, new, old)
        for new, old in ((logl, population.logl), (there.logp, population.logp))
    )
    return Population(level.beta, rows, logl, logp), ratios


def moved(population: Population, former: Population) -> int:
    """The number of particles that are elsewhere than before."""
    return int((population.rows != former.rows).any(axis=1).sum())


def next_rho(rho: float, jumps: Jumps, ratios: Array) -> float:
    """The size of moves within components at the next step."""
    of_these = ratios[jumps.kinds == WITHIN]
    if not len(of_these):
        return rho
    return min(max(rho * exp(float(of_these.mean()) - _TARGET), _SMALLEST), _LARGEST)


def _fresh(space: Space, level: Level, here: Seen, rho: float, generator: Generator) -> Array:
    """Draws from the reference, wherever the particles are."""
    n = len(here.rows)
    of_prior = generator.random(n) < level.reference.share
    rows = np.empty_like(here.rows)
    rows[of_prior] = space.draw(generator, int(of_prior.sum()))
    rows[~of_prior] = _back(level, level.reference.mixture.draw(generator, n - int(of_prior.sum())))
    return rows


def _within(space: Space, level: Level, here: Seen, rho: float, generator: Generator) -> Array:
    """Within a component, drawn given the particle: a draw of the prior, or by Crank-Nicolson.

    As in `epsie.proposals.learned.moves.CrankNicolson`, which leaves a t distribution as it is.
    """
    mixture, share = level.reference.mixture, level.reference.share
    n, d = here.u.shape
    _, log_parts, distances = mixture.at_rows(here.u)
    log_all = np.column_stack([log(share) + here.log_prior, log(1 - share) + log_parts])
    below = np.cumsum(np.exp(log_all - here.log_m[:, np.newaxis]), axis=1)
    at = generator.random(n) * below[:, -1]
    chosen = np.minimum((at[:, np.newaxis] >= below).sum(axis=1), mixture.size)
    rows = np.empty_like(here.rows)
    of_prior = chosen == 0
    rows[of_prior] = space.draw(generator, int(of_prior.sum()))
    i = np.flatnonzero(~of_prior)
    k = chosen[i] - 1
    sizes = np.full(len(i), rho)
    fine = generator.random(len(i)) < _FINE
    sizes[fine] *= 10 ** (-2 * generator.random(int(fine.sum())))
    with_d = mixture.dofs[k] + d
    g = generator.chisquare(with_d) / (with_d - d + distances[i, k])
    normals = generator.standard_normal((len(i), d, 1))
    steps = np.matmul(mixture.factors[k], normals)[:, :, 0] * (sizes / np.sqrt(g))[:, np.newaxis]
    stay = np.sqrt((1 - sizes) * (1 + sizes))[:, np.newaxis]
    rows[i] = _back(level, mixture.means[k] + stay * (here.u[i] - mixture.means[k]) + steps)
    return rows


def _difference(space: Space, level: Level, here: Seen, rho: float, generator: Generator) -> Array:
    """Along the difference of two particles of the archive, which is frozen; see `Difference`.

    Half of the time of some parameters alone, which leads from mode to mode of one parameter, else
    of all with some noise.
    """
    archive, (n, d) = level.archive, here.u.shape
    first, second = generator.integers(len(archive), size=(2, n))
    away = archive[first] - archive[second]
    v, normals = generator.random((4, n)), generator.standard_normal((n, d + 1))
    usual = 2.38 / sqrt(2 * d)
    numbers = np.where(v[2] < 0.25, d, 1 + (v[3] * d).astype(int))
    order = generator.random((n, d)).argsort(axis=1).argsort(axis=1)
    some = away * (order < numbers[:, np.newaxis])
    of_some = np.where(v[1] < 0.75, 1.0, usual * np.exp(0.3 * normals[:, -1]))
    of_all = np.where(v[1] < 0.1, 1.0, usual)
    noise = _NOISE * archive.std(axis=0) * normals[:, :d]
    steps = np.where(
        v[:1].T < 0.5,
        of_some[:, np.newaxis] * some,
        of_all[:, np.newaxis] * away + noise,
    )
    return _back(level, here.u + steps, wraps=True)


def _back(level: Level, u: Array, wraps: bool = False) -> Array:
    """The rows with some coordinates; NaN where there is none."""
    rows = np.full_like(u, np.nan)
    bend = level.transform.bend
    bent = (u * level.transform.scale + level.transform.shift).tolist()
    for i, found in enumerate([bend.inverse(row, wraps) for row in bent]):
        if found is not None:
            rows[i] = found
    return rows
