"""Starts for all chains: those that a person gives, and those that are drawn from a prior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from epsie.chain.start import as_columns, as_position, check_names, whole_numbers
from epsie.checks import given
from epsie.logs import logger
from epsie.model.evaluation import Point, Position
from epsie.model.prior import Prior
from epsie.running.points import place
from epsie.running.sampler import Sampler

Drawable = Prior | Callable[[np.random.Generator], Mapping[str, Any]] | Mapping[str, Any]
"""A prior; ``prior(rng)`` that gives a dict; or what a prior takes as a dict."""

_STREAM = 2**32 - 1
"""Keeps these random numbers apart from those of the chains, which count from 0."""


def _refuse_unladdered(sampler: Sampler) -> None:
    """Refuse starts of chains whose ladder an annealed start is yet to find.

    Raises
    ------
    ValueError
        That says what to do.
    """
    if sampler._finds and not sampler._is_found:
        raise ValueError(
            "this sampler finds its ladder by an annealed start, and where its chains start with "
            "it: run it, or give betas= to start elsewhere"
        )


def begin_at(sampler: Sampler, values: Mapping[str, Any]) -> None:
    """Start a sampler at given positions, if the model takes all of them.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler.
    values : mapping
        For each parameter an array over the chains of the run, of which it may hold a part.

    Raises
    ------
    ValueError
        If arrays have other shapes, or starts cannot be used: all are listed.
    """
    levels = sampler.chains[0].by_temperature
    columns = as_columns(values, levels[0].dtypes)
    places = (len(levels), sampler._part.of)
    meant = sampler._faced(np.empty(places)).shape
    wrong = {name: column.shape for name, column in columns.items() if column.shape != meant}
    if wrong:
        part = sampler._part
        of_all = "" if part.is_whole else f". They are those of all {part.of} chains of the run"
        raise ValueError(sampler._misshapen(wrong, meant) + of_all)
    grids = [sampler._unfaced(column, places).T.tolist() for column in columns.values()]
    xs = [list(zip(*of_chain, strict=True)) for of_chain in zip(*grids, strict=True)]
    points = _examined(sampler, [xs[i] for i in sampler.chain_ids])
    # As the model was asked: as numbers that proposals jump from.
    starts = [[_jumpable(level, x) for level, x in zip(levels, at, strict=True)] for at in xs]
    place(sampler, "begin", points, starts)
    sampler._remarks, sampler._drawn = remarks_on_starts(sampler, values), False


def begin_as_given(sampler: Sampler, values: Mapping[str, Any]) -> None:
    """Start a sampler where a person says, which ends an annealed start."""
    _refuse_unladdered(sampler)
    begin_at(sampler, values)
    sampler.annealed = None


def _jumpable(level: Any, x: Position) -> Position:
    position: Position = level.proposal_dist._position(dict(zip(level.parameters, x, strict=True)))
    return position


def _examined(sampler: Sampler, xs: list[list[Position]]) -> list[list[Point]]:
    """The points at starts of the chains, none of which the model may refuse."""
    found = sampler._executor.ask(sampler.chains, "examine_starts", xs)
    refused = [
        f"chain {chain.chain_id}: {problem}"
        for chain, (_, problems) in zip(sampler.chains, found, strict=True)
        for problem in problems
    ]
    if refused:
        raise ValueError(
            f"{len(refused)} of the start positions cannot be used:\n  "
            + "\n  ".join(refused)
            + "\nChoose others for these chains and set start_position again"
        )
    return [points for points, _ in found]


def remarks_on_starts(sampler: Sampler, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Remarks on parameters started at integers but sampled as real numbers; logged, too."""
    leaves = [leaf for leaf in sampler.chains[0].leaves() if leaf.discrete]
    discrete = {name for leaf in leaves for name in leaf.parameters}
    found = whole_numbers(values, [name for name in sampler.parameters if name not in discrete])
    if not found:
        return ()
    remark = (
        f"{', '.join(found)}: all starts are integers, but no discrete proposal moves it, "
        "so it is sampled as a real number. If it counts something, give it a "
        "NormalDiscrete or BoundedDiscrete; else start it at floats, as 1.0"
    )
    logger.warning("start_position: %s", remark)
    return (remark,)


