"""A check that a model is that of a saved run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from epsie.errors import RunDirectoryError
from epsie.model.evaluation import Point

TOLERANCE = 1e-8
"""The relative difference beyond which it is another model."""


def check_model(sampler: Any) -> None:
    """Evaluate the model where the chains stand, and compare with what was saved.

    Raises
    ------
    RunDirectoryError
        If a value differs by more than rounding. Other last bits warn.
    """
    places = [[leaf.point.x for leaf in chain.by_temperature] for chain in sampler.chains]
    found = sampler._executor.ask(sampler.chains, "examine_starts", places)
    other = []
    for chain, (points, problems) in zip(sampler.chains, found, strict=True):
        if problems:
            other.append(f"chain {chain.chain_id}: {'; '.join(problems)}")
            continue
        for leaf, point in zip(chain.by_temperature, points, strict=True):
            other += [f"chain {chain.chain_id}: {text}" for text in _changes(leaf.point, point)]
    if other:
        raise RunDirectoryError(
            "the model is not that of the run: at saved positions it gives other values\n  "
            + "\n  ".join(other[:10])
        )
    for chain in sampler.chains:
        for leaf in chain.by_temperature:
            leaf.stale = False


def _changes(saved: Point, now: Point) -> Iterator[str]:
    for name in ("logl", "logp"):
        was, value = getattr(saved, name), getattr(now, name)
        if was == value:
            continue
        if abs(was - value) <= TOLERANCE * max(abs(was), abs(value)):
            warnings.warn(
                f"the model's {name} differs in its last bits from that of the run: {was!r} then, "
                f"{value!r} now. Go on, but not bit for bit",
                stacklevel=2,
            )
        else:
            yield f"{name} was {was!r} and is {value!r}"
