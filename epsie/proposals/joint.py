"""All proposals of a chain as one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Self

from numpy.random import BitGenerator

from epsie.checks import as_names, in_order
from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal, VirtualMove, picker
from epsie.proposals.distribution import set_state_of, state_of
from epsie.proposals.outcome import Outcome
from epsie.rng.stream import Stream


class JointProposal(BaseProposal):
    """Proposals for different parameters, which jump together and independently of each other.

    Parameters
    ----------
    *proposals : BaseProposal
        The parts. They are used as they are, not copied, and all draw from one stream.
    bit_generator : BitGenerator, int or None, optional
        The source of random numbers, or a seed.

    Raises
    ------
    ValueError
        If there is no part, or two have a parameter in common.
    """

    name = "joint"

    def __init__(
        self, *proposals: BaseProposal, bit_generator: BitGenerator | int | None = None
    ) -> None:
        self.proposals = proposals
        if not proposals:
            raise ValueError("JointProposal needs at least one proposal; got none")
        names = [name for part in proposals for name in part.parameters]
        check_cover(tuple(names), proposals)
        self.arrange(names)
        self.share(Stream(bit_generator))

    def arrange(self, parameters: Iterable[str]) -> None:
        """Take and give positions in this order of its parameters."""
        self.parameters = as_names(parameters)
        self.symmetric = all(part.symmetric for part in self.proposals)
        self.transdimensional = any(part.transdimensional for part in self.proposals) or None
        self.locate(self.parameters)
        where = {name: i for i, name in enumerate(self.parameters)}
        places = [[where[name] for name in part.parameters] for part in self.proposals]
        self._blocks = list(zip(self.proposals, map(picker, places), strict=True))
        self._moved = self._blocks
        given = [i for place in places for i in place]
        self._ordered = _permutation([given.index(i) for i in range(len(given))])
        only = self.proposals[0]
        self._only = only if only.parameters == self.parameters else None

    def locate(self, parameters: tuple[str, ...]) -> None:
        """Learn where its parameters, and those of its parts, are in a chain's positions."""
        super().locate(parameters)
        for part in self.proposals:
            part.locate(parameters)

    def leaves(self) -> Iterator[BaseProposal]:
        """Its parts, and theirs."""
        for part in self.proposals:
            yield from part.leaves()

    def share(self, stream: Stream) -> None:
        """Draw from `stream`, in all parts."""
        self.stream = stream
        for part in self.proposals:
            part.share(stream)

    def dtypes(self) -> dict[str, type]:
        """The type of each parameter's values in a history."""
        return {name: kind for part in self.proposals for name, kind in part.dtypes().items()}

    def position(self, values: Mapping[str, Any]) -> Position:
        """Its part of a position, as a tuple of Python numbers."""
        parts = [value for part in self.proposals for value in part.position(values)]
        return self._ordered(parts)

    def draw(self, x: Position) -> Position | None:
        """A jump of all parts from `x`; None if every one rests."""
        only = self._only
        if only is not None and only.jump_interval == 1:
            return only.draw(x)
        y: list[float] = []
        moved = []
        for block in self._blocks:
            part, pick = block
            here = pick(x)
            there = None if part.jump_interval != 1 and part.rests() else part.draw(here)
            if there is None:
                y += here
            else:
                y += there
                moved.append(block)
        self._moved = moved
        return self._ordered(y) if moved else None

    def log_density(self, y: Position, x: Position) -> float:
        """Log q(y | x), if no part rests."""
        return sum(part.log_density(pick(y), pick(x)) for part, pick in self._blocks)

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x) of the parts that moved in the last draw."""
        if self._only is not None:
            return self._only.log_hastings(x, y)
        total = 0.0
        for part, pick in self._moved:
            if not part.symmetric:
                total += part.log_hastings(pick(x), pick(y))
        return total

    def refusal(self, x: Position) -> str | None:
        """Why no jump can be made from `x`; None if one can."""
        for part, pick in self._blocks:
            refusal = part.refusal(pick(x))
            if refusal:
                return refusal
        return None

    def virtual_moves(self, x: Position, y: Position) -> list[VirtualMove]:
        """The positions that its parts want to learn from, beside the jump from `x` to `y`."""
        if self._only is not None:
            return self._only.virtual_moves(x, y)
        moves = []
        for part, pick in self._moved:
            for move in part.virtual_moves(pick(x), pick(y)):
                values = dict(zip(part.parameters, move.x, strict=True))
                names = zip(self.parameters, x, strict=True)
                moves.append(move._replace(x=tuple([values.get(n, v) for n, v in names])))
        return moves

    @property
    def learns_virtually(self) -> bool:
        """Whether a part may ask for virtual moves."""
        return any(part.learns_virtually for part in self.proposals)

    def learn_from(self, outcome: Outcome, chain: Any) -> None:
        """Let every part that jumped learn from the outcome."""
        for part in self.proposals:
            if part.jump_interval == 1:
                part.learn_from(outcome, chain)
            else:
                part.tick(outcome, chain)

    def reset(self) -> None:
        """Let all parts forget what they learned."""
        for part in self.proposals:
            part.reset()

    def evolved(self) -> dict[str, Any]:
        """The states of the parts."""
        return {"+".join(part.parameters): state_of(part) for part in self.proposals}

    def check_state(self, keys: set[str]) -> None:
        """Refuse a state of other parts.

        Raises
        ------
        ValueError
            If there are other parts than these.
        """
        mine = {"+".join(part.parameters) for part in self.proposals}
        if mine != keys:
            raise ValueError(
                f"the state is of proposals for {sorted(keys)}, but these are for {sorted(mine)}"
            )

    def evolve(self, state: Mapping[str, Any]) -> None:
        """Take over the states of the parts.

        Raises
        ------
        ValueError
            If the state has other parts.
        """
        self.check_state(set(state) - {"random_state"})
        for part in self.proposals:
            set_state_of(part, state["+".join(part.parameters)])

    def copied(self, stream: Stream) -> Self:
        """An independent copy that draws from `stream`."""
        twin = copy.copy(self)
        twin.stream = stream
        twin.proposals = tuple([part.copied(stream) for part in self.proposals])
        # Not the originals, which would travel with it.
        twin._arguments = (twin.proposals, {})
        picks = [pick for _, pick in self._blocks]
        twin._blocks = twin._moved = list(zip(twin.proposals, picks))
        twin._only = None if self._only is None else twin.proposals[0]
        return twin


def joint_over(
    parameters: tuple[str, ...], proposals: BaseProposal | Iterable[BaseProposal]
) -> JointProposal:
    """Proposals that together cover some parameters, as one.

    Raises
    ------
    ValueError
        If a parameter has no proposal, or two, or a proposal is for another one.
    TypeError
        If something is no proposal.
    """
    parts = as_proposals(proposals)
    check_cover(parameters, parts)
    joint = JointProposal(*parts)
    joint.arrange(parameters)
    return joint


def as_proposals(proposals: BaseProposal | Iterable[BaseProposal] | None) -> tuple[Any, ...]:
    """One proposal or several, in order, as a tuple; none for None.

    Raises
    ------
    TypeError
        If it is a name or a class, which proposals are to be made of, or no several things.
    ValueError
        If they have no order, as in a set.
    """
    if proposals is None:
        return ()
    if isinstance(proposals, BaseProposal):
        return (proposals,)
    if isinstance(proposals, str | type):
        named = proposals if isinstance(proposals, str) else proposals.__name__
        raise TypeError(
            f"proposals must be made first, as epsie.proposals.Normal(['x', 'y']), not named: got "
            f"{named!r}. For a class that takes all parameters: default_proposal="
        )
    return in_order(proposals, "proposals")


def check_cover(
    parameters: tuple[str, ...], parts: tuple[BaseProposal, ...], partly: bool = False
) -> None:
    """Refuse proposals that do not fit the parameters.

    Raises
    ------
    ValueError
        If a proposal is for an unknown parameter, two are for the same, or (unless only `partly`
        is needed) a parameter has none.
    TypeError
        If something is no proposal.
    """
    owner: dict[str, BaseProposal] = {}
    for part in parts:
        if not isinstance(part, BaseProposal):
            raise TypeError(
                f"proposals must be instances of BaseProposal; got {part!r} of type "
                f"{type(part).__name__}"
            )
        for name in part.parameters:
            if name in owner:
                raise ValueError(
                    f"parameter {name!r} has two proposals, {owner[name]!r} and {part!r}; give "
                    "each parameter to one"
                )
            owner[name] = part
    nested = [part for part in parts if part.transdimensional]
    if len(nested) > 1:
        raise ValueError(
            f"only one proposal may be transdimensional; got {len(nested)}: {nested!r}"
        )
    unknown = [name for name in owner if name not in parameters]
    missing = [] if partly else [name for name in parameters if name not in owner]
    if unknown or missing:
        problems = [f"without a proposal: {', '.join(missing)}"] if missing else []
        problems += [f"no parameters: {', '.join(unknown)}"] if unknown else []
        raise ValueError(
            f"proposals must be for the parameters {', '.join(parameters)}; " + "; ".join(problems)
        )


def _permutation(places: list[int]) -> Callable[[list[float]], Position]:
    if places == list(range(len(places))):
        return tuple
    return itemgetter(*places)
