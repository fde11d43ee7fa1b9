"""Jumps between models with different numbers of components."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Mapping
from math import comb, exp, inf, log
from typing import Any, Self

import numpy as np
from numpy.random import BitGenerator
from numpy.typing import NDArray

from epsie.errors import ProposalError
from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal, is_built_in
from epsie.proposals.birth import BaseBirth
from epsie.proposals.components import Components, check_parts, match_births
from epsie.proposals.composite import Composite
from epsie.proposals.distribution import set_state_of, state_of
from epsie.proposals.joint import check_cover
from epsie.proposals.outcome import Outcome, VirtualMove, rejected
from epsie.rng.stream import Stream

_ROUNDING = 1e-12
"""A part of a sum of probabilities that may be missing by rounding alone."""


class NestedTransdimensional(Composite):
    r"""Jumps of a number k of components, and of the parameters of those that are active.

    A component is what one of `proposals` makes jumps for: one parameter or several. The parameters
    of an inactive component are NaN, so that a position itself tells which are active; k, the
    parameter of `model_proposal`, is always their number.

    **Convention.** The model's prior is p(k) times the densities of the active parameters. All
    active sets of the same size count as equally likely, which is implied: logp has no term for it.

    **A jump.** `model_proposal` proposes k'. If it is larger than k, the components that are born
    are chosen uniformly among the inactive ones and drawn from their births b; if it is smaller,
    those that die are chosen uniformly among the active ones. Every component that is active
    before and after makes a jump of its own. A k' that does not exist, below 0 or above the number
    n of components, counts as a proposal to keep k: then only the components jump. (The mass of
    such proposals belongs to that of k itself, whose ratio to its own reverse is 1 whatever it is,
    and the proposals of all other k' are as they were; so this is exact. To clip k' would not be.)

    **Its Hastings ratio.** With d = k' - k > 0 births out of n - k inactive components, the jump
    and its reverse have the densities

    .. math:: q(y|x) = q(k'|k) \binom{n-k}{d}^{-1} \prod_{born} b(y_c) \prod_{stay} q(y_c|x_c),
              \qquad
              q(x|y) = q(k|k') \binom{k'}{d}^{-1} \prod_{stay} q(x_c|y_c),

    and the implied prior of the active sets contributes :math:`\binom{n}{k} / \binom{n}{k'}` to
    the acceptance ratio. All binomials cancel, as

    .. math:: \binom{n}{k} \binom{n-k}{d} = \frac{n!}{k! \, d! \, (n-k')!}
              = \binom{n}{k'} \binom{k'}{d},

    so that :math:`\log q(k|k') - \log q(k'|k)`, minus the log densities of the born, plus those of
    the dead (d < 0 is the reverse), plus the Hastings terms of the jumps of those that stay, is
    all that is added to the log ratio. (Green 1995, doi:10.1093/biomet/82.4.711; the births are
    independent draws, so there is no Jacobian.)

    `logpdf` is the normalised density with respect to the measure that the prior refers to, in
    which every active set of k components has the weight :math:`\binom{n}{k}^{-1}`; its differences
    are that ratio.

    **Learning.** A component's proposal learns from the jumps that it makes, that is, only if it
    was active before the step and would have been after; `model_proposal` from every one, and from
    a k' that does not exist as from a rejected jump.

    Parameters
    ----------
    parameters : iterable of str
        All parameters: that of `model_proposal` and those of `proposals`.
    model_proposal : BaseProposal
        Makes jumps of k; discrete, for one parameter.
    proposals : iterable of BaseProposal
        One for each component. They are used as they are, not copied.
    birth_distributions : iterable of BaseBirth
        One for each proposal, with the same `parameters` in the same order.
    bit_generator : BitGenerator, int or None, optional
        The source of random numbers of all of them, or a seed.

    Raises
    ------
    ValueError
        If the parameters are not those of the proposals, `model_proposal` is not for one discrete
        parameter, there is no component, or births do not match the proposals one to one.
    TypeError
        If something is no proposal or no birth.
    """

    name = "nested_transdimensional"
    symmetric = False
    transdimensional = True

    proposals: NDArray[np.object_]
    """The proposals of the components."""

    def __init__(
        self,
        parameters: Iterable[str],
        model_proposal: BaseProposal,
        proposals: BaseProposal | Iterable[BaseProposal],
        birth_distributions: BaseBirth | Iterable[BaseBirth],
        bit_generator: BitGenerator | int | None = None,
    ) -> None:
        self.parameters = parameters
        parts = (proposals,) if isinstance(proposals, BaseProposal) else tuple(proposals)
        check_cover(self.parameters, (model_proposal, *parts))
        check_parts(model_proposal, parts)
        given = birth_distributions
        births = (given,) if isinstance(given, BaseBirth) else tuple(given)
        self._parts = (model_proposal, *parts)
        self._k = self._arrange()[0][0]
        self._consist_of(Components(parts, match_births(parts, births), self.parameters))
        self._share(Stream(bit_generator))

    def _consist_of(self, components: Components) -> None:
        """Know the components, and the proposals for them and for their number."""
        self._components = components
        self.model_proposal = self._parts[0]
        self.proposals = np.empty(len(components), dtype=object)
        self.proposals[:] = components.parts
        self._learning_births = [
            birth for birth in components.births if type(birth).update is not BaseBirth.update
        ]
        self._moved: list[BaseProposal] = []
        self._strayed = self._grows = False

    def draw(self, x: Position) -> Position | None:
        """A jump from `x`; None if all that could jump rests."""
        parts, births, picks, absent = self._components.all
        here: list[Position] = []
        on: list[int] = []
        off: list[int] = []
        for i, pick in enumerate(picks):
            at = pick(x)
            here.append(at)
            (on if at[0] == at[0] else off).append(i)
        k = len(on)
        if k != x[self._k]:
            raise self._impossible(x)
        moved = self._moved = []
        to = self._draw_k(k)
        there = here.copy()
        self._grows = to > k
        if to > k:
            for i in self._chosen(off, to - k):
                there[i] = births[i].draw()
        elif to < k:
            for i in self._chosen(on, k - to):
                there[i] = absent[i]
                on.remove(i)
        for i in on:
            part = parts[i]
            drawn = None if part.jump_interval != 1 and part._rests() else part.draw(here[i])
            if drawn is not None:
                there[i] = drawn
                moved.append(part)
        return self._ordered((to, *itertools.chain.from_iterable(there))) if moved else None

    def _impossible(self, x: Position) -> ValueError:
        named = dict(zip(self.parameters, x, strict=True))
        return ValueError(f"Given point {named}: {self._refusal(x)}")

    def _draw_k(self, k: int) -> int:
        """The number of components to jump to: `k` too if the proposed one does not exist."""
        model = self.model_proposal
        self._strayed = False
        drawn = None if model.jump_interval != 1 and model._rests() else model.draw((k,))
        if drawn is None:
            return k
        self._moved.append(model)
        to = drawn[0]
        if not 0 <= to <= len(self.proposals):
            self._strayed = True
            return k
        if int(to) != to:
            raise ProposalError(
                f"{type(model).__name__} proposed {to!r} for {model.parameters[0]}, the number of "
                "active components; it must propose whole numbers"
            )
        return int(to)

    def _chosen(self, among: list[int], n: int) -> list[int]:
        """Some of several, all choices of `n` being equally likely."""
        left = among.copy()
        if n == len(left):
            return left
        uniform = self.stream.uniform
        return [left.pop(int(len(left) * uniform())) for _ in range(n)]

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x), with the ratio of the implied priors of the active sets."""
        total, model = self._components.log_hastings(x, y), self.model_proposal
        k, to = x[self._k], y[self._k]
        if k != to and model._adds_hastings():
            total += model.log_hastings((k,), (to,))
        return total

    def log_density(self, y: Position, x: Position) -> float:
        """Log q(y | x) for the measure that the prior refers to, if nothing rests."""
        n, k, to = len(self._components), int(x[self._k]), int(y[self._k])
        total, born, dead = self._components.log_density(y, x)
        if to != k + born - dead or (born and dead):
            return -inf
        # Of the sets that the jump can lead to each is equally likely; its density is its
        # probability over its weight.
        choices = comb(n - k, born) * comb(k, dead)
        return total + log(comb(n, to) / choices) + self._log_mass(to, k)

    def _log_mass(self, to: int, k: int) -> float:
        """The log probability to jump from `k` components to so many."""
        model = self.model_proposal
        direct = model.log_density((to,), (k,))
        if to != k:
            return direct
        others = [model.log_density((i,), (k,)) for i in range(len(self._components) + 1) if i != k]
        strayed = 1 - sum(map(exp, others)) - exp(direct)
        return direct if strayed < _ROUNDING else log(strayed + exp(direct))

    def _refusal(self, x: Position) -> str | None:
        """The reason why no jump can be made from `x`; None if one can."""
        refusal = self._components.refusal(x)
        if refusal:
            return refusal
        (name,), k, active = self.model_proposal.parameters, x[self._k], self._components.count(x)
        if k != active:
            return (
                f"{name} is {k}, but the number of active components is {active}; {name} must be "
                "the number of those whose parameters are not NaN"
            )
        return self.model_proposal._refusal((k,))

    def _learn_from(self, outcome: Outcome, chain: Any) -> None:
        """Let every part that jumped learn from the outcome."""
        if self._grows and outcome.accepted:
            self._components.check_births(self._pick(outcome.point.x))
        if self._moved:
            self._nsteps += 1
            for part in self._moved:
                # A k that does not exist is rejected, whatever becomes of the other jumps.
                strayed = self._strayed and part is self.model_proposal
                part._learn_from(*(rejected(outcome, chain) if strayed else (outcome, chain)))
            for birth in self._learning_births:
                birth.update(chain)
        for part in self._parts:
            if part.jump_interval != 1:
                part._iterations_at_interval += 1

    @property
    def _learns_virtually(self) -> bool:
        """Whether the proposal of a component may ask for virtual moves."""
        return any(part._learns_virtually for part in self._components.parts)

    def _virtual_moves(self, x: Position, y: Position) -> list[VirtualMove]:
        """The positions that components which jumped want to learn from, of `x` else."""
        blocks = zip(self._components.parts, self._components.picks, strict=True)
        moved = [block for block in blocks if any(block[0] is part for part in self._moved)]
        return self._moves_of(moved, x, y)

    def _share(self, stream: Stream) -> None:
        """Draw from `stream`, in all parts and births."""
        super()._share(stream)
        for birth in self._components.births:
            birth._share(stream)

    def _dtypes(self) -> dict[str, type]:
        """The type of each parameter's values in a history: int for k, else float, for NaN."""
        kinds: dict[str, type] = dict.fromkeys(self.parameters, float)
        return {**kinds, **dict.fromkeys(self.model_proposal.parameters, int)}

    def _evolved(self) -> dict[str, Any]:
        births = {"+".join(birth.parameters): state_of(birth) for birth in self._components.births}
        return {**super()._evolved(), "_births": births, "_counters": self._counted()}

    def _evolve(self, state: Mapping[str, Any]) -> None:
        own = ("_births", "_counters")
        super()._evolve({key: state[key] for key in state if key not in own})
        for birth in self._components.births:
            set_state_of(birth, state["_births"]["+".join(birth.parameters)])
        self._count(state["_counters"])

    def _copied(self, stream: Stream) -> Self:
        if not is_built_in(self):
            return super()._copied(stream)
        twin = copy.copy(self)
        twin.stream = stream
        twin._parts = tuple([part._copied(stream) for part in self._parts])
        births = [birth._copied(stream) for birth in self._components.births]
        twin._consist_of(self._components.holding(twin._parts[1:], births))
        # Not the originals, which would travel with it.
        own = (twin.parameters, twin.model_proposal, twin._components.parts, births)
        twin._arguments = (own, {})
        return twin
