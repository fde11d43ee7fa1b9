"""A stretch of all chains: what cuts it into rounds, what learns from it, and what it gives."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple, Protocol

from epsie.chain.base import Segment
from epsie.pools.transport import ModelCarrier


class Rounds(Protocol):
    """Cuts a run into rounds, and is told what each brought."""

    def rounds(self, niterations: int, nchains: int) -> Generator[int]:
        """The lengths of the rounds."""

    def saw(self, segments: Sequence[Segment]) -> None:
        """Take in what a round brought, or a part of it: a segment of each chain."""


class Learner(Protocol):
    """Learns from all chains together. It never changes."""

    @property
    def room(self) -> int:
        """The number of iterations until it learns next."""

    @property
    def carrier(self) -> ModelCarrier | None:
        """What it has taught, on its way to the workers; None if nothing yet."""

    def after(self, segments: Sequence[Segment]) -> Learner:
        """Itself after a stretch: a segment of each chain."""


class Advance(NamedTuple):
    """Many steps of all chains.

    Parameters
    ----------
    segments : list of list of Segment
        For every chain what each stretch brought.
    learner : Learner or None
        What has learned from them.
    """

    segments: list[list[Segment]]
    learner: Any
