"""The kernel: one of several moves a step, drawn with fixed probabilities."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np

from epsie.model.evaluation import Position
from epsie.proposals.learned.ahead import Ahead
from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.mixture import Array, Mixture, Weighed
from epsie.proposals.learned.moves import MOVES, WALK, Move
from epsie.proposals.learned.plain import counted, entry, fitting, rows_of
from epsie.proposals.learned.spot import Spot
from epsie.proposals.learned.transform import Transform
from epsie.proposals.learned.tuning import Tuning
from epsie.rng.stream import Stream

_FAR = 9.0
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
    jitter: Array
    ahead: Ahead
    size: float
    stretch: float
    step: Array
    normals: Array

    def __init__(self, transform: Transform, tuning: Tuning) -> None:
        self.transform, self.tuning = transform, tuning
        self.knowledge: Knowledge | None = None
        self.tunes = True
        self.tallies = np.zeros((len(MOVES), 2 + len(transform.scale)))
        self._move: Move = WALK
        self._here: Spot | None = None
        self._there: Spot | None = None

    def take(self, knowledge: Knowledge) -> None:
        """Use this knowledge from now on."""
        self.knowledge, self.transform = knowledge, knowledge.transform
        self.mixture, self.archive = knowledge.mixture, knowledge.archive
        self.jitter = _NOISE * self.archive.std(axis=0)
        below = np.cumsum(knowledge.weights).tolist()
        self._below = [0.0, *below[:-1]]
        self._widths = knowledge.weights.tolist()
        self._per_spread = 1 / knowledge.spread
        self.ahead = Ahead(self.mixture, self.transform)
        self.tallies = np.zeros((len(MOVES), 2 + self.mixture.ndim))
        self._here = self._there = None

    @property
    def draws_freshly(self) -> bool:
        """Whether its last move was an independent draw."""
        return self._move is MOVES[0]

    @property
    def log_density_there(self) -> float:
        """Log q of the last move where it went, if that was an independent draw."""
        assert self._here is not None and self._there is not None
        return self.log_density(self._there.x, self._here.x)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is searched for any more."""
        return self.knowledge is not None and self.knowledge.settled

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
        self._here = here = self._spot(x)
        self.tunes = True
        u = 0.0
        self._move = move = WALK
        if self.knowledge is not None:
            u = stream.uniform()
            i = bisect_right(self._below, u) - 1
            u = min((u - self._below[i]) / self._widths[i], _BELOW_1)
            self._move = move = MOVES[i]
        self._there = there = move.draw(self, here, stream, u)
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
        return of_move - there.log_jacobian - float(np.log(self.transform.scale).sum())

    def tune(self, ratio: float) -> None:
        """Tune the size of the move that was drawn last, by its acceptance ratio."""
        self._move.learn(self, 0.0 if self._there is None else ratio)

    def tally(self, ratio: float) -> None:
        """Count the jump that was drawn last."""
        here, there = self._here, self._there
        if self.knowledge is None or here is None:
            return
        tally = self.tallies[MOVES.index(self._move)]
        tally[0] += 1
        if there is not None and ratio > 0:
            tally[1] += ratio
            away = there.u - here.u
            away *= self._per_spread
            away *= away
            np.minimum(away, _FAR, out=away)
            away *= ratio
            tally[2:] += away

    def _spot(self, x: Position) -> Spot:
        """The spot of a position, looked up by the position itself, as a swap may have moved it."""
        known = self._there
        if known is not None and (known.x is x or known.x == x):
            return known
        known = self._here
        if known is not None and (known.x is x or known.x == x):
            return known
        u, log_jacobian = self.transform.forward(x)
        return Spot(x, u, log_jacobian)

    def spot_of(self, u: Array, wraps: bool = False) -> Spot | None:
        """The spot with some coordinates; None if it is out of bounds."""
        x = self.transform.inverse(u, wraps)
        if x is None:
            return None
        # Not the same as u in the last bits: all that is known of a spot follows from its position.
        found, log_jacobian = self.transform.forward(x)
        return Spot(x, found, log_jacobian)

    def weighed(self, spot: Spot) -> Weighed:
        """A spot as the mixture sees it."""
        seen = spot.weighed
        if seen is None:
            spot.weighed = seen = self.mixture.at(spot.u)
        return seen

    def copied(self) -> Kernel:
        """An independent copy."""
        twin = Kernel.__new__(type(self))
        for name, value in self.__dict__.items():
            setattr(twin, name, value)
        twin.tuning, twin.tallies = self.tuning.copied(), self.tallies.copy()
        if self.knowledge is not None:
            twin.ahead = self.ahead.copied()
        return twin

    def plain(self) -> dict[str, Any]:
        """What changes between barriers, as plain data."""
        return {
            "tuning": self.tuning.plain(),
            "tallies": self.tallies.copy(),
            "ahead": None if self.knowledge is None else counted(self.ahead.array()),
        }

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Go on from what `plain` gave, with the same knowledge."""
        ndim = len(self.transform.scale)
        self.tuning = Tuning.from_plain(entry(plain, "tuning", dict), ndim)
        self.tallies = fitting(plain, "tallies", self.tallies.shape)
        if self.knowledge is not None:
            self.ahead.restore(rows_of(plain, "ahead", ndim, finite=False))


_BELOW_1 = 1 - 2**-53
