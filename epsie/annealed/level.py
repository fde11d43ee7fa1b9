"""A level: what is frozen while a population moves at one inverse temperature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from epsie.annealed.population import Population, systematic
from epsie.annealed.space import Space
from epsie.proposals.learned.mixture import Array, Mixture
from epsie.proposals.learned.plain import counted, entry, malformed, rows_of
from epsie.proposals.learned.transform import Transform
from epsie.proposals.learned.with_prior import WithPrior, fitted

_GAIN = 0.1
"""In log density for each particle, for a transform that bends coordinates to be better."""


class Seen(NamedTuple):
    """Rows as a level sees them.

    Parameters
    ----------
    rows, u : array
        Rows of the space, and their coordinates; NaN where there is no such row. Shape (n, d).
    logp : array
        Log densities of the prior. Shape (n,).
    log_prior : array
        The same in the coordinates. Shape (n,).
    log_m : array
        Log densities of the reference in the coordinates. Shape (n,).
    """

    rows: Array
    u: Array
    logp: Array
    log_prior: Array
    log_m: Array


class Level(NamedTuple):
    """The knowledge of a population that its moves need, frozen from its first step to its last.

    Parameters
    ----------
    beta : float
        The inverse temperature.
    transform : Transform
        The coordinates.
    reference : WithPrior
        The reference m: what is like the target, with the prior as a component.
    archive : array
        Coordinates of the population when it came here. Shape (n, d).
    """

    beta: float
    transform: Transform
    reference: WithPrior
    archive: Array

    def see(self, space: Space, rows: Array, logp: Array | None = None) -> Seen:
        """Rows as seen from here; those that are NaN have no density."""
        if logp is None:
            logp = space.log_prior(rows)
        there = logp > -np.inf
        u, log_prior, log_m = np.full_like(rows, np.nan), logp.copy(), logp.copy()
        u[there], log_jacobians = self.transform.forward_rows(rows[there])
        # A transform leaves out the constant of its scales; two densities are compared here.
        log_prior[there] += log_jacobians + np.log(self.transform.scale).sum()
        log_m[there] = self.reference.log_density(u[there], log_prior[there])
        return Seen(rows, u, logp, log_prior, log_m)

    def log_target(self, seen: Seen, logl: Array) -> Array:
        """The log of the prior times L^beta, in the coordinates; -inf where L is 0. Shape (n,)."""
        there = (seen.logp > -np.inf) & (logl > -np.inf)
        found = np.full(len(logl), -np.inf)
        found[there] = self.beta * logl[there] + seen.log_prior[there]
        return found

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {
            "beta": self.beta,
            "transform": self.transform.plain(),
            "share": self.reference.share,
            "mixture": self.reference.mixture.plain(),
            "archive": counted(self.archive),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], ndim: int) -> Self:
        """A level from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        beta, share = entry(plain, "beta", float), entry(plain, "share", float)
        if not (0 <= beta <= 1 and 0 < share < 1):
            raise malformed("beta or share", "from 0 to 1", beta)
        archive = rows_of(plain, "archive", ndim)
        if not len(archive):
            raise malformed("archive", "some rows", archive)
        mixture = Mixture.from_plain(entry(plain, "mixture", dict), ndim)
        transform = Transform.from_plain(entry(plain, "transform", dict), ndim)
        return cls(beta, transform, WithPrior(share, mixture), archive)


def begun(
    space: Space,
    population: Population,
    weights: Array,
    beta: float,
    size: int,
    u: float,
) -> tuple[Level, Population]:
    """The next level, and the population as it comes there: fitted and resampled by weights.

    Parameters
    ----------
    space : Space
        Where it lives.
    population : Population
        What is weighted.
    weights : array
        Its weights at the next inverse temperature. Shape (n,).
    beta : float
        That inverse temperature.
    size : int
        The number of particles from then on.
    u : float
        The uniform variate of systematic resampling.
    """
    order = along(population.rows, weights)
    arrived = population.taken(order[systematic(weights[order], size, u)], beta)
    transform, reference = _best(space, population, weights, arrived.rows)
    return Level(beta, transform, reference, transform.forward_rows(arrived.rows)[0]), arrived


def _best(
    space: Space, population: Population, weights: Array, arrived: Array
) -> tuple[Transform, WithPrior]:
    """The transform in which a mixture fits best, and that mixture."""
    found: list[tuple[float, Transform, WithPrior]] = []
    for transform in space.transforms(arrived):
        u, log_jacobians = transform.forward_rows(population.rows)
        log_jacobians += np.log(transform.scale).sum()
        log_prior = population.logp + log_jacobians
        reference = fitted(u, log_prior, weights)
        score = float((reference.log_density(u, log_prior) - log_jacobians) @ weights)
        found.append((score, transform, reference))
    plain, bent = found[0], found[-1]
    return (bent if bent[0] > plain[0] + _GAIN else plain)[1:]


def along(rows: Array, weights: Array) -> Any:
    """An order of weighted rows in which what is near in space is near, as in a tree of halves.

    Each half is halved again along the direction in which it is the most spread. Systematic
    resampling in it gives each mode what its weight is, to a particle or two, so that a population
    of many modes does not drift away from some of them, level by level.
    """
    away = rows - rows.mean(axis=0)
    away /= np.maximum(np.abs(away).max(axis=0), 1e-300)
    return _halved(away, weights, np.arange(len(rows)))


def _halved(rows: Array, weights: Array, chosen: Any) -> Any:
    """Some rows in the order of halves."""
    if len(chosen) < 3:
        return chosen
    here, of = rows[chosen], weights[chosen, np.newaxis]
    here = here - (of * here).sum(axis=0) / max(of.sum(), 1e-300)
    axis = np.linalg.eigh((of * here).T @ here)[1][:, -1]
    ordered = chosen[np.argsort(here @ axis, kind="stable")]
    half = len(chosen) // 2
    return np.concatenate([_halved(rows, weights, part) for part in np.split(ordered, [half])])
