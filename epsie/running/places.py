"""Places of a sampler's chains: starts, saved states, and the points of another model renewed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from epsie.chain.wellformed import check_states
from epsie.errors import MalformedStateError
from epsie.model.evaluation import Point, in_one_order
from epsie.process.signals import interrupt_deferred


def place(sampler: Any, how: str, points: Sequence[Sequence[Point]]) -> None:
    """Let every chain `begin` or `renew` with a point for each temperature.

    Raises
    ------
    ModelError
        If the points have different blobs.
    """
    placed = iter(in_one_order([point for of_chain in points for point in of_chain]))
    with interrupt_deferred():
        for chain, of_chain in zip(sampler.chains, points, strict=True):
            getattr(chain, how)([next(placed) for _ in of_chain])


def is_stale(sampler: Any) -> bool:
    """Whether the chains' points may be of another model."""
    return any(chain.is_stale for chain in sampler.chains)


def renew(sampler: Any) -> None:
    """Ask the model anew about where the chains stand, if their points may be another's."""
    if is_stale(sampler):
        nothing = [None] * sampler.nchains
        place(sampler, "renew", sampler._executor.ask(sampler.chains, "present_points", nothing))


def take_up(sampler: Any, state: Any) -> None:
    """Go on from a state that was read, of which nothing is sure but its checksum.

    Raises
    ------
    MalformedStateError
        If it is malformed, or of another sampler.
    """
    try:
        check_states(sampler.chains, state)
        sampler.set_state(state)
    except MalformedStateError:
        raise
    except ValueError as error:
        raise MalformedStateError(str(error)) from error
