"""A scheme by which a proposal learns, and its attributes as the proposal's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import inf
from typing import Any, ClassVar

from epsie.checks import as_count, as_rate
from epsie.copying import SetsAttributes
from epsie.model.evaluation import Position
from epsie.proposals.outcome import Outcome


class Adaptation(SetsAttributes, ABC):
    """A scheme by which a proposal learns.

    Parameters
    ----------
    target_rate : float
        The acceptance rate to reach, in (0, 1).
    adaptation_duration : int or None
        For how many of the proposal's jumps to learn; None for ever, but ever less.
    start_step : int
        The jump, counted from 1, at which learning begins.
    """

    evolving: ClassVar[tuple[str, ...]] = ("start_step",)
    has_virtual: bool = False
    """Whether it wants to learn from virtual moves, too."""

    shows: ClassVar[tuple[str, ...]] = ("target_rate", "adaptation_duration", "start_step")
    """Its attributes that are read as the proposal's own: see `OfAdaptation`."""

    def __init__(
        self, target_rate: float, adaptation_duration: int | None = None, start_step: int = 1
    ) -> None:
        self.target_rate = as_rate(target_rate, "target_rate")
        self.start_step = as_count(start_step, "start_step")
        if adaptation_duration is not None:
            adaptation_duration = as_count(adaptation_duration, "adaptation_duration")
        self.adaptation_duration = adaptation_duration
        self._end = inf if adaptation_duration is None else adaptation_duration

    def start_from(self, proposal: Any, stds: Sequence[float]) -> None:
        """Know the spread of the starts over chains, 0 where there is none. A hook."""

    def begin(self, proposal: Any) -> None:
        """Note what the proposal starts from, for `reset`."""
        self._initial = {name: getattr(proposal, name) for name in proposal._learned}

    @property
    def aim(self) -> float:
        """The rate at which it lets whole jumps be accepted."""
        return self.target_rate

    @abstractmethod
    def update(self, proposal: Any, outcome: Outcome) -> None:
        """Learn from the outcome of a jump."""

    def virtual(self, proposal: Any, x: Position, y: Position) -> list[Position]:
        """Further positions whose acceptance ratios from `x` are to be learned from."""
        return []

    def reset(self, proposal: Any) -> None:
        """Start again from the true initial widths."""
        for name, value in self._initial.items():
            setattr(proposal, name, value)
        self.start_step = proposal._nsteps


class OfAdaptation:
    """An attribute of a proposal's adaptation, read as the proposal's own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, proposal: Any, owner: type) -> Any:
        adaptation = getattr(proposal, "adaptation", None)
        if adaptation is None:
            raise AttributeError(f"{owner.__name__!r} object has no attribute {self.name!r}")
        return getattr(adaptation, self.name)


def end_of_learning(proposal: Any) -> int:
    """The iteration of the chain at which a proposal ends to learn; 0 without a duration."""
    scheme = proposal.adaptation
    if scheme is None:
        return int(getattr(proposal, "_learns_until", 0))
    if scheme.adaptation_duration is None:
        return 0
    jumps: int = scheme.start_step + scheme.adaptation_duration - 1
    interval: int = proposal.jump_interval
    return jumps * interval
