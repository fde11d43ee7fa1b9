"""A mixture of proposals over the same parameters."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from math import remainder
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.checks import as_count
from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal
from epsie.proposals.composite import Assembly
from epsie.proposals.distribution import set_state_of, state_of
from epsie.proposals.learned.barriers import following
from epsie.proposals.mixed import as_parts, as_weights
from epsie.proposals.outcome import Outcome, VirtualMove
from epsie.proposals.places import Picker, picker
from epsie.rng.stream import Stream

_FIRST_BARRIER = 100
_TINY = 1e-12
_FLOOR = 0.2
"""The share of all probability that is equal for all parts: each goes on being tried."""


class Mixture(Assembly):
    """One of several proposals for the same parameters at each step, drawn with probabilities.

    Each leaves the target invariant by itself, so that the ratio is that of the one that was drawn;
    it alone learns from the step. No jump leaves the bounds of a part. With a duration the
    probabilities are learned, too: at ever rarer numbers of jumps they come to follow the square of
    the squared jump of the worst parameter, half and half with the former ones.

    Parameters
    ----------
    *proposals : BaseProposal
        The parts, at least two. They are used as they are, not copied.
    weights : array_like, optional
        The probability of each part, up to a factor; by default all are equal. Learned ones begin
        with these.
    adaptation_duration : int, optional
        The number of jumps from which on the probabilities stay as they are. By default they are
        not learned.

    Raises
    ------
    ValueError
        If there are fewer than two parts, they are for other parameters or of other kinds, one has
        a jump interval, or there are not as many positive weights.
    TypeError
        If a part is no proposal.
    """

    name = "mixture"

    _here: Position
    """Where the last jump was made from."""

    _there: Position | None
    """Where it went; None if it was made by no part, or left the bounds of one."""

    def __init__(
        self,
        *proposals: BaseProposal,
        weights: ArrayLike | None = None,
        adaptation_duration: int | None = None,
    ) -> None:
        self._parts = as_parts(proposals)
        self.parameters = self._parts[0].parameters
        self._first_weights = as_weights(weights, len(proposals))
        if adaptation_duration is not None:
            adaptation_duration = as_count(adaptation_duration, "adaptation_duration")
        self._learns_until = adaptation_duration or 0
        self.symmetric = all(part.symmetric for part in self._parts)
        self._keeps_bounds = any(
            type(part)._refusal is not BaseProposal._refusal for part in self._parts
        )
        self._forget()
        self._arrange()
        self._share(Stream())

    @property
    def proposals(self) -> tuple[BaseProposal, ...]:
        """The parts."""
        return self._parts

    @property
    def weights(self) -> NDArray[np.float64]:
        """The probability of each part."""
        return self._weights.copy()

    def _forget(self) -> None:
        self._weigh(self._first_weights)
        self._tallies = np.zeros((len(self._parts), 1 + self.ndim))
        self._barrier = _barrier_after(self._nsteps)
        self._last = 0
        self._refused, self._here = False, ()
        self._there = None

    def _weigh(self, weights: NDArray[np.float64]) -> None:
        self._weights, self._below = weights, list(accumulate(weights.tolist()))[:-1]

    def _arrange(self) -> None:
        mine = self.parameters
        self._picks: list[tuple[Picker, Picker]] = []
        for part in self._parts:
            there = picker([mine.index(name) for name in part.parameters])
            self._picks.append((there, picker([part.parameters.index(name) for name in mine])))
        turns = {name: turn for part in self._parts for name, turn in part.periods().items()}
        self._turns = [turns.get(name) for name in mine]

    def draw(self, x: Position) -> Position | None:
        """A jump of one part."""
        self._last = i = bisect_right(self._below, self.stream.uniform())
        there, back = self._picks[i]
        y = self._parts[i].draw(there(x))
        self._here, self._there, self._refused = x, None, False
        if y is not None:
            self._there = y = back(y)
            if self._keeps_bounds and self._refusal(y):
                self._refused, self._there = True, None
        return self._there

    def log_density(self, y: Position, x: Position) -> float:
        """Log q(y | x) of the part that was drawn last."""
        there = self._picks[self._last][0]
        return self._parts[self._last].log_density(there(y), there(x))

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x) of the part that was drawn last."""
        part, there = self._parts[self._last], self._picks[self._last][0]
        return part.log_hastings(there(x), there(y)) if part._adds_hastings() else 0.0

    def _log_jacobian(self, x: Position) -> float:
        return self._parts[self._last]._log_jacobian(self._picks[self._last][0](x))

    def _adds_hastings(self) -> bool:
        return any(part._adds_hastings() for part in self._parts)

    def _refusal(self, x: Position) -> str | None:
        for part, (there, _) in zip(self._parts, self._picks):
            if refusal := part._refusal(there(x)):
                return refusal
        return None

    def _learn_from(self, outcome: Outcome, chain: Any) -> None:
        self._nsteps += 1
        if self._nsteps <= self._learns_until:
            self._tally(outcome.acceptance_ratio)
            if self._nsteps == self._barrier:
                self._learn_weights()
        if not self._refused:
            self._parts[self._last]._learn_from(outcome, chain)

    def _tally(self, ratio: float) -> None:
        """Count the last jump, and its square as often as it is accepted."""
        tally = self._tallies[self._last]
        tally[0] += 1
        if self._there is not None and ratio > 0:
            steps = [y - x for x, y in zip(self._here, self._there)]
            turned = [s if t is None else remainder(s, t) for s, t in zip(steps, self._turns)]
            tally[1:] += [ratio * s * s for s in turned]

    def _learn_weights(self) -> None:
        self._barrier = _barrier_after(self._nsteps)
        jumps, squares = self._tallies[:, :1], self._tallies[:, 1:]
        if jumps.all():
            squared = squares / jumps
            worth = (squared / np.maximum(squared.mean(axis=0), _TINY)).min(axis=1)
            worth = np.square(np.maximum(worth, _TINY))
            weights = 0.5 * self._weights + 0.5 * worth / worth.sum()
            weights = _FLOOR / len(weights) + (1 - _FLOOR) * weights
            self._weigh(weights / weights.sum())
            self._tallies = np.zeros_like(self._tallies)

    def _virtual_moves(self, x: Position, y: Position) -> list[VirtualMove]:
        part, (there, back) = self._parts[self._last], self._picks[self._last]
        moves = part._virtual_moves(there(x), there(y))
        return [move._replace(x=back(move.x)) for move in moves]

    def _dtypes(self) -> dict[str, type]:
        return self._parts[0]._dtypes()

    def periods(self) -> dict[str, float]:
        """The period of each parameter that is an angle."""
        return {n: turn for n, turn in zip(self.parameters, self._turns) if turn is not None}

    def reset(self) -> None:
        """Let all parts forget what they learned, and forget the probabilities."""
        self._forget()
        for part in self._parts:
            part.reset()

    def _position(self, values: Mapping[str, Any]) -> Position:
        return self._picks[0][1](self._parts[0]._position(values))

    def _jump(self, fromx: Mapping[str, Any]) -> dict[str, Any]:
        y = self._own_draw(self._position(fromx))
        return {} if y is None else dict(zip(self.parameters, y, strict=True))

    def _draw_by_jump(self, x: Position) -> Position | None:  # type: ignore[override]
        to = self._jump(dict(zip(self.parameters, x, strict=True)))
        return self._drawn(to, "_jump") if to else None

    def _evolved(self) -> dict[str, Any]:
        return {
            **self._counted(),
            "weights": self._weights.copy(),
            "tallies": self._tallies.copy(),
            "parts": {str(i): state_of(part) for i, part in enumerate(self._parts)},
        }

    def _form(self) -> dict[str, Any]:
        forms = {str(i): part._form() for i, part in enumerate(self._parts)}
        return {**self._evolved(), "parts": forms}

    def _evolve(self, state: Mapping[str, Any]) -> None:
        self._count(state)
        parts = state["parts"]
        if len(parts) != len(self._parts):
            raise ValueError(f"the state is of {len(parts)} parts; these are {len(self._parts)}")
        self._weigh(state["weights"])
        self._tallies, self._barrier = state["tallies"], _barrier_after(self._nsteps)
        for i, part in enumerate(self._parts):
            set_state_of(part, parts[str(i)])

    def _copied(self, stream: Stream) -> Self:
        twin = copy.copy(self)
        twin.stream = stream
        twin._parts = tuple([part._copied(stream) for part in self._parts])
        # Not the originals, which would travel with it.
        twin._arguments = (twin._parts, self._arguments[1])
        twin._tallies = self._tallies.copy()
        return twin


def _barrier_after(nsteps: int) -> int:
    """The number of jumps at which probabilities are learned next."""
    barrier = _FIRST_BARRIER
    while barrier <= nsteps:
        barrier = following(barrier)
    return barrier
