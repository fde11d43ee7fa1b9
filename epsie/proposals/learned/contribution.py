"""The contribution of a chain to what it learns together with others."""

from __future__ import annotations

from math import ceil

from epsie.model.evaluation import Position
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.record import EVALUATED, best, evaluated_row
from epsie.proposals.learned.rows import Rows
from epsie.proposals.learned.surrogate import points_needed
from epsie.proposals.outcome import Outcome

_PRUNED_AT = 1024


class Contribution:
    """The best points that a chain has evaluated in a stretch; all else is in its history.

    Parameters
    ----------
    ndim : int
        The number of parameters.
    nchains : int
        How many chains learn together.
    """

    def __init__(self, ndim: int, nchains: int) -> None:
        self.ndim, self.nchains = ndim, nchains
        self._rows, self._n = Rows(EVALUATED + ndim), 0

    @property
    def most(self) -> int:
        """The number of points that it may contribute."""
        return ceil(points_needed(self.ndim) / self.nchains)

    def evaluate(self, outcome: Outcome, x: Position) -> None:
        """Note what was proposed."""
        assert outcome.proposed is not None
        self._rows.append(evaluated_row(outcome.beta, outcome.proposed, x))
        self._n += 1
        if self._n >= _PRUNED_AT + self.most:
            self._rows.set(self.array())
            self._n = self.most

    def array(self) -> Array:
        """The best points: log density, logl, logp and position. Shape (n, 3 + d)."""
        return best(self._rows.array(), self.most)

    def begun(self) -> Contribution:
        """An empty one, for the next stretch."""
        return Contribution(self.ndim, self.nchains)
