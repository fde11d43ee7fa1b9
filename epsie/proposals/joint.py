"""All proposals of a chain as one."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Self

from numpy.random import BitGenerator

from epsie.checks import in_order
from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal
from epsie.proposals.clashes import refuse_names_of
from epsie.proposals.composite import Composite
from epsie.proposals.outcome import Outcome, VirtualMove
from epsie.proposals.places import picker
from epsie.rng.stream import Stream


class JointProposal(Composite):
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

    _corrects: bool
    """Whether the log ratio needs `log_hastings`."""

    def __init__(
        self, *proposals: BaseProposal, bit_generator: BitGenerator | int | None = None
    ) -> None:
        if not proposals:
            raise ValueError("JointProposal needs at least one proposal; got none")
        self._parts = proposals
        names = tuple([name for part in proposals for name in part.parameters])
        check_cover(names, proposals)
        self._cover(names)
        self._share(Stream(bit_generator))

    @property
    def proposals(self) -> tuple[BaseProposal, ...]:
        """The parts."""
        return self._parts

    def _cover(self, parameters: tuple[str, ...]) -> None:
        """Take and give positions in this order of its parameters."""
        self.parameters = parameters
        self.symmetric = all(part.symmetric for part in self._parts)
        self._corrects = any(part._adds_hastings() for part in self._parts)
        self.transdimensional = any(part.transdimensional for part in self._parts) or None
        self._blocks = list(zip(self._parts, map(picker, self._arrange()), strict=True))
        self._moved = self._blocks
        only = self._parts[0]
        self._only = only if only.parameters == self.parameters else None

    def _dtypes(self) -> dict[str, type]:
        return {name: kind for part in self._parts for name, kind in part._dtypes().items()}

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
            there = None if part.jump_interval != 1 and part._rests() else part.draw(here)
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

    def _log_jacobian(self, x: Position) -> float:
        """The term that makes `log_density` at `x` one in the parameters."""
        return sum(part._log_jacobian(pick(x)) for part, pick in self._blocks)

    def _adds_hastings(self) -> bool:
        """Whether the log ratio needs `log_hastings`."""
        return self._corrects

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x) of the parts that moved in the last draw."""
        if self._only is not None:
            return self._only.log_hastings(x, y)
        total = 0.0
        for part, pick in self._moved:
            if part._adds_hastings():
                total += part.log_hastings(pick(x), pick(y))
        return total

    def _refusal(self, x: Position) -> str | None:
        """The reason why no jump can be made from `x`; None if one can."""
        for part, pick in self._blocks:
            refusal = part._refusal(pick(x))
            if refusal:
                return refusal
        return None

    def _virtual_moves(self, x: Position, y: Position) -> list[VirtualMove]:
        """The positions that its parts want to learn from, beside the jump from `x` to `y`."""
        if self._only is not None:
            return self._only._virtual_moves(x, y)
        return self._moves_of(self._moved, x, y)

    def _learn_from(self, outcome: Outcome, chain: Any) -> None:
        """Let every part that jumped learn from the outcome."""
        for part in self._parts:
            if part.jump_interval == 1:
                part._learn_from(outcome, chain)
            else:
                part._tick(outcome, chain)

    def _copied(self, stream: Stream) -> Self:
        """An independent copy that draws from `stream`."""
        twin = copy.copy(self)
        twin.stream = stream
        twin._parts = tuple([part._copied(stream) for part in self._parts])
        # Not the originals, which would travel with it.
        twin._arguments = (twin._parts, {})
        picks = [pick for _, pick in self._blocks]
        twin._blocks = twin._moved = list(zip(twin._parts, picks))
        twin._only = None if self._only is None else twin._parts[0]
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
    joint._cover(parameters)
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
        named = proposals if isinstance(proposals, str) else proposals.__name__  # type: ignore[unreachable]
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
        refuse_names_of(part)
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
        problems += [f"unknown are {', '.join(unknown)}"] if unknown else []
        raise ValueError(
            f"proposals must be for the parameters {', '.join(parameters)}; " + "; ".join(problems)
        )
