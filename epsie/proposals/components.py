"""The components of a transdimensional position, each active or not."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import nan
from typing import NamedTuple, Self

from epsie.copying import SetsAttributes
from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal, VirtualMove, picker
from epsie.proposals.birth import BaseBirth


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
        """What births, deaths and jumps of components add to the log ratio."""
        total = 0.0
        for i, first in enumerate(self._firsts):
            was, will_be = x[first] == x[first], y[first] == y[first]
            if was and will_be:
                if not self.parts[i].symmetric:
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
                total += part.log_density(there, here)
            elif will_be:
                born += 1
                total += birth.log_density(there)
            elif was:
                dead += 1
        return Density(total, born, dead)

    def count(self, x: Position) -> int:
        """How many are active."""
        return sum(x[first] == x[first] for first in self._firsts)

    def refusal(self, x: Position) -> str | None:
        """Why no jump can be made from `x`; None if one can."""
        for part, pick in zip(self.parts, self.picks, strict=True):
            here = pick(x)
            missing = [value != value for value in here]
            if any(missing) and not all(missing):
                return (
                    f"of {', '.join(part.parameters)} some are NaN and some are not; a component "
                    "is either active or not, and then all its parameters are NaN"
                )
            refusal = None if any(missing) else part.refusal(here)
            if refusal:
                return refusal
        return None

    def virtual_moves(
        self, x: Position, y: Position, moved: Sequence[BaseProposal]
    ) -> list[VirtualMove]:
        """The positions, of `x` else, that those which jumped want to learn from."""
        moves = []
        for part, pick in zip(self.parts, self.picks, strict=True):
            if not part.learns_virtually or not any(part is other for other in moved):
                continue
            for move in part.virtual_moves(pick(x), pick(y)):
                values = dict(zip(part.parameters, move.x, strict=True))
                names = zip(self.parameters, x, strict=True)
                moves.append(move._replace(x=tuple([values.get(n, v) for n, v in names])))
        return moves
