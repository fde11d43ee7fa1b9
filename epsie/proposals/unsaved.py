"""Finding what a user's proposal or birth changes but does not save."""

from __future__ import annotations

from numpy.random import BitGenerator, Generator

from epsie.copying import same
from epsie.errors import StateError
from epsie.proposals.distribution import Distribution, set_state_of, state_of
from epsie.rng.stream import Stream

_NOT_STATE = {"stream", "_pick", "birth_distribution"}

_RANDOM = (Stream, Generator, BitGenerator)
_DEPTH = 6
"""The depth to which attributes are compared: they may lead back to where they are."""


def refuse_unsaved(before: Distribution, after: Distribution) -> None:
    """Check that the state of a proposal or birth holds all that changed while it was used.

    A run on another process, split, or resumed knows no more than the state.

    Parameters
    ----------
    before : Distribution
        A copy from before, with random numbers of its own. It is changed.
    after : Distribution
        The proposal or birth.

    Raises
    ------
    StateError
        That names the attributes which setting the state does not bring back.
    """
    set_state_of(before, state_of(after))
    restored = vars(before)
    lost = [
        name
        for name, value in vars(after).items()
        if name not in _NOT_STATE
        and not (name in restored and same(value, restored[name], _DEPTH, _RANDOM))
    ]
    if lost:
        cls = type(after).__name__
        raise StateError(
            f"{cls} changed {', '.join(sorted(lost))} while it was used, but its state does not "
            f"hold it, so that a run could be neither split nor resumed. Name it in "
            f"{cls}.evolving, or give it in `state` and take it in `set_state`. Random numbers "
            "must be looked up in self.random_generator at each jump, never held"
        )
