"""Annealers: they move the ladder of temperatures while a chain runs.

Any object will do that is called with the chain after every sweep, and once before with the ladder:
``setup_annealing(betas)``. What evolves is its `state`, which ``set_state`` takes back, or else all
its attributes, which then must be plain data. If it has ``first_ladder(betas)`` that gives the
ladder to start from.
"""

from __future__ import annotations

import copy
from typing import Any

from epsie.tempering.barrier import BarrierAnnealer
from epsie.tempering.dynamical import DynamicalAnnealer

__all__ = [
    "BarrierAnnealer",
    "DynamicalAnnealer",
    "annealer_state",
    "as_annealer",
    "set_annealer_state",
]


def as_annealer(annealer: Any) -> Any:
    """Anything that can move a ladder, or None.

    Raises
    ------
    TypeError
        If it cannot be called, has no ``setup_annealing``, or has no state that can be saved.
    """
    if annealer is None:
        return None
    usable = callable(annealer) and hasattr(annealer, "setup_annealing")
    if isinstance(annealer, type) or not usable:
        raise TypeError(
            "adaptive_annealer must be an object with setup_annealing(betas) that is called with "
            f"the chain; got {annealer!r}"
        )
    if not hasattr(annealer, "__dict__") and not hasattr(annealer, "set_state"):
        raise TypeError(f"the annealer {annealer!r} needs a state and set_state, to be resumed")
    return annealer


def annealer_state(annealer: Any) -> Any:
    """The evolving state of any annealer: its `state`, or else all its attributes."""
    if annealer is None:
        return None
    state = annealer.state if hasattr(annealer, "set_state") else vars(annealer)
    return copy.deepcopy(state)


def set_annealer_state(annealer: Any, state: Any) -> None:
    """Take over what `annealer_state` gave."""
    if annealer is None or state is None:
        return
    if hasattr(annealer, "set_state"):
        annealer.set_state(copy.deepcopy(state))
    else:
        vars(annealer).update(copy.deepcopy(state))
