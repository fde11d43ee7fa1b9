"""Starts drawn from a prior, and drawn again where the model refuses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from epsie.chain.chain import Chain
from epsie.chain.start import as_position, check_names
from epsie.execution.stretch import ask_all
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
        check_names(prior, sampler.parameters)
    leaves: list[list[Chain]] = [chain.by_temperature for chain in sampler.chains]
    places = [(i, t) for i, temperatures in enumerate(leaves) for t in range(len(temperatures))]
    generators = {
        (i, t): np.random.default_rng(
            np.random.SeedSequence(sampler.seed, spawn_key=(_STREAM, i, t))
        )
        for i, t in places
    }
    found: dict[tuple[int, int], Point] = {}
    left, refused = places, []
    for _ in range(tries):
        chains = [leaves[i][t].detached() for i, t in left]
        xs = [
            as_position(_draw(prior, sampler.parameters, generators[place]), chain.dtypes)
            for place, chain in zip(left, chains, strict=True)
        ]
        answers = ask_all(chains, "examine_start", xs, sampler._mapper, sampler._carrier)
        refused = [problems for _, problems in answers if problems]
        found |= {
            place: point
            for place, (point, problems) in zip(left, answers, strict=True)
            if not problems
        }
        left = [place for place in left if place not in found]
        if not left:
            return [[found[i, t] for t in range(len(row))] for i, row in enumerate(leaves)]
    raise ValueError(
        f"after {tries} draws from the prior there is no start for {len(left)} of {len(places)}; "
        f"the last one refused: {refused[-1][0]}. Draw from where the model has a likelihood, or "
        "allow more tries"
    )


def _draw(prior: Prior, parameters: tuple[str, ...], rng: np.random.Generator) -> Mapping[str, Any]:
    if callable(prior):
        drawn = prior(rng)
        if not isinstance(drawn, Mapping):
            raise ValueError(f"prior(rng) must give a dict of all parameters; it gave {drawn!r}")
        return drawn
    return {name: prior[name].rvs(random_state=rng) for name in parameters}
