"""The chain of any kind: how it is run, in a worker too, and goes on from a state."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any, Self

from numpy.random import BitGenerator, Generator

from epsie.chain.adaptation_history import note_of, noted
from epsie.chain.record import Record
from epsie.chain.segment import Segment as Segment
from epsie.chain.start import asked_of, points_at, present_point
from epsie.copying import copied
from epsie.model.evaluation import Model, Point, Position
from epsie.process.cancellation import NEVER, GivenUp
from epsie.proposals.base import BaseProposal
from epsie.proposals.distribution import Distribution, is_built_in
from epsie.proposals.learned.learned import Learned
from epsie.proposals.unsaved import refuse_unsaved
from epsie.rng.stream import Stream

Lessons = Mapping[tuple[int, int], tuple[int, Any]]
"""For a proposal, by temperature and place, the number of the lesson and what was learned."""


POINTS = "points_at"
"""The job of evaluating positions of a start that are not yet of any chain."""


class BaseChain(Record):
    """A Markov chain, at one temperature or several."""

    stream: Stream
    chain_id: int
    transdimensional: bool | None
    adaptive_annealer: Any = None
    """The annealer that moves its ladder; None if nothing does."""
    watch: tuple[Sequence[int], int] = NEVER
    """A stop sign, and the number of the run that it may say is given up."""

    def where(self) -> dict[str, Any]:
        """Its context for messages: chain and iteration."""
        return {"chain": self.chain_id, "iteration": self.iteration}

    @abstractmethod
    def step(self) -> Self:
        """Make one step."""

    def run(self, niterations: int) -> None:
        """Make so many steps."""
        self.reserve(niterations)
        step, (given_up, number) = self.step, self.watch
        for _ in range(niterations):
            if given_up[0] >= number:
                raise GivenUp
            step()

    def reserve(self, niterations: int) -> None:
        """Make room for the rows of so many steps."""
        for level in self.by_temperature:
            level.history.reserve(niterations)

    @abstractmethod
    def shell(self) -> Self:
        """Itself without its history and its model, and sharing all else: to be pickled."""

    @abstractmethod
    def detached(self) -> Self:
        """An independent copy without its history and its model."""

    @property
    def points_at_once(self) -> int:
        """The number of points that a step asks the model about together."""
        return len(self.by_temperature)

    def stepwise(self) -> Iterator[list[Position]]:
        """Make one step, and say before the model is asked at which positions it will be."""
        levels: Sequence[Any] = self.by_temperature
        for level in levels:
            level.propose()
        yield [x for level in levels for x in asked_of(level)]
        for level in levels:
            level.evaluate()
        for level in levels:
            level.decide()
        self.after_step()

    def after_step(self) -> None:
        """What follows when all temperatures have decided. A hook of tempered chains."""

    def advance(self, niterations: int) -> Segment:
        """Make so many steps, and tell what they brought. For a detached copy."""
        before = self.of_users()
        self.reserve(niterations)
        for length, is_noted in self.stretches(niterations):
            self.run(length)
            if is_noted:
                self.note()
        return self.ended(before)

    def of_users(self) -> list[Distribution]:
        """Copies of what is of a user's class, to be compared when steps are made."""
        return [part._copied(Stream()) for part in self._of_users()]

    def _of_users(self) -> list[Distribution]:
        """What is of a user's class."""
        return [part for part in self._distributions() if not is_built_in(part)]

    def stretches(self, niterations: int) -> list[tuple[int, bool]]:
        """The lengths of stretches of so many steps, and whether there is a note at their ends."""
        at, stop = self.iteration, self.iteration + niterations
        found = []
        for iteration in noted(at, stop) if self.learns else ():
            found.append((iteration - at, True))
            at = iteration
        return [*found, (stop - at, False)]

    def note(self) -> None:
        """Note what was learned up to here."""
        self.notes.append(note_of(self.iteration, self.by_temperature))

    def ended(self, before: Sequence[Distribution]) -> Segment:
        """What all steps brought, and a check of what is of a user's class."""
        for old, part in zip(before, self._of_users(), strict=True):
            refuse_unsaved(old, part)
        rows = [level.history.rows() for level in self.by_temperature]
        swaps = self.swaps.rows() if self.ntemps > 1 else None
        contributions = [
            [
                part._contribution if isinstance(part, Learned) else None
                for part in level.proposal_dist.proposals
            ]
            for level in self.by_temperature
        ]
        return Segment(self.evolved(), rows, swaps, contributions, self.notes, self.nwalkers)

    def attach(self, segment: Segment) -> None:
        """Take over what a detached copy did."""
        self.resume(segment.state)
        for level, rows in zip(self.by_temperature, segment.by_temperature, strict=True):
            level.history.extend(rows)
        if segment.swaps is not None:
            self.swaps.extend(segment.swaps)
        self.notes += segment.notes

    @property
    def learns(self) -> bool:
        """Whether a proposal learns, or a ladder is moved."""
        learning = any(part.adaptation is not None for part in self.leaves())
        return learning or self.adaptive_annealer is not None

    @property
    def is_built_in(self) -> bool:
        """Whether all that it consists of is of this package, so that a worker can import it."""
        annealer = self.adaptive_annealer
        known = annealer is None or is_built_in(annealer)
        return known and all(map(is_built_in, self._distributions()))

    def leaves(self) -> Iterator[BaseProposal]:
        """All its proposals, those inside others too."""
        for level in self.by_temperature:
            yield from level.proposal_dist.leaves()

    def _distributions(self) -> Iterator[Distribution]:
        """All its proposals, and the births of those that have one."""
        for part in self.leaves():
            yield part
            if hasattr(part, "birth_distribution"):
                yield part.birth_distribution

    def reset_proposals(self) -> None:
        """Let the proposals of all temperatures forget what they learned."""
        for level in self.by_temperature:
            level.proposal_dist.reset()

    @property
    def has_likelihood_at_hottest(self) -> bool:
        """Whether the point at the hottest temperature has a likelihood."""
        return self.by_temperature[-1].point.logl > -inf

    @property
    def model(self) -> Model:
        """The model. After it is set, the model is asked anew about where the chain stands."""
        return self.by_temperature[0]._model

    @model.setter
    def model(self, model: Model) -> None:
        self.lend(model)
        for level in self.by_temperature:
            level.stale = level.start is not None

    def lend(self, model: Model) -> None:
        """Ask this model, which its points are of: on a copy, in a worker."""
        for level in self.by_temperature:
            level.proposal_dist._meet(model)
            level._model = model

    def teach(self, lessons: Lessons) -> None:
        """Let its proposals use what chains have learned together."""
        for (temperature, place), lesson in lessons.items():
            part = self.by_temperature[temperature].proposal_dist.proposals[place]
            assert isinstance(part, Learned)
            part._teach(*lesson)

    @property
    def is_stale(self) -> bool:
        """Whether a point may be of another model."""
        return any(level.stale for level in self.by_temperature)

    def present_points(self, _: None = None) -> list[Point]:
        """Its present points, evaluated anew by the model, one for each temperature.

        Raises
        ------
        ModelError
            If the model fails, or refuses a position.
        """
        return [present_point(level) for level in self.by_temperature]

    def points_at(self, xs: Sequence[Position]) -> list[Point]:
        """The points at positions, evaluated by the model: see `epsie.chain.start`."""
        return points_at(self.by_temperature[0], xs)

    def renew(self, points: Sequence[Point]) -> None:
        """Take over what the present model says of where it stands."""
        for level, point in zip(self.by_temperature, points, strict=True):
            if level.start is level.point:
                level.start = point
            level.point, level.stale = point, False

    @property
    @abstractmethod
    def state(self) -> dict[Any, Any]:
        """All that its future depends on, as plain data."""

    def evolved(self) -> dict[Any, Any]:
        """The state, with what its temperatures share only once. A hook of tempered chains."""
        return self.state

    @abstractmethod
    def check_state(self, state: Mapping[Any, Any]) -> None:
        """Refuse a state that is not of a chain like this one."""

    @abstractmethod
    def resume(self, state: Mapping[Any, Any]) -> None:
        """Take over a state, which is its own from now on, and keep the history."""

    def set_state(self, state: Mapping[Any, Any]) -> None:
        """Go on from a `state`. Drops the history; needs no start position.

        No state knows the model that it is of: before the next step the model is asked anew about
        where the chain stands.

        Raises
        ------
        ValueError
            If the state is of other temperatures, parameters or proposals.
        """
        self.check_state(state)
        self.follow(state)
        for level in self.by_temperature:
            level.stale = True

    def follow(self, state: Mapping[Any, Any]) -> None:
        """Go on from a state of a chain like this one, and with the same model."""
        self.resume(copied(state))
        self.restart()

    @property
    def bit_generator(self) -> BitGenerator:
        """The bit generator that all its random numbers come from."""
        return self.stream.bit_generator

    @property
    def random_generator(self) -> Generator:
        """A numpy generator on the same bits."""
        return self.stream.generator

    @property
    def random_state(self) -> dict[str, Any]:
        """The state of its random numbers; settable, also with a bare numpy state."""
        return self.stream.state

    @random_state.setter
    def random_state(self, state: dict[str, Any]) -> None:
        self.stream.state = state
