"""Ladders that were found: they are in the state of a run, not in its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.state import ANNEALED, SHARED, chains_in, levels_in
from epsie.errors import MalformedStateError

FOUND = "found"
"""Under 'ladder' in the settings of a run that finds its ladder; its `betas` stand for none."""


def ladders_in(state: Mapping[Any, Any]) -> NDArray[np.float64]:
    """The ladder of each chain in a state, shape (nchains, ntemps).

    Raises
    ------
    MalformedStateError
        If it is no state of tempered chains.
    """
    try:
        ladders = [[level["beta"] for level in levels_in(of)] for of in chains_in(state).values()]
        found = np.array(ladders, dtype=float)
    except (AttributeError, KeyError, TypeError, ValueError):
        found = np.empty(0)
    if found.ndim != 2 or not found.size or not ((found >= 0) & (found <= 1)).all():
        raise MalformedStateError("this is no state of tempered chains: it has no ladder")
    return found


def ladder_in(state: Mapping[Any, Any]) -> list[float] | None:
    """The ladder that all chains of a state found; None if it is not found yet."""
    shared = state.get(SHARED, {}) if isinstance(state, Mapping) else {}
    start = shared.get(ANNEALED) if isinstance(shared, Mapping) else None
    if isinstance(start, Mapping) and start.get("progress") is not None:
        return None
    found: list[float] = ladders_in(state)[0].tolist()
    return found


def with_found(settings: Mapping[str, Any], state: Mapping[Any, Any]) -> dict[str, Any]:
    """The settings of a run with the ladder of its state, if that was found."""
    if settings.get("ladder") != FOUND:
        return dict(settings)
    ladders = ladders_in(state)
    if len(ladders) != settings["nchains"]:
        raise MalformedStateError(
            f"the state is of {len(ladders)} chains, the settings of {settings['nchains']}"
        )
    return {**settings, "betas": ladders, "swap_interval": max(1, ladders.shape[1] - 1)}
