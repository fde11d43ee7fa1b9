"""Starts for all chains: those that a person gives, and those that are drawn from a prior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.start import NO_START, as_position, check_names, whole_numbers
from epsie.checks import given
from epsie.logs import logger
from epsie.model.evaluation import Point, Position
from epsie.model.posterior import Posterior
from epsie.model.prior import Prior
from epsie.running.points import place

Drawable = Prior | Callable[[np.random.Generator], Mapping[str, Any]] | Mapping[str, Any]
"""A prior; ``prior(rng)`` that gives a dict; or what a prior takes as a dict."""

_STREAM = 2**32 - 1
"""Keeps these random numbers apart from those of the chains, which count from 0."""


def given_starts(sampler: Any, columns: Mapping[str, NDArray[Any]]) -> list[list[Point]]:
    """The starts that a person gives, if the model takes all of them.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler; it is not changed.
    columns : mapping
        For each parameter an array over the chains.

    Returns
    -------
    list of list of Point
        By chain and temperature.

    Raises
    ------
    ValueError
        If arrays have other shapes, or starts cannot be used: all are listed.
    """
    places = (len(sampler.chains[0].by_temperature), sampler.nchains)
    meant = sampler._faced(np.empty(places)).shape
    wrong = {name: column.shape for name, column in columns.items() if column.shape != meant}
    if wrong:
        raise ValueError(sampler._misshapen(wrong, meant))
    grids = [column.reshape(places).T.tolist() for column in columns.values()]
    xs = [list(zip(*of_chain, strict=True)) for of_chain in zip(*grids, strict=True)]
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


def remarks_on_starts(sampler: Any, values: Mapping[str, Any]) -> tuple[str, ...]:
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


def drawn_starts(
    sampler: Any, prior: Drawable, tries: int
) -> tuple[list[list[Point]], dict[str, list[Any]]]:
    """A start for every chain at every temperature, drawn until the model takes it.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler; it is not changed.
    prior : Prior or mapping or callable
        See `Drawable`.
    tries : int
        How often to draw at most for each of them.

    Returns
    -------
    list of list of Point
        By chain and temperature.
    dict
        By parameter what was drawn first for each of them, as the prior gave it.

    Raises
    ------
    ValueError
        If the prior gives other parameters, or angles outside of the domain of their proposal, or
        the model has refused that many.
    """
    prior = _as_drawable(prior, sampler.parameters)
    levels = {
        (i, t): leaf
        for i, chain in enumerate(sampler.chains)
        for t, leaf in enumerate(chain.by_temperature)
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
            ntemps = len(levels) // len(sampler.chains)
            by_chain = [[found[i, t] for t in range(ntemps)] for i in range(sampler.nchains)]
            return by_chain, {name: [draw[name] for draw in first] for name in sampler.parameters}
    raise ValueError(
        f"after {tries} draws from the prior there is no start for {len(left)} of {len(levels)}; "
        f"the last one refused: {refusal}. Draw from where the model has a likelihood, or "
        "allow more tries"
    )


def _generator(seed: int, at: tuple[int, int]) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, *at)))


def ensure_start(sampler: Any) -> None:
    """Start a sampler of a `Posterior` at draws from its prior, if no start is set.

    Raises
    ------
    ValueError
        If there is no start, and the model is no posterior.
    """
    if sampler._has_start:
        return
    if not isinstance(sampler.model, Posterior):
        raise ValueError(NO_START)
    points, _ = drawn_starts(sampler, sampler.model.prior, 1000)
    place(sampler, "begin", points)


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
