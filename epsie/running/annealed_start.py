"""The annealed start of a sampler: evaluated in its pool, and saved on its way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import ceil

import numpy as np

from epsie.annealed.ladder import found_ladder, population_at
from epsie.annealed.population import Population, systematic
from epsie.annealed.start import AnnealedStart
from epsie.chain.base import POINTS
from epsie.chain.start import NO_START
from epsie.errors import StepError
from epsie.logs import logger
from epsie.model.evaluation import Point, Position
from epsie.model.posterior import Posterior
from epsie.process.signals import interrupt_deferred
from epsie.process.threads import capped
from epsie.running.attaching import all_or_none, use_learner
from epsie.running.ending import Ends, Limits
from epsie.running.points import place
from epsie.running.progress import Progress
from epsie.running.sampler import Sampler
from epsie.running.start_progress import StartProgress
from epsie.running.starts import begin_as_drawn, begin_at

_LEAST, _PER_PARAMETER, _MOST = 256, 48, 512
"""The number of particles: so many for each parameter, as a mode must have some to be learned."""

_TASKS_PER_WORKER, _MOST_TASKS = 4, 64
_SAVED_EVERY = 1.0
"""Seconds."""


def evaluations_of(sampler: Sampler) -> int:
    """The likelihood evaluations of a sampler since the start; an annealed one counts."""
    annealed = sampler.annealed
    if annealed is not None and not annealed.done:
        return annealed.evaluations
    of_chains: int = sum(chain.evaluations for chain in sampler.chains)
    return of_chains + (0 if annealed is None else annealed.evaluations)


def _size(ndim: int) -> int:
    """The number of particles for so many parameters."""
    return max(min(max(_LEAST, _PER_PARAMETER * ndim), _MOST), 4 * ndim)


def check_allows_start(sampler: Sampler, limits: Limits) -> Limits:
    """The limits of a run, if they let it begin.

    Raises
    ------
    ValueError
        If they allow fewer evaluations than the first draws of an annealed start, or than the
        starts of the chains.
    """
    if limits.most is None or sampler.chains[0].start is not None:
        return limits
    if sampler._begins == "annealed":
        least = _size(len(sampler.parameters))
        why = (
            "draws from the prior with which the annealed start begins, and before it is done "
            "there are no draws: that takes some thousands, as a rule"
        )
    else:
        least = sampler.nchains * len(sampler.chains[0].by_temperature)
        why = "starts of the chains"
    if limits.most < least:
        raise ValueError(f"max_evaluations={limits.most} is less than the {least} {why}. Give more")
    return limits


def begin_annealed(sampler: Sampler) -> None:
    """Begin a sampler with an annealed start: its chains stand at the first draws of the prior.

    So there is a state to save; they begin anew when the start is done.

    Raises
    ------
    ValueError
        If there are none that have a likelihood among as many evaluations as the run may make.
    """
    prior = sampler.model.prior
    start = AnnealedStart(prior, _size(len(prior.parameters)), sampler.seed)
    first: list[Point] = []
    while not first:
        with capped():
            xs = _in_order(sampler, start.ask())
        _check_budget(sampler._most, start, len(xs))
        points = _evaluated(sampler, start, xs)
        with capped():
            start.tell([point.logl for point in points])
        first = [point for point in points if point.logl > -np.inf]
    ntemps, of = len(sampler.chains[0].by_temperature), sampler._part.of
    points = [first[i % len(first)] for i in range(of * ntemps)]
    by_chain = [points[i * ntemps : (i + 1) * ntemps] for i in range(of)]
    held = [by_chain[i] for i in sampler.chain_ids]
    place(sampler, "begin", held, [[point.x for point in each] for each in by_chain])
    sampler.annealed, sampler._drawn = StartProgress.of(start), True


def _check_budget(most: int | None, start: AnnealedStart, asked: int) -> None:
    if most is not None and start.evaluations + asked > most:
        raise ValueError(
            f"of {start.progress.drawn} draws from the prior none has a likelihood: it is -inf. "
            f"{asked} more would exceed max_evaluations={most}. Give more, or narrow the prior to "
            "where the model can be evaluated"
        )


def finish_annealed_start(
    sampler: Sampler,
    progress: Progress,
    save: Callable[[], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Go on with the annealed start of a sampler, if it has one; whether it is done.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler. It is changed between batches alone.
    progress : Progress
        Shows how it goes, and knows what may end the run, and with it the start, which then goes on
        with the next.
    save : callable, optional
        Saves the sampler, now and then.
    stopped : callable, optional
        Whether somebody has asked to stop.
    """
    annealed = sampler.annealed
    if annealed is None or annealed.progress is None:
        return True
    start = AnnealedStart(sampler.model.prior, _size(len(sampler.parameters)), annealed.seed)
    start.state = annealed.progress
    with progress.starting() as tell:
        if not _make(sampler, start, progress.ends, tell, save, stopped):
            return False
    with capped():
        populations = _populations(sampler, start)
    # The chains ask anew where they begin.
    if not progress.ends.allow(start.evaluations + len(populations) * sampler.nchains):
        return False
    _begin_chains(sampler, start, populations)
    if save is not None:
        save()
    return True


