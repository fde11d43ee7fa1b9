"""Starts drawn from a prior, and drawn again where the model refuses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from epsie.chain.start import as_position, check_names
from epsie.checks import given
from epsie.model.evaluation import Point

Prior = Callable[[np.random.Generator], Mapping[str, Any]] | Mapping[str, Any]
"""``prior(rng)`` gives a dict; or a distribution with ``rvs(random_state=rng)`` by parameter."""

_STREAM = 2**32 - 1
"""Keeps these random numbers apart from those of the chains, which count from 0."""


def drawn_starts(sampler: Any, prior: Prior, tries: int) -> list[list[Point]]:
    """A start for every chain at every temperature, drawn until the model takes it.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler; it is not changed.
    prior : callable or mapping
        See `Prior`.
    tries : int
        How often to draw at most for each of them.

    Returns
    -------
    list of list of Point
        By chain and temperature.

    Raises
    ------
    ValueError
        If the prior gives other parameters, or the model has refused that many.
    """
    if not callable(prior):
        _check_distributions(prior, sampler.parameters)
    places = {
        (i, t): leaf
        for i, chain in enumerate(sampler.chains)
        for t, leaf in enumerate(chain.by_temperature)
    }
    generators = {place: _generator(sampler.seed, place) for place in places}
    found: dict[tuple[int, int], Point] = {}
    left, refusal = list(places), ""
    for _ in range(tries):
        chains = [places[place].detached() for place in left]
        draws = [_draw(prior, sampler.parameters, generators[place]) for place in left]
        xs = [as_position(draw, chain.dtypes) for draw, chain in zip(draws, chains, strict=True)]
        answers = sampler._executor.ask(chains, "examine_start", xs)
        for place, (point, problems) in zip(left, answers, strict=True):
            if problems:
                refusal = problems[0]
            else:
                found[place] = point
        left = [place for place in left if place not in found]
        if not left:
            ntemps = len(places) // len(sampler.chains)
            points = [found[place] for place in places]
            return [points[i : i + ntemps] for i in range(0, len(points), ntemps)]
    raise ValueError(
        f"after {tries} draws from the prior there is no start for {len(left)} of {len(places)}; "
        f"the last one refused: {refusal}. Draw from where the model has a likelihood, or "
        "allow more tries"
    )


def _check_distributions(prior: Any, parameters: tuple[str, ...]) -> None:
    """Refuse what is no dict of distributions.

    Raises
    ------
    TypeError
        That says what to give.
    """
    how = (
        "a prior is a function, prior(rng), that gives a dict; or a dict with a distribution for "
        "each parameter, as scipy.stats.uniform(low, width) or scipy.stats.norm(mean, sd)"
    )
    if not isinstance(prior, Mapping):
        raise TypeError(f"{how}; got {given(prior)}")
    check_names(prior, parameters)
    for name in parameters:
        if not callable(getattr(prior[name], "rvs", None)):
            raise TypeError(f"{how}. Of {name!r} got {given(prior[name])}, which has no rvs")


def _generator(seed: int, place: tuple[int, int]) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, *place)))


def _draw(prior: Prior, parameters: tuple[str, ...], rng: np.random.Generator) -> Mapping[str, Any]:
    if callable(prior):
        drawn = prior(rng)
        if not isinstance(drawn, Mapping):
            raise ValueError(f"prior(rng) must give a dict of all parameters; it gave {drawn!r}")
        return drawn
    return {name: prior[name].rvs(random_state=rng) for name in parameters}
