"""A proposal that learns the target from where its chain was, and needs no tuning."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from math import inf, isfinite, nan, sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from epsie.checks import as_count
from epsie.copying import same
from epsie.model.evaluation import Position
from epsie.process.threads import capped
from epsie.proposals.base import BaseProposal
from epsie.proposals.boundaries import out_of_bounds
from epsie.proposals.covariance import as_stds
from epsie.proposals.learned.arguments import as_bounds, as_periods, first_coordinates
from epsie.proposals.learned.barriers import first_barrier, following
from epsie.proposals.learned.kernel import Kernel
from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.learning import Lesson, learn
from epsie.proposals.learned.plain import counted, entry, fitting, rows_of
from epsie.proposals.learned.record import Record
from epsie.proposals.learned.transform import Transform
from epsie.proposals.learned.tuning import Tuning
from epsie.proposals.outcome import Outcome
from epsie.rng.stream import Stream

_WALK_FLOOR = 0.15
"""The least probability of the random walk where learning ends, for what was not met before."""

_TALLIED, _TALLIED_EVERY = 1000, 8
"""All jumps up to this iteration are counted, later every so many-th."""

_PRUNED_EVERY = 2048
"""Iterations after which of the evaluated points the best ones are kept: a record is bounded."""


class Learned(BaseProposal):
    """A proposal that learns the target, and draws from what it learned.

    At barriers, iterations that follow each other ever more rarely, a mixture of t distributions
    is fitted to where the chain was; until the next it is frozen, and each step is one of six
    moves: an independent draw from the mixture, a preconditioned Crank-Nicolson jump or a random
    walk within a component of it, a multiple of the difference of two former positions, a jump
    along the line to one, and a robust adaptive random walk. How often each is made is learned,
    too. Between barriers each move is a Metropolis-Hastings step by itself; only sizes of jumps
    are tuned meanwhile.

    Each chain, and in a tempered one each temperature, learns from its own record. As it learns
    ever more rarely its samples converge (Chimisov, Latuszynski & Roberts 2018, arXiv:1801.09299).

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters, real numbers.
    boundaries : dict, optional
        A pair of bounds for each parameter that has some; either may be infinite. No jump leaves
        them, and coordinates are learned in which what they cut off looks normal.
    periods : dict, optional
        The period of each parameter that is an angle. It is kept within its boundaries, which then
        must be one period apart, by default from 0 on.
    adaptation_duration : int, optional
        The iteration from which on nothing is learned; by default learning goes on, ever more
        rarely.
    std : float or array_like, optional
        The scale of each parameter, for the first jumps: one for all, or one for each. By default a
        tenth of the width where there are two bounds, else 1.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`. Barriers count all iterations.

    Raises
    ------
    ValueError
        If bounds or periods are for other parameters, or are none.
    """

    name = "learned"
    symmetric = False
    adaptation_duration: int | None = None

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]] | None = None,
        periods: Mapping[str, float] | None = None,
        adaptation_duration: int | None = None,
        std: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        self.parameters = parameters
        self._periods = as_periods(periods, self.parameters)
        self._bounds = as_bounds(boundaries, self.parameters, self._periods)
        if adaptation_duration is not None:
            adaptation_duration = as_count(adaptation_duration, "adaptation_duration")
        self.adaptation_duration = adaptation_duration
        self._end = inf if adaptation_duration is None else adaptation_duration
        self._learns_until = adaptation_duration or 0
        self._first = self._first_transform(std)
        self._factor = np.eye(self.ndim) * (2.38 / sqrt(self.ndim))
        self._kernel = Kernel(self._first, Tuning(self._factor))
        self._record = Record(self.ndim)
        self._iteration = 0
        self._barrier = first_barrier(self.ndim)
        self.set_jump_interval(jump_interval, jump_interval_duration)

    def _first_transform(self, std: ArrayLike | None) -> Transform:
        coordinates = first_coordinates(self._bounds, self._periods)
        if std is not None:
            scale = as_stds(std, self.ndim, "std")
            if not (scale > 0).all():
                raise ValueError(f"std must be positive; got {std!r}")
        else:
            widths = [upper - lower for lower, upper in self._bounds]
            scale = np.array([0.1 * w if isfinite(w) else 1.0 for w in widths])
        return Transform(coordinates, np.zeros(self.ndim), scale)

    @property
    def learned(self) -> Knowledge | None:
        """The knowledge that was learned at the last barrier; None before the first."""
        return self._kernel.knowledge

    def draw(self, x: Position) -> Position | None:
        """A jump from `x`; None if it would leave the bounds, and is rejected."""
        return self._kernel.draw(x, self.stream)

    def log_density(self, y: Position, x: Position) -> float:
        """Log q(y | x) of the move that was drawn last; of some moves it has no closed form."""
        return self._kernel.log_density(y, x)

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x) of the move that was drawn last."""
        return self._kernel.log_hastings(x, y)

    def _learn_from(self, outcome: Outcome, chain: Any) -> None:
        self._nsteps += 1
        if self._iteration < self._end:
            kernel, ratio = self._kernel, outcome.acceptance_ratio
            kernel.tune(ratio)
            # In a long run some of the jumps are enough.
            if self._iteration < _TALLIED or not self._iteration % _TALLIED_EVERY:
                kernel.tally(ratio)
            self._note(outcome, True)

    def _tick(self, outcome: Outcome, chain: Any) -> None:
        rested = self._rests()
        self._iterations_at_interval += 1
        if not rested:
            self._learn_from(outcome, chain)
        elif self._iteration < self._end:
            self._note(outcome, False)

    def _note(self, outcome: Outcome, jumped: bool) -> None:
        """Record where the chain is; learn if it is time to."""
        self._iteration = iteration = self._iteration + 1
        if self._barrier > self._end:
            return
        record, point, proposed = self._record, outcome.point, outcome.proposed
        if iteration % record.stride == 0:
            record.visit(iteration, point, self._pick(point.x))
        knowledge = self._kernel.knowledge
        if proposed is not None and jumped and not (knowledge and knowledge.settled):
            record.evaluate(iteration, proposed, self._pick(proposed.x))
            if not iteration % _PRUNED_EVERY:
                record.prune(outcome.beta)
        if iteration == self._barrier:
            self._pass_barrier(outcome)

    def _pass_barrier(self, outcome: Outcome) -> None:
        """Learn from the record, which is then thinned."""
        beta, record = outcome.beta, self._record
        lesson = self._lesson(beta, len(outcome.point.x) == self.ndim)
        # Also where a chain is run alone: the last bits of a fit depend on the number of threads.
        with capped():
            knowledge = learn(lesson, self.learned, self._first)
        if knowledge is not None:
            self._use(knowledge)
        self._barrier = following(self._barrier)
        if self._barrier <= self._end:
            record.pass_barrier(self._barrier, beta)
        else:
            record.forget()

    def _lesson(self, beta: float, alone: bool) -> Lesson:
        """The data that there are to learn from; `alone` if there are no other parameters."""
        record = self._record
        return Lesson(
            iteration=self._barrier,
            histories=[record.history(beta, alone)],
            tallies=self._kernel.tallies,
            evaluated=record.evaluated(beta) if alone else None,
            bounds=self._bounds,
            periods=self._periods,
            walk_floor=0.0 if self._end == inf else _WALK_FLOOR,
        )

    def _use(self, knowledge: Knowledge) -> None:
        """Draw by what was learned from now on."""
        kernel, tuning = self._kernel, self._kernel.tuning
        if knowledge.restart:
            tuning.factor = knowledge.walk
        else:
            by = kernel.transform.scale / knowledge.transform.scale
            tuning.factor = by[:, np.newaxis] * tuning.factor
        tuning.begin_interval()
        if knowledge.settled:
            self._record.forget_evaluated()
        kernel.take(knowledge)

    def reset(self) -> None:
        """Forget the sizes of jumps, but not what was learned of the target."""
        known = self.learned
        self._kernel.tuning = Tuning(self._factor if known is None else known.walk)
        self._kernel.tallies = np.zeros_like(self._kernel.tallies)

    def jump_stds(self) -> Iterable[float]:
        """The standard deviation of the random walk, for each parameter near its present scale."""
        kernel = self._kernel
        stds = np.sqrt(np.square(kernel.tuning.factor).sum(axis=1)) * kernel.transform.scale
        plain = [c.kind in ("identity", "angle") for c in kernel.transform.coordinates]
        return [std if is_plain else nan for std, is_plain in zip(stds.tolist(), plain)]

    def _jump(self, fromx: Mapping[str, Any]) -> dict[str, Any]:
        y = self._own_draw(self._position(fromx))
        return {} if y is None else dict(zip(self.parameters, y, strict=True))

    def _draw_by_jump(self, x: Position) -> Position | None:  # type: ignore[override]
        to = self._jump(dict(zip(self.parameters, x, strict=True)))
        return self._drawn(to, "_jump") if to else None

    def periods(self) -> dict[str, float]:
        """The period of each parameter that is an angle."""
        named = zip(self.parameters, self._periods, strict=True)
        return {name: period for name, period in named if period is not None}

    def _refusal(self, x: Position) -> str | None:
        # An angle goes round.
        bounds = [(-inf, inf) if p else b for b, p in zip(self._bounds, self._periods)]
        found = out_of_bounds(self.parameters, x, bounds)
        return f"{found}; start within `boundaries`" if found else None

    def _evolved(self) -> dict[str, Any]:
        kernel = self._kernel
        knowledge = kernel.knowledge
        return {
            **self._counted(),
            "iteration": self._iteration,
            "barrier": self._barrier,
            "tuning": kernel.tuning.plain(),
            "tallies": kernel.tallies.copy(),
            "record": self._record.plain(),
            "learned": None if knowledge is None else knowledge.plain(),
            "ahead": None if knowledge is None else counted(kernel.ahead.array()),
        }

    def _form(self) -> dict[str, Any]:
        return {**self._evolved(), "record": None, "learned": None, "ahead": None}

    def _evolve(self, state: Mapping[str, Any]) -> None:
        self._count(state)
        self._iteration, self._barrier = state["iteration"], state["barrier"]
        tuning = Tuning.from_plain(state["tuning"], self.ndim)
        plain, known = state["learned"], self.learned
        if known is not None and same(known.plain(), plain):
            # The usual case after each run of a sampler, where making it anew would take longest.
            kernel = self._kernel.copied()
            kernel.tuning = tuning
        else:
            kernel = Kernel(self._first, tuning)
            if plain is not None:
                kernel.take(Knowledge.from_plain(entry(state, "learned", dict), self.ndim))
        if plain is not None:
            kernel.ahead.restore(rows_of(state, "ahead", self.ndim, finite=False))
        kernel.tallies = fitting(state, "tallies", kernel.tallies.shape)
        self._kernel = kernel
        self._record = Record.from_plain(entry(state, "record", dict), self.ndim)

    def _copied(self, stream: Stream) -> Self:
        # What is frozen is shared, and not made anew.
        twin = copy.copy(self)
        twin.stream = stream
        twin._kernel, twin._record = self._kernel.copied(), self._record.copied()
        return twin
