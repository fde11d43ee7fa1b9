"""`Learned` proposals of many chains as arrays, between two lessons, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.learned.barriers import counts_at
from epsie.proposals.learned.many_kernels import ManyKernels
from epsie.proposals.learned.mixture import Array
from epsie.proposals.outcome import Outcomes
from epsie.rng.streams import Streams


class LearnedArrays:
    """`Learned` proposals of many chains that learn together, each at some temperatures.

    Parameters
    ----------
    parts : sequence of Learned
        Those of the first chain, coldest first, then of the next.
    x : array
        Where the chains stand. Shape (nparts, ndim).
    betas : array
        Inverse temperatures. Shape (nparts,).
    ntemps : int
        The number of temperatures of each chain.
    """

    corrects = True
    """Whether there are Hastings terms."""

    drawn: NDArray[np.bool_]
    """Who made a jump in the last step, shape (nparts,); others would have left the bounds."""

    def __init__(self, parts: Sequence[Any], x: Array, betas: Array, ntemps: int) -> None:
        self.parts, self._betas, self._ntemps = parts, betas, ntemps
        self._iteration, self._nsteps = parts[0]._iteration, parts[0]._nsteps
        self._levels = [slice(t, None, ntemps) for t in range(ntemps)]
        self._many = [ManyKernels([p._kernel for p in parts[at]], x[at]) for at in self._levels]
        self._joined = [[part._joined for part in parts[at]] for at in self._levels]
        self.drawn = np.ones(len(parts), bool)

    @staticmethod
    def are_alike(parts: Sequence[Any], ntemps: int) -> bool:
        """Whether they have made as many steps, and at a temperature know the same."""
        first = parts[0]._iteration, parts[0]._nsteps
        return all(
            part._joined is not None
            and part._kernel.prior is None
            and (known := part._kernel.knowledge) is not None
            and known is parts[i % ntemps]._kernel.knowledge
            and (part._iteration, part._nsteps) == first
            for i, part in enumerate(parts)
        )

    def draw(self, x: Array, streams: Streams) -> Array:
        """Jumps from positions, shape (nparts, ndim); where one is, to make none."""
        y = np.empty_like(x)
        for at, many in zip(self._levels, self._many):
            y[at] = many.draw(x[at], streams)
            self.drawn[at] = many.drawn
        return y

    def log_hastings(self) -> Array:
        """As `log_hastings` of the last jump of each."""
        found = np.empty(len(self.parts))
        for at, many in zip(self._levels, self._many):
            found[at] = many.log_hastings()
        return found

    def stds(self) -> Array:
        """The standard deviations of jumps, as `jump_stds` of each. Shape (nparts, ndim)."""
        return np.array([list(part.jump_stds()) for part in self.parts])

    def learn_from(self, outcomes: Outcomes) -> None:
        """Count a jump of each, and learn from it what is learned between lessons."""
        self._nsteps += 1
        counts, end = counts_at(self._iteration), self.parts[0]._end
        for at, many in zip(self._levels, self._many):
            if self._iteration < end:
                ratio = outcomes.ratio[at]
                if counts or not many.kernels[0].is_settled:
                    many.tune(ratio)
                if counts:
                    many.tally(ratio)
        self._iteration += 1
        for temperature in range(self._ntemps):
            self._note(temperature, outcomes, self._iteration <= end)
            many, at = self._many[temperature], self._levels[temperature]
            many.accept(np.flatnonzero(outcomes.accepted[at]))

    def _note(self, temperature: int, outcomes: Outcomes, learns: bool) -> None:
        """Contribute to what chains learn together, as `Learned._note`."""
        many, at = self._many[temperature], self._levels[temperature]
        beta, joined = float(self._betas[temperature]), self._joined[temperature]
        searches = learns and not many.kernels[0].is_settled
        takes_fresh = beta == 1 and joined[0].takes_fresh(self._iteration)
        if not searches and not takes_fresh:
            return
        logl = np.where(many.drawn, outcomes.logl[at], -inf)
        logp = np.where(many.drawn, outcomes.logp[at], -inf)
        if searches:
            log_densities = logp + beta * logl if beta else logp
            rows = np.column_stack([log_densities, logl, logp, outcomes.proposed[at]])
            for contribution, row, drawn in zip(joined, rows.tolist(), many.drawn.tolist()):
                if drawn:
                    contribution.add_evaluated(tuple(row))
        if takes_fresh:
            fresh = np.flatnonzero(many.place == 0)
            log_q = many.there.log_q - many.there.log_jacobian
            rows = np.column_stack([logl, logp, log_q])[fresh]
            for i, row in zip(fresh.tolist(), rows.tolist()):
                joined[i].add_fresh(*row)

    def give_back(self) -> None:
        """Let each part know what it learned."""
        for many in self._many:
            many.give_back()
        for part in self.parts:
            part._iteration, part._nsteps = self._iteration, self._nsteps
