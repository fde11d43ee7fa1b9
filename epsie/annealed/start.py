"""The annealed start: a population led from the prior to the posterior, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from epsie.annealed.level import along, begun
from epsie.annealed.moves import MANY, Jumps, decide, moved, next_rho, propose
from epsie.annealed.population import Population, next_beta, systematic, weights_of
from epsie.annealed.progress import FIRST_RHO, Progress
from epsie.annealed.space import Space
from epsie.errors import NoLikelihoodError
from epsie.model.evaluation import Position
from epsie.model.prior import Prior
from epsie.proposals.learned.mixture import Array

STREAM = 2**32 - 3
"""Keeps its random numbers apart from those of the chains, which count from 0."""

_ACCEPTANCES, _MOST_STEPS = 0.7, 8
"""For each particle, after which a level ends; and after so many steps it ends anyway."""

_LARGEST_FACTOR = 4.0
"""Where there are many components each has few particles, so that their weights drift, and more
moves are made in proportion, up to so many times as many."""

_LARGEST_BATCH = 4096
_MANY_DRAWS, _FEW_LIVE = 10_000, 32
"""After so many draws of the prior so few that have a likelihood are enough to go on with."""


class AnnealedStart:
    """An annealed start: draws of the prior become a population of the posterior, level by level.

    `size` draws of the prior are weighted by the likelihood to the power beta, where beta is such
    that half of them are left by their weights. A mixture is fitted to them, they are resampled,
    and moved by draws from the mixture, moves within its components, and differences, until each
    has moved 0.7 times, more often where the mixture has many components, or 8 steps. Then beta
    grows, again to where half of them are left, until it is 1. So a mode is lost if no draw of the
    prior lay in its basin, and of many some by chance on the way.

    It asks for likelihoods, many at a time, and never calls a model itself. What it does follows
    from its arguments and what it was told, so that it may be saved between any two batches and
    goes on to the same bits.

    Parameters
    ----------
    prior : Prior
        The prior.
    size : int, optional
        The number of particles.
    seed : int, optional
        The seed. The streams have the spawn keys (2**32 - 3, ...).

    Raises
    ------
    ValueError
        If there are too few particles to learn from: less than 4, or than twice the parameters.

    Examples
    --------
    >>> import epsie
    >>> from epsie.annealed import AnnealedStart
    >>> start = AnnealedStart(epsie.Prior(x=(-10, 10)), seed=1)
    >>> while not start.done:
    ...     start.tell([-50 * x * x for (x,) in start.ask()])
    >>> start.population.rows.shape, start.population.beta
    ((256, 1), 1.0)
    """

    def __init__(self, prior: Prior, size: int = 256, seed: int = 0) -> None:
        self.space, self.size, self.seed = Space(prior), size, seed
        least = max(4, 2 * self.space.ndim)
        if size < least:
            raise ValueError(
                f"an annealed start of {self.space.ndim} parameters needs {least} particles or "
                f"more; got size={size}"
            )
        none = np.empty((0, self.space.ndim))
        self.progress = Progress(0, 0, 0, 0, (), Population(0.0, none, none[:, 0], none[:, 0]))
        self._asked: Jumps | Population | None = None

    @property
    def done(self) -> bool:
        """Whether nothing more is to be told."""
        return self.progress.done

    @property
    def population(self) -> Population:
        """The population as it is now."""
        return self.progress.population

    @property
    def betas(self) -> list[float]:
        """The inverse temperatures of the levels so far, ascending from that of the prior."""
        return [p.beta for p in self.progress.populations]

    @property
    def evaluations(self) -> int:
        """The number of positions whose likelihood was told."""
        return self.progress.evaluations

    @property
    def live_share(self) -> float:
        """The share of the prior's draws that have a likelihood; 1 before any were told."""
        return self.progress.live / self.progress.drawn if self.progress.drawn else 1.0

    @property
    def state(self) -> dict[str, Any]:
        """All that evolves, as plain data."""
        return self.progress.plain()

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self.progress = Progress.from_plain(state, self.space.ndim)
        self._asked = None

    def ask(self) -> list[Position]:
        """The positions whose likelihoods are wanted next: inside the prior, perhaps none at all.

        Asked again, it gives the same.

        Raises
        ------
        ValueError
            If the start is done, or numbers of double precision know too little of the prior.
        """
        return self.space.positions(self._wanted(self._batch()))

    def tell(self, logl: Sequence[float] | Array) -> None:
        """Go on, given the log likelihoods of what was asked.

        Parameters
        ----------
        logl : array_like
            One for each position; -inf where the likelihood vanishes.

        Raises
        ------
        ValueError
            If they are others than were asked for, or NaN or +inf.
        NoLikelihoodError
            If too small a part of the prior has a likelihood.
        """
        asked = self._batch()
        given, wanted = np.asarray(logl, dtype=float), self._wanted(asked)
        if given.shape != (len(wanted),) or not (given < np.inf).all():
            raise ValueError(
                f"{len(wanted)} log likelihoods were asked for, finite or -inf; got "
                f"{given.shape} of them, {int((~(given < np.inf)).sum())} NaN or +inf"
            )
        progress = self.progress._replace(
            batch=self.progress.batch + 1, evaluations=self.progress.evaluations + len(given)
        )
        if isinstance(asked, Population):
            self.progress = self._after_draws(progress, asked, given)
        else:
            self.progress = self._after_step(progress, asked, given)
        self._asked = None

    def starts(self, n: int) -> Population:
        """An even choice from the population, as starts of chains.

        Particles are ordered along the direction in which they are the most spread, so that each
        mode gets as many as it has of all, to one.

        Parameters
        ----------
        n : int
            How many.
        """
        population = self.population
        equal = np.full(len(population.rows), 1 / len(population.rows))
        order = along(population.rows, equal)
        chosen = order[systematic(equal, n, self._generator(2).random())]
        return population.taken(chosen, population.beta)

    def _batch(self) -> Jumps | Population:
        """What is asked now: of draws those inside the prior, of jumps all."""
        if self._asked is None:
            self._asked = self._made()
        return self._asked

    def _made(self) -> Jumps | Population:
        progress, generator = self.progress, self._generator()
        if progress.done:
            raise ValueError("the annealed start is done: nothing more is asked")
        if progress.level is not None:
            level, population = progress.level, progress.population
            return propose(self.space, level, population, progress.rho, generator)
        rows = self.space.draw(generator, self._number())
        if not progress.drawn:
            self.space.check(rows)
        logp = self.space.log_prior(rows)
        return Population(0.0, rows, np.zeros(len(rows)), logp)

    def _number(self) -> int:
        """How many draws to make: about as many as are lacking."""
        live, drawn = len(self.population.rows), self.progress.drawn
        if not drawn:
            return self.size
        return min(ceil((self.size - live) * drawn / max(live, 1)), _LARGEST_BATCH)

    @staticmethod
    def _wanted(asked: Jumps | Population) -> Array:
        """The rows whose likelihood is asked for."""
        of = asked if isinstance(asked, Population) else asked.there
        return of.rows[of.logp > -np.inf]

    def _after_draws(self, progress: Progress, drawn: Population, given: Array) -> Progress:
        """Keep the draws that have a likelihood; go on to the first level if they are enough."""
        inside = drawn.taken(drawn.logp > -np.inf, 0.0)._replace(logl=given)
        population = progress.population.joined(inside.taken(given > -np.inf, 0.0))
        n, number = len(population.rows), progress.drawn + len(drawn.rows)
        progress = progress._replace(drawn=number, live=n, population=population)
        if number >= _MANY_DRAWS and n * _MANY_DRAWS < number:
            raise NoLikelihoodError(_no_likelihood(n, number))
        if n < self.size and not (number >= _MANY_DRAWS and n >= _FEW_LIVE):
            return progress
        if 2 * n < self.size:
            # So few are first multiplied, and spread by moves over where there is a likelihood.
            return self._begun(progress, np.full(n, 1 / n), 0.0)
        return self._next_level(progress)

    def _after_step(self, progress: Progress, jumps: Jumps, given: Array) -> Progress:
        """Decide a step, and end the level if that were enough."""
        level = progress.level
        assert level is not None
        logl = np.full(len(jumps.kinds), -np.inf)
        logl[jumps.there.logp > -np.inf] = given
        former = progress.population
        population, ratios = decide(level, former, jumps, logl)
        progress = progress._replace(
            population=population,
            rho=next_rho(progress.rho, jumps, ratios),
            steps=progress.steps + 1,
            gained=progress.gained + moved(population, former),
        )
        factor = min(max(1.0, level.reference.mixture.size / MANY), _LARGEST_FACTOR)
        wanted = _ACCEPTANCES * factor
        enough = progress.gained >= wanted * self.size or progress.steps >= _MOST_STEPS
        return self._next_level(progress) if enough else progress

    def _next_level(self, progress: Progress) -> Progress:
        """End a level, and begin the next unless it was the last."""
        population = progress.population
        progress = progress._replace(populations=(*progress.populations, population))
        if population.beta == 1.0:
            return progress._replace(done=True)
        beta = next_beta(population.logl, population.beta)
        return self._begun(progress, weights_of(population.logl, beta - population.beta), beta)

    def _begun(self, progress: Progress, weights: Array, beta: float) -> Progress:
        u = self._generator(1).random()
        population = progress.population
        level, arrived = begun(self.space, population, weights, beta, self.size, u)
        return progress._replace(population=arrived, level=level, rho=FIRST_RHO, steps=0, gained=0)

    def _generator(self, *of: int) -> Generator:
        key = (STREAM, self.progress.batch, *of)
        return default_rng(SeedSequence(self.seed, spawn_key=key))


def _no_likelihood(live: int, drawn: int) -> str:
    return (
        f"of {drawn:,} draws from the prior {live:,} have a likelihood: elsewhere it is -inf. A "
        "start needs one in 10,000. Narrow the prior to where the model can be evaluated, or let "
        "the likelihood fall off there instead of vanishing"
    )
