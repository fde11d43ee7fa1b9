"""The contribution of a chain to what it learns together with others."""

from __future__ import annotations

from math import ceil, inf
from typing import NamedTuple

from epsie.model.evaluation import Position
from epsie.proposals.learned.barriers import stride_of_fresh
from epsie.proposals.learned.bridge import FRESH_COLUMNS
from epsie.proposals.learned.kernel import Kernel
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.record import EVALUATED, best, evaluated_row
from epsie.proposals.learned.rows import Rows
from epsie.proposals.learned.surrogate import points_kept
from epsie.proposals.outcome import Outcome

_PRUNED_AT = 1024


class Contributed(NamedTuple):
    """What a chain contributes in a stretch; all else is in its history.

    Parameters
    ----------
    evaluated : array
        The best points that were evaluated: log density, logl, logp and position. Shape (n, 3 + d).
    fresh : array
        Of independent draws, accepted or not, the log densities of target, mixture and prior; -inf
        of those that were not even evaluated. Shape (m, 3).
    """

    evaluated: Array
    fresh: Array


class Contribution:
    """Collects what a chain contributes in a stretch.

    Parameters
    ----------
    ndim : int
        The number of parameters.
    nchains : int
        How many chains learn together.
    """

    def __init__(self, ndim: int, nchains: int) -> None:
        self.ndim, self.nchains = ndim, nchains
        self._rows, self._fresh, self._n = Rows(EVALUATED + ndim), Rows(FRESH_COLUMNS), 0
        self._stride = self._upto = 0

    @property
    def most(self) -> int:
        """The number of evaluated points that it may contribute."""
        return ceil(points_kept(self.ndim) / self.nchains)

    def evaluate(self, outcome: Outcome, x: Position) -> None:
        """Note what was proposed."""
        assert outcome.proposed is not None
        self.add_evaluated(evaluated_row(outcome.beta, outcome.proposed, x))

    def add_evaluated(self, row: tuple[float, ...]) -> None:
        """Note what was proposed, as a row."""
        self._rows.append(row)
        self._n += 1
        if self._n >= _PRUNED_AT + self.most:
            self._rows.set(best(self._rows.array(), self.most))
            self._n = self.most

    def takes_fresh(self, iteration: int) -> bool:
        """Whether the independent draws of an iteration are noted."""
        if iteration >= self._upto:
            self._stride, self._upto = stride_of_fresh(iteration, self.nchains)
        return not iteration % self._stride

    def note_fresh(self, iteration: int, outcome: Outcome, kernel: Kernel) -> None:
        """Note an independent draw, in a long run one of several."""
        if self.takes_fresh(iteration):
            proposed = outcome.proposed
            if proposed is None:
                self.add_fresh(-inf, -inf, 0.0)
            else:
                self.add_fresh(proposed.logl, proposed.logp, kernel.log_density_there)

    def add_fresh(self, logl: float, logp: float, log_q: float) -> None:
        """Note an independent draw; `logp` is -inf where nothing was evaluated."""
        row = (-inf, 0.0, 0.0) if logp == -inf else (logp + logl, log_q, logp)
        self._fresh.append(row)

    def array(self) -> Contributed:
        """All of it."""
        return Contributed(best(self._rows.array(), self.most), self._fresh.array())

    def begun(self) -> Contribution:
        """An empty one, for the next stretch."""
        return Contribution(self.ndim, self.nchains)
