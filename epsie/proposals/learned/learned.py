"""A proposal that learns the target from where its chain was, and needs no tuning."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from math import nan, sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from epsie.copying import same
from epsie.model.evaluation import Position
from epsie.model.part import Relative
from epsie.proposals.base import BaseProposal
from epsie.proposals.boundaries import out_of_bounds
from epsie.proposals.learned.arguments import as_scale, as_subject, first_coordinates
from epsie.proposals.learned.barriers import counts_at
from epsie.proposals.learned.contribution import Contributed, Contribution
from epsie.proposals.learned.kernel import Kernel
from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.own_learning import OwnLearning
from epsie.proposals.learned.plain import entry, fitting, malformed
from epsie.proposals.learned.transform import Transform
from epsie.proposals.learned.tuning import Tuning
from epsie.proposals.learned.untaught import Untaught
from epsie.proposals.outcome import Outcome
from epsie.rng.stream import Stream

_OF_SPREAD = 0.3
"""The first scale, of the spread of the starts, which are dispersed as a rule."""


class Learned(BaseProposal):
    """A proposal that learns the target, and draws from what it learned.

    At barriers, iterations that follow each other ever more rarely, a mixture of t distributions
    is fitted to where the chain was; until the next it is frozen, and each step is one of six
    moves: an independent draw from the mixture, a preconditioned Crank-Nicolson jump or a random
    walk within a component of it, a multiple of the difference of two former positions, a jump
    along the line to one, and a robust adaptive random walk. How often each is made is learned,
    too. Between barriers each move is a Metropolis-Hastings step by itself; only sizes of jumps
    are tuned meanwhile.

    The chains of a sampler learn together, from where all of them were, each temperature for
    itself; between barriers they are as independent as ever. A chain used alone learns from its own
    record, and so does each chain if `pooled` is False. As they learn ever more rarely their
    samples converge (Chimisov, Latuszynski & Roberts 2018, arXiv:1801.09299).

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
        The scale of each parameter, for the first jumps: one for all, or one for each. By default
        the spread of the starts of all chains; of one chain a tenth of the width where there are
        two bounds, else 1.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`. Barriers count all iterations.
    pooled : bool, optional
        Whether the chains of a sampler learn together.
    relative : dict, optional
        A location and a scale, each another parameter or a number, for parameters that are spread
        about the one by the other, as members of a group: ``{"theta": ("mu", "tau")}``. They are
        learned as (theta - mu) / tau where that looks more normal.

    Raises
    ------
    ValueError
        If bounds or periods are for other parameters, or are none.
    """

    first: Transform
    """The coordinates before anything is learned."""

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
        pooled: bool = True,
        relative: Mapping[str, Relative] | None = None,
    ) -> None:
        self.parameters = parameters
        given = (boundaries, periods, adaptation_duration, relative)
        self.subject = as_subject(self.parameters, *given)
        self.adaptation_duration = self.subject.duration
        self._end, self._learns_until = self.subject.end, self.subject.duration or 0
        self.pooled, self._scale_given = pooled, std is not None
        self._scaled(as_scale(std, self.subject.bounds))
        self._iteration = self._lesson = 0
        self._own: OwnLearning | None = OwnLearning(self.subject)
        self._joined: Contribution | None = None
        self._factor = np.eye(self.ndim) * (2.38 / sqrt(self.ndim))
        self._kernel = Kernel(self.first, Tuning(self._factor))
        self.set_jump_interval(jump_interval, jump_interval_duration)

    def _scaled(self, scale: Array) -> None:
        """Take the scale of each parameter, for the first jumps."""
        self._scale = scale
        coordinates = first_coordinates(self.subject.bounds, self.subject.periods)
        self.first = Transform(coordinates, np.zeros(self.ndim), scale)

    def _start_from(self, stds: Sequence[float]) -> None:
        """Take the spread of the starts for its first scale, where there is any."""
        if not self._scale_given and not self._iteration:
            spread = _OF_SPREAD * np.array(stds, dtype=float)
            self._scaled(np.where(spread > 0, spread, self._scale))
            self._kernel = Kernel(self.first, Tuning(self._factor))

    def _join(self, nchains: int) -> None:
        """Learn together with the same proposal of other chains from now on."""
        self._own, self._joined = None, Contribution(self.ndim, nchains)

    @property
    def _contribution(self) -> Contributed | None:
        """What it contributes in this stretch to what chains learn together."""
        return None if self._joined is None else self._joined.array()

    def _teach(self, lesson: int, knowledge: Knowledge) -> None:
        """Use what the chains learned together in the lesson of this number.

        Its state tells the number alone: after a resume and in a worker it is to be taught, too.
        """
        kernel = self._kernel
        if lesson != self._lesson:
            self._kernel, self._lesson = kernel.changed(knowledge), lesson
        elif kernel.knowledge is not knowledge:
            self._kernel = Untaught(self.first, kernel.plain()).taught(knowledge)

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
            counts = counts_at(self._iteration)
            if counts or not kernel.is_settled:
                kernel.tune(ratio)
            if counts:
                kernel.tally(ratio)
        self._note(outcome, True)

    def _tick(self, outcome: Outcome, chain: Any) -> None:
        if self._rests():
            self._note(outcome, False)
        else:
            self._learn_from(outcome, chain)
        self._iterations_at_interval += 1

    def _note(self, outcome: Outcome, jumped: bool) -> None:
        """Count an iteration, and learn if it is time to."""
        self._iteration = iteration = self._iteration + 1
        own, joined, kernel = self._own, self._joined, self._kernel
        if own is not None:
            if found := own.note(iteration, outcome, jumped, self._pick, kernel, self.first):
                self._kernel = kernel.changed(found)
        elif joined is not None and jumped:
            searches = not kernel.is_settled and iteration <= self._end
            if searches and outcome.proposed is not None:
                joined.evaluate(outcome, self._pick(outcome.proposed.x))
            if kernel.place == 0 and outcome.beta == 1 and len(outcome.point.x) == joined.ndim:
                joined.note_fresh(iteration, outcome, kernel)

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
        named = zip(self.parameters, self.subject.periods, strict=True)
        return {name: period for name, period in named if period is not None}

    def _refusal(self, x: Position) -> str | None:
        found = out_of_bounds(self.parameters, x, self.subject.limits)
        return f"{found}; start within `boundaries`" if found else None

    def _evolved(self) -> dict[str, Any]:
        state = {
            **self._counted(),
            "iteration": self._iteration,
            "scale": self._scale.copy(),
            **self._kernel.plain(),
        }
        if self._own is None:
            return {**state, "lesson": self._lesson}
        known = self.learned
        return {**state, **self._own.plain(), "learned": None if known is None else known.plain()}

    def _form(self) -> dict[str, Any]:
        form = {**self._evolved(), "ahead": None}
        return form if self._own is None else {**form, "record": None, "learned": None}

    def _evolve(self, state: Mapping[str, Any]) -> None:
        if ("lesson" in state) != (self._own is None):
            how = "with others" if self._own is None else "alone"
            raise malformed("it", f"of one that learns {how}", state)
        self._count(state)
        self._iteration = state["iteration"]
        self._scaled(fitting(state, "scale", (self.ndim,), positive=True))
        if self._own is None:
            self._kernel = self._shared_kernel(state)
            self._lesson = state["lesson"]
        else:
            self._kernel = self._own_kernel(state)
            self._own = self._own.restored(state)

    def _shared_kernel(self, state: Mapping[str, Any]) -> Kernel:
        at, known = state["lesson"], self.learned
        if at and (at != self._lesson or known is None):
            return Untaught(self.first, state)
        kernel = self._kernel.copied() if at else Kernel(self.first, Tuning(self._factor))
        kernel.restore(state)
        return kernel

    def _own_kernel(self, state: Mapping[str, Any]) -> Kernel:
        plain, known = state["learned"], self.learned
        if known is not None and same(known.plain(), plain):
            # The usual case after each run of a sampler, where making it anew would take longest.
            kernel = self._kernel.copied()
        else:
            kernel = Kernel(self.first, Tuning(self._factor))
            if plain is not None:
                kernel.take(Knowledge.from_plain(entry(state, "learned", dict), self.ndim))
        kernel.restore(state)
        return kernel

    def _copied(self, stream: Stream) -> Self:
        # What is frozen is shared, and not made anew.
        twin = copy.copy(self)
        twin.stream = stream
        twin._kernel = self._kernel.copied()
        if self._own is None:
            assert self._joined is not None
            twin._joined = self._joined.begun()
        else:
            twin._own = self._own.copied()
        return twin

    def __getstate__(self) -> dict[str, Any]:
        if self._own is not None:
            return self.__dict__
        # What chains learned together travels once to each worker, not with each chain.
        assert self._joined is not None
        kernel, begun = self._kernel, self._joined.begun()
        if kernel.knowledge is not None:
            kernel = Untaught(self.first, kernel.plain())
        return {**self.__dict__, "_kernel": kernel, "_joined": begun}
