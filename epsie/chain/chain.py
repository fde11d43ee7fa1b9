"""The Metropolis-Hastings chain."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from math import exp, inf, nan
from typing import Any, Literal, Self

from numpy.random import BitGenerator

from epsie.chain.base import BaseChain, Segment
from epsie.chain.chaindata import array2dict
from epsie.chain.history import History, Table
from epsie.chain.learning import Note
from epsie.chain.start import NO_START, as_position, refused_start
from epsie.checks import as_count, as_names
from epsie.errors import ProposalError
from epsie.model import (
    Model,
    NotFiniteError,
    Point,
    Position,
    check_first_blob,
    evaluate,
    model_error,
    no_model,
)
from epsie.proposals.base import BaseProposal, VirtualMove
from epsie.proposals.distribution import copied
from epsie.proposals.joint import joint_over
from epsie.rng import Stream

__all__ = ["Chain", "Point"]

_NO_DENSITY = (
    "the proposals gave no density for a jump of their own; logpdf must be finite for what jump "
    "returns"
)

NanPolicy = Literal["raise", "reject"]


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
    """Where it stands; set with the start."""

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
        self.model = model
        self.chain_id = chain_id
        self.beta = as_beta(beta)
        self.nan = as_nan_policy(nan)
        self.nan_count = 0
        self.stream = bit_generator if isinstance(bit_generator, Stream) else Stream(bit_generator)
        self.proposal_dist = joint_over(self.parameters, proposals)
        self.proposal_dist.share(self.stream)
        self._learns_virtually = self.proposal_dist.learns_virtually
        self.transdimensional = self.proposal_dist.transdimensional
        self.iteration = self.lastclear = 0
        self.history = History(self.dtypes)
        self.notes = []
        self.start: Point | None = None
        self.proposed: Point | None = None
        self.accepted = False
        self.acceptance_ratio = 0.0

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
        self._drawn = self.proposal_dist.draw(self.point.x)

    def evaluate(self) -> None:
        """Ask the model about the drawn position."""
        drawn = self._drawn
        if drawn is None:
            self.proposed = None
            return
        try:
            self.proposed = evaluate(self.model, self.parameters, drawn, self.point)
        except Exception as error:
            self.proposed = self._rejected(drawn, error)
        if self._learns_virtually:
            self._evaluate_virtual(drawn)

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
        self.accepted, self.acceptance_ratio = accepted, ratio
        self.history.append(point, ratio, accepted)
        self.iteration += 1
        joint.update(self)

    def _evaluate_virtual(self, drawn: Position) -> None:
        """Give those proposals that learn from them the ratios of their virtual moves."""
        moves = self.proposal_dist.virtual_moves(self.point.x, drawn)
        ratios: dict[int, list[float]] = {id(move.proposal): [] for move in moves}
        for move in moves:
            ratios[id(move.proposal)].append(self._virtual_ratio(move))
            move.proposal.virtual_ratios = ratios[id(move.proposal)]

    def _virtual_ratio(self, move: VirtualMove) -> float:
        here = self.point
        try:
            there = evaluate(self.model, self.parameters, move.x, here)
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

    # ---- start

    def begin(self, point: Point) -> None:
        """Start from a point. Drops the history."""
        self.start = self.point = point
        self.proposed = None
        self.history.clear()
        self.notes = []
        self.iteration = self.lastclear = 0

    def start_point(self, x: Position) -> Point:
        """What the model says of a start position.

        Raises
        ------
        ModelError
            If the model raises or returns what it may not.
        """
        try:
            return evaluate(self.model, self.parameters, x, None)
        except Exception as error:
            raise model_error(error, self.where(x)) from error

    def examine_start(self, x: Position) -> tuple[Point | None, list[str]]:
        """The point at a start position, and why it cannot be used, if so."""
        # As numbers that its proposals jump from: inside a transdimensional one integers too.
        x = self.proposal_dist.position(self._named(x))
        refusal = self.proposal_dist.refusal(x)
        if refusal:
            return None, [f"{self._named(x)}: {refusal}"]
        try:
            point = self.start_point(x)
        except NotFiniteError as error:
            return None, [f"{self._named(x)}: {error.problem.partition(';')[0]}"]
        refusal = refused_start(point, self.beta)
        return point, [f"{self._named(x)} {refusal}"] if refusal else []

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
        self.begin(point)

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
        check_first_blob(blob)
        self._restart(Point(start.x, start.logl, start.logp, blob))

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
        kinds = self.proposal_dist.dtypes()
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

    def leaves(self) -> Iterator[BaseProposal]:
        """All its proposals, those inside others too."""
        return self.proposal_dist.leaves()

    # ---- travelling to a worker and back

    def reserve(self, niterations: int) -> None:
        """Make room for the rows of so many steps."""
        self.history.reserve(niterations)

    def shell(self) -> Self:
        """Itself without its history and its model, and sharing all else: to be pickled."""
        twin = copy.copy(self)
        twin.model = no_model
        twin.history = self.history.emptied()
        twin.notes = []
        return twin

    def detached(self, stream: Stream | None = None) -> Self:
        """An independent copy without its history and its model."""
        twin = self.shell()
        twin.stream = self.stream.copied() if stream is None else stream
        twin.proposal_dist = self.proposal_dist.copied(twin.stream)
        return twin

    def segment(self) -> Segment:
        """What it did since it was detached."""
        return Segment(self.state, self.history.rows())

    def attach(self, segment: Segment) -> None:
        """Take over what a detached copy did."""
        self.resume(segment.state)
        self.history.extend(segment.rows)
        self.notes += segment.notes

    def note(self) -> Note:
        """How it jumps now."""
        stds: dict[str, float] = {}
        for leaf in self.leaves():
            # A user's class may lack the widths that its base has.
            with suppress(AttributeError):
                stds.update(zip(leaf.parameters, leaf.jump_stds()))
        widths = tuple([float(stds.get(name, nan)) for name in self.parameters])
        return Note(self.iteration, [widths], (self.beta,))

    # ---- state

    @property
    def state(self) -> dict[str, Any]:
        """All that its future depends on, as plain data.

        Raises
        ------
        ValueError
            If no start is set.
        """
        state = self.evolved()
        state["proposal_dist"]["random_state"] = self.stream.state
        return state

    def evolved(self) -> dict[str, Any]:
        """The state without that of its random numbers."""
        self._started()
        proposed = self.proposed
        return {
            "chain_id": self.chain_id,
            "beta": self.beta,
            "iteration": self.iteration,
            "current_position": self.current_position,
            "current_stats": self.current_stats,
            "hasblobs": self.hasblobs,
            "current_blob": copied(self.current_blob),
            "proposed_position": None if proposed is None else self._named(proposed.x),
            "accepted": self.accepted,
            "acceptance_ratio": self.acceptance_ratio,
            "nan_count": self.nan_count,
            "proposal_dist": self.proposal_dist.evolved(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. Drops the history; needs no start position.

        Raises
        ------
        ValueError
            If the state is of other parameters or proposals.
        """
        self.check_state(state)
        self.resume(copied(state))
        self.restart()

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Refuse a state that is not of a chain like this one.

        Raises
        ------
        ValueError
            If the state is of other parameters or proposals.
        """
        try:
            parameters = set(state["current_position"])
            proposals = set(state["proposal_dist"]) - {"random_state"}
        except (KeyError, TypeError):
            raise ValueError(f"this is no state of a chain: {type(state).__name__}") from None
        if any(isinstance(key, frozenset) for key in proposals):
            raise ValueError(
                "this is a state of EPSIE 1.x, whose proposals learned in other ways. Start anew "
                "from its positions: set start_position to the values of 'current_position'"
            )
        if parameters != set(self.parameters):
            raise ValueError(
                f"the state has the parameters {sorted(parameters)}, this chain has "
                f"{sorted(self.parameters)}"
            )
        self.proposal_dist.check_state(proposals)

    def restart(self) -> None:
        """Drop the history, and start from where it stands."""
        self.history.clear()
        self.notes = []
        self.start = self.point
        self.lastclear = self.iteration

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take over a state, which is its own from now on, and keep the history."""
        x = tuple([state["current_position"][name] for name in self.parameters])
        stats, blob, proposed = (
            state[k] for k in ("current_stats", "current_blob", "proposed_position")
        )
        proposals = state["proposal_dist"]
        self.proposal_dist.evolve(proposals)
        if "random_state" in proposals:
            self.stream.state = proposals["random_state"]
        self.point = Point(x, stats["logl"], stats["logp"], blob)
        self.proposed = None
        if proposed is not None:
            self.proposed = Point(tuple([proposed[n] for n in self.parameters]), nan, nan, None)
        for name in ("chain_id", "beta", "iteration", "accepted", "acceptance_ratio", "nan_count"):
            setattr(self, name, state[name])

    def reset_proposals(self) -> None:
        """Let the proposals forget what they learned."""
        self.proposal_dist.reset()


def as_beta(beta: Any) -> float:
    """An inverse temperature.

    Raises
    ------
    ValueError
        If it does not lie in [0, 1].
    """
    if not 0 <= beta <= 1:
        raise ValueError(f"beta must lie in [0, 1]; got {beta!r}")
    return float(beta)


def as_nan_policy(nan: Any) -> NanPolicy:
    """What to do with NaN.

    Raises
    ------
    ValueError
        If it is neither 'raise' nor 'reject'.
    """
    if nan not in ("raise", "reject"):
        raise ValueError(f"nan must be 'raise' or 'reject'; got {nan!r}")
    policy: NanPolicy = nan
    return policy
