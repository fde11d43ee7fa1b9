"""The kernel: one of several moves a step, drawn with fixed probabilities."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from math import exp, isfinite, log, log1p
from typing import Any

import numpy as np

from epsie.model.evaluation import Position
from epsie.proposals.learned.ahead import Ahead
from epsie.proposals.learned.components import Weighed
from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.mixture import Array, Mixture
from epsie.proposals.learned.moves import MOVES, WALK
from epsie.proposals.learned.plain import counted, entry, fitting, rows_of
from epsie.proposals.learned.prior_part import PriorPart
from epsie.proposals.learned.spot import Spot
from epsie.proposals.learned.transform import Transform
from epsie.proposals.learned.tuning import Tuning
from epsie.rng.stream import Stream

FAR = 9.0
"""A jump counts no further than three times the spread, squared."""

_NOISE = 1e-4
"""Of the standard deviation of the archive, added to differences."""


class Kernel:
    """Moves that use what was learned, wherever that comes from; before, a random walk.

    Parameters
    ----------
    transform : Transform
        The coordinates as long as nothing was learned.
    tuning : Tuning
        The sizes of jumps, which go on changing.
    """

    mixture: Mixture
    archive: Array
    below: list[float]
    spread: list[float]
    jitter: list[float]
    ahead: Ahead
    size: float
    stretch: float
    step: Array
    normals: Array
    share: float
    prior: PriorPart | None = None

    def __init__(self, transform: Transform, tuning: Tuning) -> None:
        self.tuning = tuning
        self._begin(transform)
        self.knowledge: Knowledge | None = None
        self.tunes = False
        self.tallies = np.zeros((len(MOVES), 2 + len(transform.scale)))
        self.place, self._move = WALK, MOVES[WALK]
        self.is_settled = False
        """Whether nothing is searched for any more."""

    def take(self, knowledge: Knowledge) -> None:
        """Use this knowledge from now on."""
        self._begin(knowledge.transform)
        self.knowledge, scale = knowledge, self.transform.scale
        self.is_settled = knowledge.settled
        self.share, self.prior = knowledge.share, knowledge.prior
        self.mixture = _in_units_of_parameters(knowledge.mixture, self.transform)
        self.archive = knowledge.archive
        self.jitter = (_NOISE * scale * self.archive.std(axis=0)).tolist()
        self.below = np.cumsum(knowledge.weights)[:-1].tolist()
        self.spread = (scale * knowledge.spread).tolist()
        self.ahead = Ahead(self.mixture, self.bend)
        self.tallies = np.zeros((len(MOVES), 2 + self.mixture.ndim))

    def _begin(self, transform: Transform) -> None:
        self.transform, self.bend = transform, transform.bend
        self.shift: list[float] = transform.shift.tolist()
        self.scale: list[float] = transform.scale.tolist()
        self._here: Spot | None = None
        self._there: Spot | None = None
        self._is_free = self.bend.is_free

    @property
    def log_density_there(self) -> float:
        """Log q of the last move where it went, if that was an independent draw."""
        there = self._there
        assert there is not None
        return self.log_reference(there) - there.log_jacobian

    def changed(self, knowledge: Knowledge) -> Kernel:
        """A kernel that uses newer knowledge, with sizes that go on from these, or begin anew."""
        tuning = self.tuning.copied()
        if knowledge.restart:
            tuning.factor = knowledge.walk
        else:
            tuning.factor = knowledge.rescale[:, np.newaxis] * tuning.factor
        tuning.begin_interval()
        kernel = Kernel(knowledge.transform, tuning)
        kernel.take(knowledge)
        return kernel

    def draw(self, x: Position, stream: Stream) -> Position | None:
        """A jump from `x`; None if it would leave the bounds."""
        known = self._there
        self._here = here = known if known is not None and known.x is x else self._spot(x)
        if self.knowledge is not None:
            self.place = bisect_right(self.below, stream.uniform())
        self._move = move = MOVES[self.place]
        self._there = there = move.draw(self, here, stream)
        return None if there is None else there.x

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x) of the move that was drawn last."""
        here, there = self._here, self._there
        if here is None or there is None or here.x is not x or there.x is not y:
            here, there = self._spot(x), self._spot(y)
        of_move = self._move.log_hastings(self, here, there)
        return of_move + there.log_jacobian - here.log_jacobian

    def log_density(self, y: Position, x: Position) -> float:
        """Log q(y | x) of the move that was drawn last."""
        there = self._spot(y)
        of_move = self._move.log_density(self, there, self._spot(x))
        return of_move - there.log_jacobian

    def tune(self, ratio: float) -> None:
        """Tune the size of the move that was drawn last, by its acceptance ratio."""
        self._move.learn(self, 0.0 if self._there is None else ratio)

    def tally(self, ratio: float) -> None:
        """Count the jump that was drawn last."""
        here, there = self._here, self._there
        if self.knowledge is None or here is None:
            return
        tally = self._tallies[self.place]
        tally[0] += 1
        if there is None or not ratio > 0:
            return
        tally[1] += ratio
        for i, (x, y, s) in enumerate(zip(here.u, there.u, self.spread), 2):
            away = (y - x) / s
            square = away * away
            tally[i] += ratio * (square if square < FAR else FAR)

    @property
    def tallies(self) -> Array:
        """Of each move the jumps, acceptance ratios and squares of all jumps that it made."""
        return np.array(self._tallies)

    @tallies.setter
    def tallies(self, tallies: Array) -> None:
        # Lists, as numbers are added one by one.
        self._tallies: list[list[float]] = tallies.tolist()

    def _spot(self, x: Position) -> Spot:
        """The spot of a position, looked up by the position itself, as a swap may have moved it."""
        known = self._there
        if known is not None and (known.x is x or known.x == x):
            return known
        known = self._here
        if known is not None and (known.x is x or known.x == x):
            return known
        return Spot(x, *self.bend.forward(x))

    def spot_of(self, u: list[float], wraps: bool = False) -> Spot | None:
        """The spot with some coordinates; None if it is out of bounds."""
        if self._is_free:
            free = tuple(u)
            return Spot(free, free, 0.0) if isfinite(sum(free)) else None
        x = self.bend.inverse(u, wraps)
        # Not with u, of other last bits: all that is known of a spot follows from its position.
        return None if x is None else Spot(x, *self.bend.forward(x))

    def former(self, v: float) -> list[float]:
        """The coordinates of a former position, that which a uniform variate chooses."""
        row = self.archive[int(v * len(self.archive))].tolist()
        return [m + s * u for m, s, u in zip(self.shift, self.scale, row)]

    def weighed(self, spot: Spot) -> Weighed:
        """A spot as the mixture sees it."""
        seen = spot.weighed
        if seen is None:
            spot.weighed = seen = self.mixture.at(spot.u)
        return seen

    def log_reference(self, spot: Spot) -> float:
        """The log density at a spot of what independent draws are from: mixture, and prior."""
        found = spot.log_reference
        if found is None:
            found = self.weighed(spot)[0]
            if self.prior is not None:
                log_p = self.prior.log_density(spot.x) + spot.log_jacobian
                parts = log(self.share) + log_p, log1p(-self.share) + found
                found = max(parts) + log1p(exp(-abs(parts[0] - parts[1])))
            spot.log_reference = found
        return found

    def from_prior(self, stream: Stream) -> Spot:
        """A draw from the prior."""
        assert self.prior is not None
        x = self.prior.draw(stream.generator)
        return Spot(x, *self.bend.forward(x))

    def copied(self) -> Kernel:
        """An independent copy."""
        twin = Kernel.__new__(type(self))
        for name, value in self.__dict__.items():
            setattr(twin, name, value)
        twin.tuning, twin._tallies = self.tuning.copied(), [tally.copy() for tally in self._tallies]
        if self.knowledge is not None:
            twin.ahead = self.ahead.copied()
        return twin

    def plain(self) -> dict[str, Any]:
        """What changes between barriers, as plain data."""
        return {
            "tuning": self.tuning.plain(),
            "tallies": self.tallies,
            "ahead": None if self.knowledge is None else counted(self.ahead.array()),
        }

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Go on from what `plain` gave, with the same knowledge."""
        ndim = len(self.transform.scale)
        self.tuning = Tuning.from_plain(entry(plain, "tuning", dict), ndim)
        self.tallies = fitting(plain, "tallies", self.tallies.shape)
        if self.knowledge is not None:
            self.ahead.restore(rows_of(plain, "ahead", ndim, finite=False))


@lru_cache(maxsize=64)
def _in_units_of_parameters(mixture: Mixture, transform: Transform) -> Mixture:
    """What all chains that have learned the same thing have together, made once."""
    return mixture.moved(transform.shift, transform.scale)
