"""What a chain says of where it started, where it stands, and what it visited."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from math import nan
from typing import Any, Self

from epsie.chain.base import BaseChain
from epsie.chain.chaindata import array2dict
from epsie.chain.history import History, Table
from epsie.chain.start import NO_START, as_position, refused_start
from epsie.checks import as_count
from epsie.model.blob import first_blob
from epsie.model.evaluation import Model, Point, Position
from epsie.proposals.joint import JointProposal
from epsie.proposals.outcome import Outcome


class RecordedChain(BaseChain):
    """A chain at one temperature that keeps a record. How it moves is left to `Chain`."""

    point: Point
    """Where it stands; set with the start."""

    stale: bool = False
    """Whether the point may be of another model: then it is evaluated anew before the next step."""

    _model: Model
    beta: float
    start: Point | None
    proposed: Point | None
    history: History
    proposal_dist: JointProposal
    outcome: Outcome
    """What became of its last step."""

    @property
    def by_temperature(self) -> list[Self]:
        """Itself: it has one temperature."""
        return [self]

    @property
    def model(self) -> Model:
        """The model. After it is set, the model is asked anew about where the chain stands."""
        return self._model

    @model.setter
    def model(self, model: Model) -> None:
        self._model = model
        self.stale = self.start is not None

    # ---- start

    def begin(self, points: Sequence[Point]) -> None:
        """Start from a point, the only one. Drops the history."""
        (self.point,) = points
        self.stale = False
        self.proposed = None
        self.iteration = 0
        self.restart()

    def restart(self) -> None:
        """Drop the history, and start from where it stands."""
        self.history.clear()
        self.notes = []
        self.start = self.point
        self.lastclear = self.iteration

    @abstractmethod
    def present_point(self) -> Point:
        """What the model says of where it stands."""

    def stand(self, point: Point) -> None:
        """Stand where it stands, with what the present model says of it."""
        if self.start is self.point:
            self.start = point
        self.point = point
        self.stale = False

    @abstractmethod
    def examine_start(self, x: Position) -> tuple[Point | None, list[str]]:
        """The point at a start position, and why it cannot be used, if so."""

    def examine_starts(self, xs: Sequence[Position]) -> tuple[list[Point | None], list[str]]:
        """The point at the only start position, and why it cannot be used, if so."""
        (x,) = xs
        point, problems = self.examine_start(x)
        return [point], problems

    @property
    def start_position(self) -> dict[str, float]:
        """Where it started, after a clear: where it stood. Setting it evaluates the model.

        Raises
        ------
        ValueError
            If it is not set; if parameters are missing or unknown; if the new one lies outside of
            the prior or has no likelihood.
        """
        return self._named(self._started().x)

    @start_position.setter
    def start_position(self, values: Mapping[str, Any]) -> None:
        point, problems = self.examine_start(as_position(values, self.dtypes))
        if problems or point is None:
            raise ValueError(f"the chain cannot start: {problems[0]}")
        self.begin([point])

    @property
    def stats0(self) -> dict[str, float]:
        """`logl` and `logp` of the start. Settable.

        Raises
        ------
        ValueError
            If no start is set, or logp is to be -inf.
        """
        start = self._started()
        return {"logl": start.logl, "logp": start.logp}

    @stats0.setter
    def stats0(self, stats: Mapping[str, float]) -> None:
        start = self._started()
        point = Point(start.x, float(stats["logl"]), float(stats["logp"]), start.blob)
        refusal = refused_start(point, self.beta)
        if refusal:
            raise ValueError(f"the start position {self.start_position} {refusal}")
        self._restart(point)

    @property
    def blob0(self) -> dict[str, Any] | None:
        """The blob of the start; None without blobs. Settable."""
        blob = self._started().blob
        return None if blob is None else dict(blob)

    @blob0.setter
    def blob0(self, blob: Mapping[str, Any] | None) -> None:
        start = self._started()
        self._restart(Point(start.x, start.logl, start.logp, first_blob(blob)))

    def _started(self) -> Point:
        if self.start is None:
            raise ValueError(NO_START)
        return self.start

    def _restart(self, point: Point) -> None:
        if self.point is self.start:
            self.point = point
        self.start = point

    def clear(self) -> Self:
        """Drop the history. The present position becomes the start."""
        self.history.clear()
        self.lastclear = self.iteration
        if self.start is not None:
            self.start = self.point
        return self

    # ---- what it visited

    @property
    def dtypes(self) -> dict[str, type]:
        """The type of each parameter's values."""
        kinds = self.proposal_dist._dtypes()
        return {name: kinds[name] for name in self.parameters}

    @property
    def hasblobs(self) -> bool:
        """Whether the model returns blobs."""
        return self.start is not None and self.start.blob is not None

    @property
    def scratchlen(self) -> int:
        """How many rows are allocated. Setting it extends at once, and shrinks at a `clear`."""
        return self.history.scratchlen

    @scratchlen.setter
    def scratchlen(self, n: int) -> None:
        self.history.scratchlen = as_count(n, "scratchlen", least=0)
        self.history.reserve(max(0, n - len(self.history)))

    @property
    def positions(self) -> Table:
        """Positions since the last clear: fields are the parameters, shape (niterations,)."""
        return self.history.positions

    @property
    def stats(self) -> Table:
        """Fields `logl` and `logp`, shape (niterations,)."""
        return self.history.stats

    @property
    def acceptance(self) -> Table:
        """Fields `acceptance_ratio` and `accepted`, shape (niterations,)."""
        return self.history.acceptance

    @property
    def blobs(self) -> Table | None:
        """Fields are the blobs' keys, shape (niterations,). None without blobs."""
        return self.history.blobs if self.hasblobs else None

    def __getitem__(self, index: Any) -> dict[str, Any]:
        found = {
            "positions": array2dict(self.positions[index]),
            "stats": array2dict(self.stats[index]),
            "acceptance": array2dict(self.acceptance[index]),
        }
        if self.hasblobs:
            blobs = self.history.blobs
            assert blobs is not None
            found["blobs"] = array2dict(blobs[index])
        return found

    @property
    def accepted(self) -> bool:
        """Whether the position proposed last was accepted."""
        return self.outcome.accepted

    @property
    def acceptance_ratio(self) -> float:
        """The probability with which it was to be accepted; NaN if all proposals rested."""
        return self.outcome.acceptance_ratio

    @property
    def current_position(self) -> dict[str, float]:
        """Where it stands."""
        self._started()
        return self._named(self.point.x)

    @property
    def current_stats(self) -> dict[str, float]:
        """`logl` and `logp` where it stands."""
        self._started()
        return {"logl": self.point.logl, "logp": self.point.logp}

    @property
    def current_blob(self) -> dict[str, Any] | None:
        """The blob where it stands; None without blobs."""
        self._started()
        return None if self.point.blob is None else dict(self.point.blob)

    @property
    def proposed_position(self) -> dict[str, float]:
        """The position proposed last; where it stands if all proposals rested. Settable.

        Raises
        ------
        ValueError
            Before the first step.
        """
        if self.proposed is not None:
            return self._named(self.proposed.x)
        if self.start is None or not self.iteration:
            raise ValueError("nothing was proposed yet: make a step first")
        return self._named(self.point.x)

    @proposed_position.setter
    def proposed_position(self, values: Mapping[str, Any]) -> None:
        self.proposed = Point(as_position(values, self.dtypes), nan, nan, None)

    def _named(self, x: Position) -> dict[str, float]:
        return dict(zip(self.parameters, x, strict=True))
