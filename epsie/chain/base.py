"""What chains of both kinds answer alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from numpy.random import BitGenerator, Generator

from epsie.chain.history import Rows
from epsie.chain.notes import Note, noted
from epsie.copying import SetsAttributes, copied
from epsie.model.evaluation import Model, Point, Position
from epsie.process.cancellation import NEVER, GivenUp
from epsie.proposals.base import BaseProposal
from epsie.proposals.distribution import Distribution, is_built_in
from epsie.proposals.unsaved import refuse_unsaved
from epsie.rng.stream import Stream
from epsie.shown import Facts, Shown, chain_facts

if TYPE_CHECKING:
    from epsie.chain.recorded import RecordedChain


@dataclass(slots=True)
class Segment:
    """What a stretch of a chain brought."""

    state: dict[Any, Any]
    """Where it stands now."""
    by_temperature: list[Rows]
    """The rows it added at each temperature, coldest first."""
    swaps: Any = None
    """The sweeps between temperatures, if there are several."""
    notes: list[Note] = field(default_factory=list)


class BaseChain(Shown, SetsAttributes, ABC):
    """A Markov chain that knows its parameters, its model and its random numbers."""

    parameters: tuple[str, ...]
    model: Model
    stream: Stream
    chain_id: int
    iteration: int
    lastclear: int
    transdimensional: bool | None
    watch: tuple[Sequence[int], int] = NEVER
    """A stop sign, and the number of the run that it may say is given up."""
    notes: list[Note]
    """What was learned since it began, at some iterations; a clear leaves them."""

    def _facts(self) -> Facts:
        return chain_facts(self)

    def __len__(self) -> int:
        return self.iteration - self.lastclear

    def run(self, niterations: int) -> None:
        """Make so many steps."""
        self.reserve(niterations)
        step, (given_up, number) = self.step, self.watch
        for _ in range(niterations):
            if given_up[0] >= number:
                raise GivenUp
            step()

    @abstractmethod
    def step(self) -> Self:
        """Make one step."""

    @abstractmethod
    def reserve(self, niterations: int) -> None:
        """Make room for the rows of so many steps."""

    # ---- travelling to a worker and back

    @abstractmethod
    def shell(self) -> Self:
        """Itself without its history and its model, and sharing all else: to be pickled."""

    @abstractmethod
    def detached(self) -> Self:
        """An independent copy without its history and its model."""

    def advance(self, niterations: int) -> Segment:
        """Make so many steps, and tell what they brought. For a detached copy."""
        users = [part for part in self._distributions() if not is_built_in(part)]
        before = [part._copied(Stream()) for part in users]
        self._run_noting(niterations)
        for old, part in zip(before, users, strict=True):
            refuse_unsaved(old, part)
        segment = self.segment()
        segment.notes = self.notes
        return segment

    def _run_noting(self, niterations: int) -> None:
        """Make so many steps, and note what was learned at some of them."""
        self.reserve(niterations)
        stop = self.iteration + niterations
        for iteration in noted(self.iteration, stop) if self.learns else ():
            self.run(iteration - self.iteration)
            self.notes.append(self.note())
        self.run(stop - self.iteration)

    @property
    def learns(self) -> bool:
        """Whether a proposal learns, or a ladder is moved."""
        return any(part.adaptation is not None for part in self.leaves())

    @abstractmethod
    def note(self) -> Note:
        """How it jumps now."""

    @property
    def is_built_in(self) -> bool:
        """Whether all that it consists of is of this package, so that a worker can import it."""
        return all(map(is_built_in, self._distributions()))

    def _distributions(self) -> Iterator[Distribution]:
        """All its proposals, and the births of those that have one."""
        for part in self.leaves():
            yield part
            if hasattr(part, "birth_distribution"):
                yield part.birth_distribution

    @abstractmethod
    def leaves(self) -> Iterator[BaseProposal]:
        """All its proposals, those inside others too."""

    @property
    @abstractmethod
    def by_temperature(self) -> Sequence[RecordedChain]:
        """Its chain at each temperature, coldest first; of an untempered one itself."""

    @abstractmethod
    def examine_starts(self, xs: Sequence[Position]) -> tuple[list[Point | None], list[str]]:
        """The points at start positions, one for each temperature, and why they cannot be used."""

    @abstractmethod
    def begin(self, points: Sequence[Point]) -> None:
        """Start from a point for each temperature. Drops the history."""

    # ---- the model

    def lend(self, model: Model) -> None:
        """Ask this model, which its points are of: on a copy, in a worker."""
        for leaf in self.by_temperature:
            leaf._model = model

    @property
    def is_stale(self) -> bool:
        """Whether a point may be of another model."""
        return any(leaf.stale for leaf in self.by_temperature)

    def present_points(self, _: None = None) -> list[Point]:
        """What the model says of where it stands, at each temperature.

        Raises
        ------
        ModelError
            If the model fails, or refuses a position.
        """
        return [leaf.present_point() for leaf in self.by_temperature]

    def renew(self, points: Sequence[Point]) -> None:
        """Take over what the present model says of where it stands."""
        for leaf, point in zip(self.by_temperature, points, strict=True):
            leaf.stand(point)

    @abstractmethod
    def where(self) -> dict[str, Any]:
        """Where it is, for messages."""

    @abstractmethod
    def segment(self) -> Segment:
        """What it did since it was detached."""

    @abstractmethod
    def attach(self, segment: Segment) -> None:
        """Take over what a detached copy did."""

    @property
    @abstractmethod
    def state(self) -> dict[Any, Any]:
        """All that its future depends on, as plain data."""

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
        for leaf in self.by_temperature:
            leaf.stale = True

    def follow(self, state: Mapping[Any, Any]) -> None:
        """Go on from a state of a chain like this one, and with the same model."""
        self.resume(copied(state))
        self.restart()

    @abstractmethod
    def check_state(self, state: Mapping[Any, Any]) -> None:
        """Refuse a state that is not of a chain like this one."""

    @abstractmethod
    def resume(self, state: Mapping[Any, Any]) -> None:
        """Take over a state, which is its own from now on, and keep the history."""

    @abstractmethod
    def restart(self) -> None:
        """Drop the history, and start from where it stands."""

    # ---- random numbers

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
