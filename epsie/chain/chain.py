"""The Metropolis-Hastings chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import exp, inf, nan
from typing import Any, Self

from numpy.random import BitGenerator

from epsie.chain.history import History
from epsie.chain.saved import SavedChain
from epsie.chain.start import NO_START, refused_start
from epsie.checks import as_beta, as_names
from epsie.errors import ModelError, ProposalError
from epsie.model.evaluation import (
    Model,
    NanPolicy,
    NotFiniteError,
    Point,
    Position,
    as_nan_policy,
    evaluate,
    model_error,
)
from epsie.proposals.base import BaseProposal
from epsie.proposals.joint import joint_over
from epsie.proposals.outcome import Outcome, VirtualMove
from epsie.rng.stream import Stream

__all__ = ["Chain", "Point"]

_NO_DENSITY = (
    "the proposals gave no density for a jump of their own; logpdf must be finite for what jump "
    "returns"
)


class Chain(SavedChain):
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
        self.nan_count = 0
        self.stream = bit_generator if isinstance(bit_generator, Stream) else Stream(bit_generator)
        self.proposal_dist = joint_over(self.parameters, proposals)
        self.proposal_dist._share(self.stream)
        self._learns_virtually = self.proposal_dist._learns_virtually
        self.transdimensional = self.proposal_dist.transdimensional
        self.iteration = self.lastclear = 0
        self.history = History(self.dtypes)
        self.notes = []
        self.start = self.proposed = None
        self.outcome = Outcome()

    # ---- the algorithm

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
        elif proposed.logp > -inf:
            log_ratio = proposed.logp - point.logp
            if self.beta:
                log_ratio += self.beta * (proposed.logl - point.logl)
            if not joint.symmetric:
                log_ratio += joint.log_hastings(point.x, proposed.x)
            if log_ratio != log_ratio:
                raise ProposalError(_NO_DENSITY, self.where(proposed.x))
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
        self.history.append(point, ratio, accepted)
        self.iteration += 1
        joint._learn_from(outcome, self)

    def _virtual_ratios(self, drawn: Position) -> dict[tuple[str, ...], list[float]]:
        """The acceptance ratios of the virtual moves, by the parameters of who asked for them."""
        ratios: dict[tuple[str, ...], list[float]] = {}
        for move in self.proposal_dist._virtual_moves(self.point.x, drawn):
            ratios.setdefault(move.parameters, []).append(self._virtual_ratio(move))
        return ratios

    def _virtual_ratio(self, move: VirtualMove) -> float:
        here = self.point
        try:
            there = evaluate(self._model, self.parameters, move.x, here)
        except Exception as error:
            there = self._rejected(move.x, error)
        if there.logp == -inf:
            return 0.0
        log_ratio = there.logp - here.logp + move.log_hastings
        if self.beta:
            log_ratio += self.beta * (there.logl - here.logl)
        return exp(min(log_ratio, 0.0))

    def _rejected(self, x: Position, error: Exception) -> Point:
        """What to do without an answer of the model: a point to reject, or an error."""
        if self.nan == "reject" and isinstance(error, NotFiniteError):
            self.nan_count += 1
            return Point(x, -inf, -inf, None)
        raise model_error(error, self.where(x)) from error

    def take(self, point: Point) -> None:
        """Stand at another point after all, as after a swap."""
        self.point = point
        self.history.replace_last(point)

    def where(self, proposed: Position | None = None) -> dict[str, Any]:
        """Where it is, for messages."""
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

    def leaves(self) -> Iterator[BaseProposal]:
        """All its proposals, those inside others too."""
        return self.proposal_dist.leaves()

    def reset_proposals(self) -> None:
        """Let the proposals forget what they learned."""
        self.proposal_dist.reset()

    # ---- where it may start, and stand

    def present_point(self) -> Point:
        """What the model says of where it stands.

        Raises
        ------
        ModelError
            If the model fails, or refuses the position.
        """
        # Rows that there are have the blob's keys.
        like = self.point if len(self) else None
        try:
            point = evaluate(self._model, self.parameters, self.point.x, like)
        except Exception as error:
            raise model_error(error, self.where()) from error
        refusal = refused_start(point, self.beta)
        if refusal:
            raise ModelError(
                f"the position where the chain stands {refusal}, says the model that was set since "
                "it came there. Set start_position to another, or the former model",
                self.where(),
            )
        return point

    def start_point(self, x: Position) -> Point:
        """What the model says of a start position.

        Raises
        ------
        ModelError
            If the model raises or returns what it may not.
        """
        try:
            return evaluate(self._model, self.parameters, x, None)
        except Exception as error:
            raise model_error(error, self.where(x)) from error

    def examine_start(self, x: Position) -> tuple[Point | None, list[str]]:
        """The point at a start position, and why it cannot be used, if so."""
        # As numbers that its proposals jump from: inside a transdimensional one integers too.
        x = self.proposal_dist._position(self._named(x))
        refusal = self.proposal_dist._refusal(x)
        if refusal:
            return None, [f"{self._named(x)}: {refusal}"]
        try:
            point = self.start_point(x)
        except NotFiniteError as error:
            return None, [f"{self._named(x)}: {error.problem}"]
        refusal = refused_start(point, self.beta)
        return point, [f"{self._named(x)} {refusal}"] if refusal else []
