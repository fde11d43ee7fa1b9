"""How many points a sampler's model is asked about at a time."""

from __future__ import annotations

from typing import Any

from epsie.logs import logger
from epsie.model.batch import Batch
from epsie.model.posterior import Posterior, as_vectorize
from epsie.running.sampler import Sampler

_MOST = 512
"""So many points at once by default: what more would gain is a few percent."""


def asked_for(vectorize: bool | int, model: Any) -> bool | int:
    """What is asked for by a sampler, or by the `Posterior` that it is given."""
    asked = as_vectorize(vectorize)
    return asked or (model.vectorize if isinstance(model, Posterior) else False)


def use_batches(sampler: Sampler, chains: list[Any]) -> None:
    """Let a sampler's chains be asked about together, if its model takes many points.

    The number of points of a call depends on the number of chains of the whole run alone, and of
    their temperatures or walkers, as last bits may depend on it.
    """
    asked = sampler._vectorize
    if not asked:
        return
    there = sampler._part.of * chains[0].points_at_once
    rows = min(_MOST, there) if asked is True else int(asked)
    if rows > there:
        logger.warning(
            "vectorize=%d is more than the %d points of a step: the model is always asked about %d "
            "points, of which the last ones repeat the first",
            rows, there, rows,
        )  # fmt: skip
    model = Batch(sampler.model, rows)
    sampler._executor.model = model
    for chain in chains:
        chain.lend(model)
