"""The ensemble of walkers, as one chain."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import exp, inf
from typing import Any, Self

from numpy.random import BitGenerator

from epsie.chain.base import BaseChain
from epsie.chain.chain import NO_DENSITY, Chain
from epsie.chain.chaindata import parted, stacked
from epsie.chain.start import NO_START, positions_along
from epsie.chain.state import check_levels, levels_state, resume
from epsie.checks import as_names
from epsie.ensembles.proposal import EnsembleMoves
from epsie.ensembles.spread import as_walkers, refuse_flat
from epsie.errors import ProposalError, StepError, said
from epsie.model.batch import asks_prior_first
from epsie.model.evaluation import Model, NanPolicy, Point, Position
from epsie.proposals.base import BaseProposal
from epsie.rng.stream import Stream


class Walker(Chain):
    """A walker of an ensemble: it moves from where those of the other half stand."""

    number: int
    """Its index in the ensemble."""
    _drawn: Position
    log_factor: float
    """What the move to the drawn position adds to the log ratio."""

    def decide(self) -> None:
        """Accept the proposed point or stay, and note it."""
        point, proposed = self.point, self.proposed
        assert proposed is not None
        accepted, ratio = False, 0.0
        if proposed.logp == -inf:
            self._unasked += asks_prior_first(self._model)
        else:
            log_ratio = proposed.logp - point.logp + (proposed.logl - point.logl) + self.log_factor
            if log_ratio > 0:
                accepted, ratio = True, 1.0
            elif log_ratio == log_ratio:
                ratio = exp(log_ratio)
                accepted = self.stream.uniform() < ratio
            else:
                raise ProposalError(NO_DENSITY, self.where(proposed.x))
            if accepted:
                self.point = point = proposed
        outcome = self.outcome
        outcome.point, outcome.proposed = point, proposed
        outcome.accepted, outcome.acceptance_ratio = accepted, ratio
        self.history.append(point, ratio, accepted)
        self.iteration += 1

    def where(self, proposed: Position | None = None) -> dict[str, Any]:
        """Its context for messages: ensemble, walker, iteration, positions and moves."""
        where = super().where(proposed)
        del where["temperature"]
        return {"ensemble": where.pop("chain"), "walker": self.number, **where}


class EnsembleChain(BaseChain):
    """An ensemble of walkers, each of which is drawn from likelihood times prior.

    In a `step` the walkers are divided into halves at random. Those of one half propose from where
    those of the other stand (Goodman & Weare 2010, doi:10.2140/camcos.2010.5.65; Foreman-Mackey et
    al. 2013, doi:10.1086/670067), all are evaluated, and all decide; then the halves change places.

    All walkers share one stream and one proposal, which counts steps. Each is a `Chain` at
    temperature 1, and stands where a tempered chain has its temperatures.

    Parameters
    ----------
    parameters, model, bit_generator, chain_id, nan
        As for `Chain`.
    moves : EnsembleMoves
        The proposal, of which it gets a copy.
    nwalkers : int
        The number of walkers, even, and at least two more than twice the number of parameters.

    Raises
    ------
    ValueError
        If they are too few or odd, or a setting is out of its range.
    TypeError
        If the proposal is another one.
    """

    def __init__(
        self,
        parameters: str | Iterable[str],
        model: Model,
        moves: EnsembleMoves | Iterable[BaseProposal],
        nwalkers: int,
        bit_generator: BitGenerator | Stream | int | None = None,
        chain_id: int = 0,
        *,
        nan: NanPolicy = "raise",
    ) -> None:
        self.parameters = as_names(parameters)
        self.stream = bit_generator if isinstance(bit_generator, Stream) else Stream(bit_generator)
        proposal = copy.copy(_only(moves))
        self.nwalkers = as_walkers(nwalkers, len(self.parameters), proposal.least)
        self.walkers = [
            Walker(self.parameters, model, proposal, self.stream, chain_id, nan=nan)
            for _ in range(self.nwalkers)
        ]
        for number, walker in enumerate(self.walkers):
            walker.number, walker.proposal_dist = number, self.walkers[0].proposal_dist
        self.chain_id = chain_id
        self.transdimensional = None
        self.iteration = self.lastclear = 0
        self.notes = []

    def step(self) -> Self:
        """Move one half of the walkers, then the other."""
        if self.walkers[0].start is None:
            raise ValueError(NO_START)
        try:
            for _ in self._halfwise():
                pass
        except StepError:
            raise
        except Exception as error:
            raise ProposalError(said(error), self.where()) from error
        return self

    def stepwise(self) -> Iterator[list[Position]]:
        """Make one step, and say before the model is asked at which positions it will be."""
        for half in self._halfwise():
            yield [walker._drawn for walker in half]

    def _halfwise(self) -> Iterator[list[Walker]]:
        """Make one step, and say before the model is asked which walkers have drawn."""
        first = self.walkers[0]
        if first.stale:
            self.renew(self.present_points())
        draw = self.moves.draw_from
        one, other = self._halves()
        for half, rest in ((one, other), (other, one)):
            others = [walker.point.x for walker in rest]
            for walker in half:
                walker._drawn, walker.log_factor = draw(walker.point.x, others)
            yield half
            for walker in half:
                walker.evaluate()
            for walker in half:
                walker.decide()
        self.iteration += 1
        first.proposal_dist._learn_from(first.outcome, first)

    @property
    def moves(self) -> EnsembleMoves:
        """The proposal of all its walkers."""
        (moves,) = self.walkers[0].proposal_dist.proposals
        assert isinstance(moves, EnsembleMoves)
        return moves

    def leaves(self) -> Iterator[BaseProposal]:
        """The proposal of all its walkers."""
        yield self.moves

    @property
    def points_at_once(self) -> int:
        """The number of walkers of a half."""
        return self.nwalkers // 2

    def _halves(self) -> tuple[list[Walker], list[Walker]]:
        """The walkers, divided at random."""
        order = self.walkers.copy()
        n, half = len(order), len(order) // 2
        for i in range(half):
            j = i + int(self.stream.uniform() * (n - i))
            order[i], order[j] = order[j], order[i]
        return order[:half], order[half:]

    def clear(self) -> None:
        """Drop the history. The present positions become the start."""
        self._forget()

    def where(self) -> dict[str, Any]:
        """Its context for messages: ensemble and iteration."""
        return {"ensemble": self.chain_id, "iteration": self.iteration}

    @property
    def by_temperature(self) -> list[Walker]:
        """Its walkers, which are all at one temperature."""
        return self.walkers

    @property
    def start(self) -> list[Point] | None:
        """The points that its walkers started from; None before a start is set."""
        return [walker.start for walker in self.walkers if walker.start is not None] or None

    def check_start(self, points: Sequence[Point]) -> None:
        """Refuse starts that do not span all directions."""
        refuse_flat([point.x for point in points], self.parameters, f"ensemble {self.chain_id}")

    def _shown(self, values: list[Any]) -> Any:
        return stacked(values)

    def _start_positions(self, values: Mapping[str, Any]) -> list[Position]:
        return positions_along(values, self.dtypes, self.nwalkers, "walker")

    def _parted(self, shown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        return parted(shown, self.nwalkers)

    def shell(self) -> Self:
        """Itself without its history and its model, and sharing all else: to be pickled."""
        return self._holding([walker.shell() for walker in self.walkers])

    def detached(self) -> Self:
        """An independent copy without its history and its model."""
        stream = self.stream.copied()
        joint = self.walkers[0].proposal_dist._copied(stream)
        twin = self._holding([walker.detached(stream, joint) for walker in self.walkers])
        twin.stream = stream
        return twin

    def _holding(self, walkers: list[Walker]) -> Self:
        twin = copy.copy(self)
        twin.walkers = walkers
        twin.notes = []
        return twin

    @property
    def state(self) -> dict[int, Any]:
        """All that its future depends on, as plain data: the state of each walker by index.

        That of the first has that of the random numbers.
        """
        return levels_state(self, shared=1)

    def check_state(self, state: Mapping[Any, Any]) -> None:
        """Refuse a state that is not of an ensemble like this one."""
        check_levels(self.walkers, state, "walkers")

    def resume(self, state: Mapping[Any, Any]) -> None:
        """Take over a state, which is its own from now on, and keep the history."""
        for number, walker in enumerate(self.walkers):
            resume(walker, state[number])
        self.iteration = self.walkers[0].iteration
        self.chain_id = self.walkers[0].chain_id


def _only(moves: Any) -> EnsembleMoves:
    """The one proposal of an ensemble.

    Raises
    ------
    TypeError
        If it is another one, or there are several.
    """
    parts = (moves,) if isinstance(moves, BaseProposal) else tuple(moves)
    if len(parts) != 1 or not isinstance(parts[0], EnsembleMoves):
        found = ", ".join(map(repr, parts))
        raise TypeError(f"the walkers of an ensemble move by EnsembleMoves alone; got {found}")
    return parts[0]
