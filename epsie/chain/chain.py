"""The Metropolis-Hastings chain."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from math import exp, inf, nan
from typing import Any, Self

from numpy.random import BitGenerator

from epsie.chain.base import BaseChain
from epsie.chain.history import History
from epsie.chain.start import NO_START, as_position, examined
from epsie.chain.state import check_state, level_state, resume
from epsie.checks import as_beta, as_names
from epsie.errors import ProposalError
from epsie.model.batch import asks_prior_first
from epsie.model.evaluation import (
    Model,
    NanPolicy,
    NotFiniteError,
    Point,
    Position,
    as_nan_policy,
    evaluate,
    model_error,
    no_model,
)
from epsie.proposals.base import BaseProposal
from epsie.proposals.joint import JointProposal, joint_over
from epsie.proposals.outcome import Outcome, VirtualMove
from epsie.rng.stream import Stream

__all__ = ["Chain", "Point"]

NO_DENSITY = "the proposals gave no density for a jump of their own; logpdf must be finite there"


class Chain(BaseChain):
    r"""A Markov chain that samples likelihood**beta times prior.

    A `step` proposes a position x', evaluates the model there and decides. With

    .. math:: \log r = \beta (\log L' - \log L) + \log p' - \log p + \log q(x|x') - \log q(x'|x)

    the new point is accepted with probability min(1, r) (Hastings 1970, doi:10.1093/biomet/57.1.97,
    equation 6). It needs a `start_position` first.

    Parameters
    ----------
    parameters : str or iterable of str
        The names of the parameters.
    model : callable
        ``model(**parameters)`` gives ``(logl, logp)`` or ``(logl, logp, blob)``.
    proposals : BaseProposal or iterable of BaseProposal
        Proposals that together cover the parameters. They are used as they are, not copied.
    bit_generator : BitGenerator, int or None, optional
        The source of random numbers, or a seed.
    chain_id : int, optional
        A number to know it by.
    beta : float, optional
        The inverse temperature, in [0, 1].
    nan : {'raise', 'reject'}, optional
        What to do where the model returns NaN or +inf: refuse to go on, or reject the position and
        count it in `nan_count`.

    Raises
    ------
    ValueError
        If the proposals do not cover the parameters exactly, or `beta` or `nan` is out of range.
    """

    point: Point
    """The present point; set with the start."""

    stale: bool = False
    """Whether the point may be of another model: it is evaluated anew before the next step."""

    def __init__(
        self,
        parameters: str | Iterable[str],
        model: Model,
        proposals: BaseProposal | Iterable[BaseProposal],
        bit_generator: BitGenerator | Stream | int | None = None,
        chain_id: int = 0,
        beta: float = 1.0,
        *,
        nan: NanPolicy = "raise",
    ) -> None:
        self.parameters = as_names(parameters)
        self._model = model
        self.chain_id = chain_id
        self.beta = as_beta(beta)
        self.nan = as_nan_policy(nan)
        self.nan_count = self._unasked = 0
        self.stream = bit_generator if isinstance(bit_generator, Stream) else Stream(bit_generator)
        self.proposal_dist = joint_over(self.parameters, proposals)
        self.proposal_dist._share(self.stream)
        self.proposal_dist._meet(model)
        self._learns_virtually = self.proposal_dist._learns_virtually
        self.transdimensional = self.proposal_dist.transdimensional
        self.iteration = self.lastclear = 0
        self.history = History(self.dtypes)
        self.notes = []
        self.start: Point | None = None
        self.proposed: Point | None = None
        self.outcome = Outcome()

    def step(self) -> Self:
        """Propose a position, evaluate the model there, and decide."""
        if self.start is None:
            raise ValueError(NO_START)
        self.propose()
        self.evaluate()
        self.decide()
        return self

    def propose(self) -> None:
        """Draw a position from the proposals; None if all of them rest."""
        if self.stale:
            self.renew(self.present_points())
        self._drawn = self.proposal_dist.draw(self.point.x)

    def evaluate(self) -> None:
        """Ask the model about the drawn position."""
        drawn = self._drawn
        if drawn is None:
            self.proposed = None
            return
        try:
            self.proposed = evaluate(self._model, self.parameters, drawn, self.point)
        except Exception as error:
            self.proposed = self._rejected(drawn, error)
        if self._learns_virtually:
            self.outcome.virtual = self._virtual_ratios(drawn)

    def decide(self) -> None:
        """Accept the proposed point or stay, note it, and let the proposals learn."""
        point, proposed, joint = self.point, self.proposed, self.proposal_dist
        accepted, ratio = False, 0.0
        if proposed is None:
            ratio = nan
            self._unasked += 1
        elif proposed.logp == -inf:
            self._unasked += asks_prior_first(self._model)
        else:
            log_ratio = proposed.logp - point.logp
            if self.beta:
                log_ratio += self.beta * (proposed.logl - point.logl)
            if joint._corrects:
                log_ratio += joint.log_hastings(point.x, proposed.x)
            if log_ratio != log_ratio:
                raise ProposalError(NO_DENSITY, self.where(proposed.x))
            if log_ratio > 0:
                accepted, ratio = True, 1.0
            else:
                ratio = exp(log_ratio)
                accepted = self.stream.uniform() < ratio
            if accepted:
                self.point = point = proposed
        outcome = self.outcome
        outcome.point, outcome.proposed = point, proposed
        outcome.accepted, outcome.acceptance_ratio = accepted, ratio
        outcome.beta = self.beta
        self.history.append(point, ratio, accepted)
        self.iteration += 1
        joint._learn_from(outcome, self)

    def _virtual_ratios(self, drawn: Position) -> dict[tuple[str, ...], list[float]]:
        """The acceptance ratios of the virtual moves, by the parameters of who asked for them."""
        ratios: dict[tuple[str, ...], list[float]] = {}
        for move in self.proposal_dist._virtual_moves(self.point.x, drawn):
            ratios.setdefault(move.parameters, []).append(self._virtual_ratio(move))
            self._unasked -= 1
        return ratios

    def _virtual_ratio(self, move: VirtualMove) -> float:
        here = self.point
        try:
            there = evaluate(self._model, self.parameters, move.x, here)
        except Exception as error:
            there = self._rejected(move.x, error)
        if there.logp == -inf:
            self._unasked += asks_prior_first(self._model)
            return 0.0
        log_ratio = there.logp - here.logp + move.log_hastings
        if self.beta:
            log_ratio += self.beta * (there.logl - here.logl)
        return exp(min(log_ratio, 0.0))

    def _rejected(self, x: Position, error: Exception, of_chain: bool = True) -> Point:
        """Replace a missing answer of the model by a point to reject, or raise an error."""
        if self.nan == "reject" and isinstance(error, NotFiniteError):
            self.nan_count += 1
            self._unasked -= asks_prior_first(self._model)
            return Point(x, -inf, -inf, None)
        where = self.where(x) if of_chain else {"position": self._named(x)}
        raise model_error(error, where) from error

    def clear(self) -> Self:
        """Drop the history. The present position becomes the start."""
        self._forget()
        return self

    def take(self, point: Point) -> None:
        """Stand at another point after all, as after a swap."""
        self.point = point
        self.history.replace_last(point)

    def where(self, proposed: Position | None = None) -> dict[str, Any]:
        """Its context for messages: chain, temperature, iteration, positions and proposals."""
        names = self.parameters
        where: dict[str, Any] = {
            "chain": self.chain_id,
            "temperature": 1 / self.beta if self.beta else inf,
        }
        where["iteration"] = self.iteration
        if self.start is not None:
            where["position"] = dict(zip(names, self.point.x, strict=True))
        if proposed is not None:
            where["proposed position"] = dict(zip(names, proposed, strict=True))
        where["proposals"] = ", ".join(map(repr, self.proposal_dist.proposals))
        return where

    def examine_start(self, x: Position) -> tuple[Point | None, list[str]]:
        """The point at a start position, and why it cannot be used, if so."""
        return examined(self, x)

    @property
    def by_temperature(self) -> list[Self]:
        """Itself: it has one temperature."""
        return [self]

    def _shown(self, values: list[Any]) -> Any:
        return values[0]

    def _start_positions(self, values: Mapping[str, Any]) -> list[Position]:
        return [as_position(values, self.dtypes)]

    def _parted(self, shown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        return [shown]

    def shell(self) -> Self:
        """Itself without its history and its model, and sharing all else: to be pickled."""
        twin = copy.copy(self)
        twin._model = no_model
        twin.history = self.history.emptied()
        twin.notes = []
        return twin

    def detached(self, stream: Stream | None = None, joint: JointProposal | None = None) -> Self:
        """An independent copy without its history and its model; it may share what is given."""
        twin = self.shell()
        twin.outcome = self.outcome.copied()
        twin.stream = self.stream.copied() if stream is None else stream
        twin.proposal_dist = self.proposal_dist._copied(twin.stream) if joint is None else joint
        return twin

    @property
    def state(self) -> dict[str, Any]:
        """All that its future depends on, as plain data. Refused before a start is set."""
        return level_state(self)

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Refuse a state that is not of a chain like this one."""
        check_state(self, state)

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take over a state, which is its own from now on, and keep the history."""
        resume(self, state)

    @property
    def accepted(self) -> bool:
        """Whether the position proposed last was accepted."""
        return self.outcome.accepted

    @property
    def acceptance_ratio(self) -> float:
        """The probability with which it was to be accepted; NaN if all proposals rested."""
        return self.outcome.acceptance_ratio

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
