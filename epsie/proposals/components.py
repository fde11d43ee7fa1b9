"""The components of a transdimensional position, each active or not."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import nan
from typing import NamedTuple, Self

from epsie.copying import SetsAttributes
from epsie.errors import ProposalError
from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal, is_built_in
from epsie.proposals.birth import BaseBirth
from epsie.proposals.clashes import refuse_names_of
from epsie.proposals.places import picker
from epsie.proposals.solid_angle import IsotropicSolidAngle


class Density(NamedTuple):
    """The log density of what a jump does to components, and how many are born and die in it."""

    log_density: float
    born: int
    dead: int


class Components(SetsAttributes):
    """Components with their proposals and births, and where they are in a position.

    The parameters of one that is not active are NaN.

    Parameters
    ----------
    parts : sequence of BaseProposal
        The proposal of each.
    births : sequence of BaseBirth
        The birth of each.
    parameters : tuple of str
        The order of positions.
    """

    def __init__(
        self,
        parts: Sequence[BaseProposal],
        births: Sequence[BaseBirth],
        parameters: tuple[str, ...],
    ) -> None:
        self.parameters = parameters
        places = [[parameters.index(name) for name in part.parameters] for part in parts]
        self.picks = [picker(place) for place in places]
        self._firsts = [place[0] for place in places]
        self.absent: list[Position] = [(nan,) * len(place) for place in places]
        self._hold(parts, births)

    def _hold(self, parts: Sequence[BaseProposal], births: Sequence[BaseBirth]) -> None:
        self.parts, self.births = list(parts), list(births)
        self.all = self.parts, self.births, self.picks, self.absent
        for part, birth in zip(parts, births, strict=True):
            part.birth_distribution = birth  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self.parts)

    def holding(self, parts: Sequence[BaseProposal], births: Sequence[BaseBirth]) -> Self:
        """The same with copies of the proposals and births."""
        twin = copy.copy(self)
        twin._hold(parts, births)
        return twin

    def log_hastings(self, x: Position, y: Position) -> float:
        """The terms of the log ratio that births, deaths and jumps of components add."""
        total = 0.0
        for i, first in enumerate(self._firsts):
            was, will_be = x[first] == x[first], y[first] == y[first]
            if was and will_be:
                if self.parts[i]._adds_hastings():
                    here, there = self.picks[i](x), self.picks[i](y)
                    # One that rested adds nothing.
                    if here != there:
                        total += self.parts[i].log_hastings(here, there)
            elif will_be:
                total -= self.births[i].log_density(self.picks[i](y))
            elif was:
                total += self.births[i].log_density(self.picks[i](x))
        return total

    def log_density(self, y: Position, x: Position) -> Density:
        """The log density of births and jumps, if no proposal rests."""
        total, born, dead = 0.0, 0, 0
        for part, birth, pick in zip(self.parts, self.births, self.picks, strict=True):
            here, there = pick(x), pick(y)
            was, will_be = here[0] == here[0], there[0] == there[0]
            if was and will_be:
                total += part.log_density(there, here) + part._log_jacobian(there)
            elif will_be:
                born += 1
                total += birth.log_density(there)
            elif was:
                dead += 1
        return Density(total, born, dead)

    def count(self, x: Position) -> int:
        """The number of those that are active."""
        return sum(x[first] == x[first] for first in self._firsts)

    def refusal(self, x: Position) -> str | None:
        """The reason why no jump can be made from `x`; None if one can."""
        for part, pick in zip(self.parts, self.picks, strict=True):
            here = pick(x)
            missing = [value != value for value in here]
            if any(missing) and not all(missing):
                return (
                    f"of {', '.join(part.parameters)} some are NaN and some are not; a component "
                    "is either active or not, and then all its parameters are NaN"
                )
            refusal = None if any(missing) else part._refusal(here)
            if refusal:
                return refusal
        return None

    def check_births(self, x: Position) -> None:
        """Refuse a position to which a birth led, if no jump can be made from it.

        Raises
        ------
        ProposalError
            If so.
        """
        if refusal := self.refusal(x):
            raise ProposalError(
                "a component was born, and accepted, where its proposal can make no jump from. "
                f"Proposal, birth and the model's prior must have the same domain: {refusal}"
            )


def match_births(parts: Sequence[BaseProposal], births: Sequence[BaseBirth]) -> list[BaseBirth]:
    """The birth of each proposal, in their order.

    Raises
    ------
    ValueError
        If a proposal has no birth or several, or a birth has no proposal.
    TypeError
        If something is no birth.
    """
    for birth in births:
        if not isinstance(birth, BaseBirth):
            raise TypeError(
                f"birth_distributions must be instances of BaseBirth; got {birth!r} of type "
                f"{type(birth).__name__}"
            )
        refuse_names_of(birth)
    found = []
    for part in parts:
        own = [birth for birth in births if birth.parameters == part.parameters]
        if len(own) != 1:
            raise ValueError(
                f"the proposal for {part.parameters} needs exactly one birth with the same "
                f"parameters in the same order; got {len(own)} of the births for "
                f"{[birth.parameters for birth in births]}"
            )
        found += own
    surplus = [birth.parameters for birth in births if birth not in found]
    if surplus:
        raise ValueError(
            f"there is no proposal for the births for {surplus}; proposals are for "
            f"{[part.parameters for part in parts]}"
        )
    return found


def check_parts(model_proposal: BaseProposal, parts: Sequence[BaseProposal]) -> None:
    """Refuse what can make no jumps of a number of components, or is none.

    Raises
    ------
    ValueError
        If the model's proposal is not for one discrete parameter, there is no component, or one
        is transdimensional itself, or counts per steradian.
    """
    if len(model_proposal.parameters) != 1 or (
        is_built_in(model_proposal) and not model_proposal.discrete
    ):
        raise ValueError(
            "model_proposal must be for one discrete parameter, the number of active components, "
            f"as NormalDiscrete or BoundedDiscrete are; got {model_proposal!r}"
        )
    if not parts:
        raise ValueError("proposals must hold one for each component; got none")
    for part in parts:
        if getattr(part, "transdimensional", None):
            raise ValueError(f"components cannot be transdimensional themselves; got {part!r}")
        for leaf in part.leaves():
            if isinstance(leaf, IsotropicSolidAngle) and leaf.density != "angles":
                raise ValueError(
                    f"a component's births have a density in its parameters, so that {leaf!r} must "
                    "have density='angles', and the model's logp be one in the angles, too"
                )
