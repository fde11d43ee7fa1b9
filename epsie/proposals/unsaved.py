"""Finding what a user's proposal or birth changes but does not save."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import BitGenerator, Generator

from epsie.errors import StateError
from epsie.proposals.distribution import Distribution, set_state_of, state_of
from epsie.rng.stream import Stream

_NOT_STATE = {"stream", "_pick", "birth_distribution"}


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
        if name not in _NOT_STATE and not (name in restored and _same(value, restored[name]))
    ]
    if lost:
        cls = type(after).__name__
        raise StateError(
            f"{cls} changed {', '.join(sorted(lost))} while it was used, but its state does not "
            f"hold it, so that a run could be neither split nor resumed. Name it in "
            f"{cls}.evolving, or give it in `state` and take it in `set_state`. Random numbers "
            "must be looked up in self.random_generator at each jump, never held"
        )


def _same(a: Any, b: Any, depth: int = 6) -> bool:
    """Whether two values are equal; NaN equals NaN, objects are equal if their attributes are."""
    if a is b or depth == 0:
        return True
    if isinstance(a, Stream | Generator | BitGenerator):
        return False
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key], depth - 1) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(_same(x, y, depth - 1) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and a != a:
        return bool(b != b)
    if type(a).__eq__ is object.__eq__:  # type: ignore[comparison-overlap]
        return _same(getattr(a, "__dict__", {}), getattr(b, "__dict__", {}), depth - 1)
    return bool(a == b)
