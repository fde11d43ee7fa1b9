"""The subject of learning: parameters, and what is known of each beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from epsie.proposals.learned.coordinates import Standard
from epsie.proposals.learned.prior_part import PriorPart

WALK_FLOOR = 0.15
"""The least probability of the random walk where learning ends, for what was not met before."""


class Subject(NamedTuple):
    """Parameters that are learned together.

    Parameters
    ----------
    bounds : sequence of (float, float)
        Of each parameter.
    periods : sequence of float or None
        Of each parameter; None of what is no angle.
    duration : int or None
        The iteration from which on nothing is learned; None if learning goes on.
    prior : PriorPart or None
        The prior, where it is to be a component of what is learned.
    standards : sequence of (int, Standard)
        The coordinates of those that may be learned relative to others, by place.
    """

    bounds: Sequence[tuple[float, float]]
    periods: Sequence[float | None]
    duration: int | None = None
    prior: PriorPart | None = None
    standards: Sequence[tuple[int, Standard]] = ()

    @property
    def ndim(self) -> int:
        """The number of parameters."""
        return len(self.bounds)

    @property
    def limits(self) -> list[tuple[float, float]]:
        """Where each parameter has to be: an angle goes round."""
        turns = zip(self.bounds, self.periods)
        return [bounds if period is None else (-inf, inf) for bounds, period in turns]

    @property
    def end(self) -> float:
        """The iteration from which on nothing is learned."""
        return inf if self.duration is None else self.duration

    @property
    def walk_floor(self) -> float:
        """The least probability of the random walk."""
        return 0.0 if self.duration is None else WALK_FLOOR
