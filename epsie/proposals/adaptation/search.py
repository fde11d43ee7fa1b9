"""The search for the size of jumps: while it may be off by decades it is moved by factors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, inf, log
from typing import Any, ClassVar

from epsie.proposals.adaptation.base import Adaptation

LEAST, LARGEST = 1e-100, 1e50
"""Of a width, in units of what it started from: on a flat target it would grow for ever."""

_MANY_INTEGERS = 1024.0
"""Integers have a unit of their own, and squares of large ones do not fit into 64 bits."""

_CHANCE = 1e-4
"""The probability that jumps of the right size are accepted, or rejected, in so long a streak."""

LOG_STEP = 0.5
"""By how much the logarithm of a width changes with each further jump of such a streak."""


class ScaleSearch(Adaptation):
    """A scheme that first searches for the size of jumps.

    The gains of stochastic approximation fall as it goes on, and need a power of the number of
    steps to move a scale by decades. So a scale is moved by a factor with each further jump of a
    streak of rejections, or of acceptances, that the right size would show once in ten thousand
    jumps, until some jumps were accepted *and* some rejected since it was moved: one that is off by
    10^20 comes home in some 130 jumps, and one that is right is left alone. What the streak is of
    is for a scheme to say: a jump, or a part of it.

    A scale that nobody gave is that of the spread of the starts over chains, if there is one.
    """

    tried: list[tuple[int, int, int]]
    """For each scale its streak, negative if of rejections, and since it was moved the numbers of
    jumps that were accepted and rejected."""

    nsought: int = 0
    """The number of scales that are not found yet."""

    units: tuple[float, ...]
    """The standard deviation of each parameter that it starts from."""

    default_units: tuple[float, ...]
    """The same, where nothing is known of it."""

    units_given: bool = False
    """Whether a person gave what it starts from."""

    SEARCH: ClassVar[tuple[str, ...]] = ("tried", "nsought", "units")
    """The names of its attributes that evolve."""

    def seek(self, nscales: int, enough: int) -> None:
        """Begin the search for so many scales, which ends after `enough` jumps of either kind."""
        self.tried = [(0, 0, 0)] * nscales
        self.nsought, self._enough = (nscales if enough else 0), enough
        self._most_taken = ceil(log(_CHANCE) / log(self.target_rate))
        self._most_refused = ceil(log(_CHANCE) / log(1 - self.target_rate))

    def move(self, i: int, accepted: bool) -> float:
        """By how much to change the logarithm of the i-th width after a jump; 0 if found."""
        streak, taken, refused = self.tried[i]
        enough = self._enough
        if taken >= enough and refused >= enough:
            return 0.0
        if accepted:
            streak, taken = (streak + 1 if streak > 0 else 1), taken + 1
        else:
            streak, refused = (streak - 1 if streak < 0 else -1), refused + 1
        by = 0.0
        if streak > self._most_taken:
            by = LOG_STEP
        elif streak < -self._most_refused:
            by = -LOG_STEP
        if by:
            taken = refused = 0
        elif taken >= enough and refused >= enough:
            self.nsought -= 1
        self.tried[i] = (streak, taken, refused)
        return by

    def know_reach(self, proposal: Any) -> None:
        """Know how far the parameters of a proposal of widths reach."""
        extents = proposal._extents()
        if extents is None:
            extents = [_MANY_INTEGERS if proposal.discrete else inf] * proposal.ndim
        self._extents = tuple(extents)

    def allowed(self, steps: list[float], widths: Iterable[float]) -> list[float]:
        """The factors by which to move widths: 1 where it would lead too far, as on a flat target.

        Too far is beyond the distance of bounds, a turn, a thousand integers, or `LARGEST` times
        what it started from.
        """
        limits = zip(steps, widths, self.units, self._extents, strict=True)
        return [
            step if LEAST * unit < step * width < min(LARGEST * unit, extent) else 1.0
            for step, width, unit, extent in limits
        ]

    def start_from(self, proposal: Any, stds: Sequence[float]) -> None:
        """Take the spread of the starts for the scale of each parameter, where there is one."""
        if not self.units_given:
            self.units = tuple([s or d for s, d in zip(stds, self.default_units, strict=True)])
            self.restart(proposal)

    def restart(self, proposal: Any) -> None:
        """Go back to where it starts from."""
        raise NotImplementedError

    def reset(self, proposal: Any) -> None:
        """Start again from the true initial widths."""
        self.restart(proposal)
        self.start_step = proposal._nsteps
