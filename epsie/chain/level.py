"""A level: one temperature of a chain of any kind."""

from __future__ import annotations

from typing import Any, Protocol

from epsie.chain.history import History
from epsie.copying import copied
from epsie.model.evaluation import Model, Point, Position
from epsie.proposals.joint import JointProposal
from epsie.proposals.outcome import Outcome
from epsie.rng.stream import Stream


class Level(Protocol):
    """A chain at one temperature: `epsie.chain.Chain`, or what stands for one."""

    parameters: tuple[str, ...]
    chain_id: int
    beta: float
    _model: Model
    point: Point
    """The present point; set with the start."""
    stale: bool
    """Whether the point may be of another model."""
    start: Point | None
    """The start point, after a clear the one where it stood; None before a start is set."""
    proposed: Point | None
    outcome: Outcome
    """The outcome of its last step."""
    history: History
    proposal_dist: JointProposal
    stream: Stream
    iteration: int
    lastclear: int
    nan_count: int
    _unasked: int
    """By how many its evaluations are less than its points, the start and one for each step."""
    _learns_virtually: bool

    @property
    def dtypes(self) -> dict[str, type]:
        """The type of each parameter's values."""

    def where(self, proposed: Position | None = None) -> dict[str, Any]:
        """Its context for messages: chain, temperature, iteration, positions and proposals."""

    def _rejected(self, x: Position, error: Exception, of_chain: bool = True) -> Point:
        """Replace a missing answer of the model by a point to reject, or raise an error."""

    def examine_start(self, x: Position) -> tuple[Point | None, list[str]]:
        """The point at a start position, and why it cannot be used, if so."""


def evaluations_of(level: Level) -> int:
    """The number of likelihood evaluations at a temperature: see `evaluations` of a chain."""
    return 1 + level.iteration - level._unasked


def stats_of(point: Point) -> dict[str, float]:
    """The statistics of a point, as a person sees them."""
    return {"logl": point.logl, "logp": point.logp}


def blob_of(point: Point) -> dict[str, Any] | None:
    """A copy of its blob; None without."""
    return None if point.blob is None else copied(dict(point.blob))


def replace_start(level: Level, point: Point) -> None:
    """Let a level have started from another point."""
    if level.point is level.start:
        level.point = point
    level.start = point
