"""Conditions that end a run before all its iterations are made: enough draws, evaluations, time."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Protocol

from epsie.chain.base import Segment
from epsie.chain.state import evaluations_in
from epsie.checks import as_count, seconds_in
from epsie.running.sampler import Sampler
from epsie.running.stopping import Until, as_until, stopper_of

FOREVER = sys.maxsize // 2
"""The number of iterations of a run that something else ends."""


class End(Protocol):
    """A condition that may end a run. Which draws there are up to then does not depend on it."""

    name: str
    """By what the run is ended."""

    @property
    def met(self) -> bool:
        """Whether to end at the present iteration."""

    @property
    def room(self) -> float:
        """The number of iterations until it wants to be asked again."""

    def saw(self, segments: Sequence[Segment]) -> None:
        """Take in a segment of each chain."""

    def lack(self) -> str:
        """The reason why it has not ended the run, or has, in words; '' for none."""


class Budget:
    """Ends a run at the first iteration after which the next might exceed the evaluations.

    Parameters
    ----------
    most : int
        The number of evaluations since the start, of all chains and temperatures.
    sampler : BaseSampler
        The sampler, which has a start.
    """

    name = "max_evaluations"

    def __init__(self, most: int, sampler: Sampler) -> None:
        self._most = most
        self._sampler, self._stepped = sampler, 0
        self._is_full = False

    @property
    def _in_one(self) -> int:
        """What an iteration may take, by chains that an annealed start may have made anew."""
        return sum(chain.most_evaluations for chain in self._sampler.chains)

    @property
    def _made(self) -> int:
        if not self._stepped:
            return int(self._sampler.evaluations)
        annealed = self._sampler.annealed
        return self._stepped + (0 if annealed is None else int(annealed.evaluations))

    def allows(self, evaluations: int) -> bool:
        """Whether there may be so many evaluations before the first step."""
        self._is_full = evaluations > self._most
        return not self._is_full

    @property
    def room(self) -> int:
        """The number of iterations that fit for sure."""
        return max(0, self._most - self._made) // self._in_one

    @property
    def met(self) -> bool:
        """Whether none fits for sure."""
        return self._is_full or self.room < 1

    def saw(self, segments: Sequence[Segment]) -> None:
        """Count."""
        self._stepped = sum(evaluations_in(segment.state) for segment in segments)

    def lack(self) -> str:
        """The number of evaluations made, and of those that an iteration may take, in words."""
        if self._is_full:
            assert self._sampler.annealed is not None
            return (
                f"{self._made} of {self._most} evaluations are made, and the annealed start is at "
                f"beta = {self._sampler.annealed.beta:.3g} and not done: a run with a larger "
                "max_evaluations goes on with it"
            )
        return (
            f"{self._made} of {self._most} evaluations are made, and an iteration may take "
            f"{self._in_one}"
        )


class Deadline:
    """Ends a run at the first round that ends after so many seconds.

    Parameters
    ----------
    seconds : float
        Counted from when it is made.
    """

    name = "max_time"
    room = inf

    def __init__(self, seconds: float) -> None:
        self._seconds, self._started = seconds, time.monotonic()

    @property
    def met(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() - self._started >= self._seconds

    def saw(self, segments: Sequence[Segment]) -> None:
        """Take no notice."""

    def lack(self) -> str:
        """That the time is over."""
        return f"the {self._seconds:g} s are over"


def as_seconds(given: Any) -> float:
    """A duration in seconds.

    Raises
    ------
    ValueError
        If it is none.
    """
    seconds = seconds_in(given) if isinstance(given, str) else given
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < inf:
        raise ValueError(
            "max_time must be a positive number of seconds, or a time as '90s', '20min', '3h50m' "
            f"or '2d'; got {given!r}"
        )
    return float(seconds)


class Ends:
    """All that may end a run.

    Parameters
    ----------
    ends : sequence of End
        What may, in the order in which they are named if several do.
    """

    def __init__(self, ends: Sequence[End] = ()) -> None:
        self.each = ends
        self.in_rounds = any(isinstance(end, Deadline) for end in ends)
        """Whether the run is to be cut into rounds of about a second."""

    @property
    def room(self) -> float:
        """The number of iterations that may be made at once."""
        return min((end.room for end in self.each), default=inf)

    def allow(self, evaluations: int) -> bool:
        """Whether a start may go on to so many evaluations."""
        for end in self.each:
            if isinstance(end, Budget) and not end.allows(evaluations):
                return False
            if isinstance(end, Deadline) and end.met:
                return False
        return True

    @property
    def met(self) -> str:
        """By what the run ends at the present iteration; '' if it goes on."""
        return next((end.name for end in self.each if end.met), "")

    def saw(self, segments: Sequence[Segment]) -> None:
        """Take in a segment of each chain."""
        for end in self.each:
            end.saw(segments)


class Limits:
    """The limits that a person sets to a run. The time begins when it is made.

    Parameters
    ----------
    until : mapping, optional
        See `epsie.running.stopping.Until`.
    max_evaluations : int, optional
        See `Budget`.
    max_time : str or float, optional
        See `Deadline`.

    Raises
    ------
    ValueError, TypeError
        If one is none.
    """

    def __init__(
        self,
        until: Mapping[str, Any] | Until | None = None,
        max_evaluations: int | None = None,
        max_time: str | float | None = None,
    ) -> None:
        self.until = None if until is None else as_until(until)
        self.most = (
            None if max_evaluations is None else as_count(max_evaluations, "max_evaluations")
        )
        self._deadline = None if max_time is None else Deadline(as_seconds(max_time))

    def ends(self, sampler: Sampler) -> Ends:
        """They, for a sampler where it stands."""
        ends: list[End] = [] if self.until is None else [stopper_of(sampler, self.until)]
        if self.most is not None:
            ends.append(Budget(self.most, sampler))
        return Ends(ends if self._deadline is None else [*ends, self._deadline])