def begin_as_drawn(sampler: Sampler, prior: Drawable, tries: int) -> None:
    """Start a sampler at draws from a prior, which are made until the model takes them.

    Of a part of a run they are made for all chains, as what is learned begins with their spread.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler.
    prior : Prior or mapping or callable
        See `Drawable`.
    tries : int
        How often to draw at most for each chain and temperature.

    Raises
    ------
    ValueError
        If the prior gives other parameters, or angles outside of the domain of their proposal, or
        the model has refused that many.
    """
    _refuse_unladdered(sampler)
    first, points = _drawn(sampler, _as_drawable(prior, sampler.parameters), tries)
    starts = [[point.x for point in of_chain] for of_chain in points]
    place(sampler, "begin", [points[i] for i in sampler.chain_ids], starts)
    drawn = {name: [draw[name] for draw in first] for name in sampler.parameters}
    sampler._remarks, sampler._drawn = remarks_on_starts(sampler, drawn), False
    sampler.annealed = None


def _drawn(
    sampler: Sampler, prior: Drawable, tries: int
) -> tuple[list[Mapping[str, Any]], list[list[Point]]]:
    """What was drawn first, as the prior gave it; and the points that the model took.

    The latter by chain and temperature.
    """
    held = dict(zip(sampler.chain_ids, sampler.chains, strict=True))
    levels = {
        (i, t): leaf
        for i in range(sampler._part.of)
        for t, leaf in enumerate(held.get(i, sampler.chains[0]).by_temperature)
    }
    generators = {at: _generator(sampler.seed, at) for at in levels}
    found: dict[tuple[int, int], Point] = {}
    left, refusal, first = list(levels), "", list[Mapping[str, Any]]()
    for _ in range(tries):
        chains = [levels[at].detached() for at in left]
        draws = [_draw(prior, sampler.parameters, generators[at]) for at in left]
        xs = [_position_in(chain, draw) for chain, draw in zip(chains, draws, strict=True)]
        first = first or draws
        answers = sampler._executor.ask(chains, "examine_starts", [[x] for x in xs])
        for at, ((point,), problems) in zip(left, answers, strict=True):
            if problems:
                refusal = problems[0]
            else:
                found[at] = point
        left = [at for at in left if at not in found]
        if not left:
            temperatures = range(len(levels) // sampler._part.of)
            return first, [[found[i, t] for t in temperatures] for i in range(sampler._part.of)]
    raise ValueError(
        f"after {tries} draws from the prior there is no start for {len(left)} of {len(levels)}; "
        f"the last one refused: {refusal}. Draw from where the model has a likelihood, or "
        "allow more tries"
    )


def _generator(seed: int, at: tuple[int, int]) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, *at)))


def _position_in(chain: Any, draw: Mapping[str, Any]) -> Position:
    """A draw as a position, refused if an angle is outside of its domain.

    Drawing again instead would leave out a part of the prior, which the chain never reaches.
    """
    x = as_position(draw, chain.dtypes)
    drawn = dict(zip(chain.parameters, x, strict=True))
    for leaf in chain.leaves():
        at = leaf._position(drawn)
        inactive = any(value != value for value in at)
        if leaf.periods() and not inactive and (refusal := leaf._refusal(at)):
            raise ValueError(f"the prior gave {drawn}: {refusal}")
    return x


def _as_drawable(prior: Any, parameters: tuple[str, ...]) -> Drawable:
    """A prior that starts can be drawn from, if it is of these parameters.

    Raises
    ------
    TypeError
        That says what to give.
    ValueError
        If it is of other parameters.
    """
    if isinstance(prior, Mapping):
        check_names(prior, parameters)
        if not all(callable(getattr(value, "rvs", None)) for value in prior.values()):
            prior = Prior(prior)
    elif isinstance(prior, Prior):
        check_names(prior.parameters, parameters)
    elif not callable(prior):
        raise TypeError(
            "a prior is a Prior; a dict with a distribution for each parameter, as "
            "scipy.stats.uniform(low, width), scipy.stats.norm(mean, sd) or a pair of bounds; or a "
            f"function, prior(rng), that gives a dict; got {given(prior)}"
        )
    return prior  # type: ignore[no-any-return]


def _draw(
    prior: Drawable, parameters: tuple[str, ...], rng: np.random.Generator
) -> Mapping[str, Any]:
    if isinstance(prior, Prior):
        return {name: column[0] for name, column in prior.draw(rng, 1).items()}
    if callable(prior):
        drawn = prior(rng)
        if not isinstance(drawn, Mapping):
            raise ValueError(f"prior(rng) must give a dict of all parameters; it gave {drawn!r}")
        return drawn
    return {name: prior[name].rvs(random_state=rng) for name in parameters}