def _make(
    sampler: Sampler,
    start: AnnealedStart,
    ends: Ends,
    tell: Callable[[str], object],
    save: Callable[[], None] | None,
    stopped: Callable[[], bool],
) -> bool:
    """Make an annealed start to its end, if nothing ends the run before; whether it is done."""
    saved, logged = time.monotonic(), len(start.betas)
    while not start.done:
        # The last bits of a fit depend on the number of threads.
        with capped():
            asked = start.ask()
        if stopped() or not ends.allow(start.evaluations + len(asked)):
            return False
        points = _evaluated(sampler, start, _in_order(sampler, asked))
        with capped():
            start.tell([point.logl for point in points])
        level = len(start.betas)
        text = f"annealed start: {_where(start)}, {start.evaluations} evaluations"
        tell(text)
        if level != logged:
            logger.info(text)
            logged = level
        sampler.annealed = StartProgress.of(start)
        if save is not None and time.monotonic() - saved >= _SAVED_EVERY:
            save()
            saved = time.monotonic()
    return True


def _begin_chains(
    sampler: Sampler, start: AnnealedStart, populations: Sequence[Population]
) -> None:
    """Let the chains begin at populations, and know what they tell of the target."""
    with capped():
        chosen = [_starts(start, population, sampler._part.of) for population in populations]
    values = {}
    for name in sampler.parameters:
        i = start.space.names.index(name)
        values[name] = sampler._faced(np.array([[x[i] for x in xs] for xs in chosen]))
    with all_or_none(sampler):
        if sampler._finds:
            sampler._use_ladder([population.beta for population in populations])
        begin_at(sampler, values)
        _learn_of(sampler, start, populations)


def _learn_of(sampler: Sampler, start: AnnealedStart, populations: Sequence[Population]) -> None:
    """Let a sampler know what populations tell of the target at each temperature."""
    with interrupt_deferred():
        sampler._drawn = True
        if (learner := sampler._learner) is not None:
            known = learner.begun_with(populations, start.space.names, sampler.parameters)
            use_learner(sampler, known)
        sampler.annealed = StartProgress.of(start)._replace(progress=None)


def _populations(sampler: Sampler, start: AnnealedStart) -> list[Population]:
    """A population for each temperature, of the ladder that is found if none is given."""
    found = start.progress.populations
    if sampler._finds:
        return [population_at(found, beta) for beta in found_ladder(found)]
    return [_nearest(start, float(level.beta)) for level in sampler.chains[0].by_temperature]


def _nearest(start: AnnealedStart, beta: float) -> Population:
    """The population of the level that is nearest to an inverse temperature."""
    return min(start.progress.populations, key=lambda p: abs(p.beta**0.5 - beta**0.5))


def _starts(start: AnnealedStart, population: Population, n: int) -> list[Position]:
    """An even choice of the particles of a population."""
    if population.beta == 1.0:
        return start.space.positions(start.starts(n).rows)
    rows = population.rows
    return start.space.positions(rows[systematic(np.full(len(rows), 1 / len(rows)), n, 0.5)])


def _in_order(sampler: Sampler, xs: Sequence[Position]) -> list[Position]:
    """Positions of the prior in the order of the sampler's parameters."""
    names = sampler.model.prior.parameters
    places = [names.index(name) for name in sampler.parameters]
    return [tuple([x[i] for i in places]) for x in xs]


def _where(start: AnnealedStart) -> str:
    return f"level {len(start.betas)}, beta {StartProgress.of(start).beta:.3g}"


def _evaluated(sampler: Sampler, start: AnnealedStart, xs: Sequence[Position]) -> list[Point]:
    """The points at positions, evaluated in the pool.

    Raises
    ------
    StepError
        If the model fails: says where in the start.
    PoolError
        If the pool fails.
    """
    executor = sampler._executor
    tasks = min(_MOST_TASKS, _TASKS_PER_WORKER * (executor.workers or _MOST_TASKS))
    each = executor.rows or max(1, ceil(len(xs) / tasks))
    parts = [list(xs[i : i + each]) for i in range(0, len(xs), each)]
    try:
        found = executor.ask([sampler.chains[0]] * len(parts), POINTS, parts)
    except StepError as error:
        raise error.at({"annealed start": _where(start)}) from error.__cause__
    return [point for points in found for point in points]


def ensure_start(sampler: Sampler) -> None:
    """Start a sampler of a `Posterior` at draws from its prior, or anneal, if no start is set.

    Raises
    ------
    ValueError
        If there is no start, and the model is no posterior.
    """
    if sampler.chains[0].start is not None:
        return
    if not isinstance(sampler.model, Posterior):
        raise ValueError(NO_START)
    if sampler._begins == "annealed":
        begin_annealed(sampler)
    else:
        begin_as_drawn(sampler, sampler.model.prior, 1000)
        sampler._drawn = True
