"""Proposals that are confined to bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import Any

from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal
from epsie.proposals.boundaries import Boundaries, as_boundaries, within
from epsie.proposals.truncated_normal import FAR, FLAT, mass
from epsie.proposals.widths import WidthProposal


class Bounded(BaseProposal):
    """A proposal whose jumps stay within bounds, both of which are included."""

    symmetric = False

    _bounds: Sequence[tuple[Any, ...]] = ()
    """The lower and the upper bound of each parameter, and what else a class keeps with them."""

    @property
    def boundaries(self) -> dict[str, Boundaries]:
        """The bounds of each parameter: a copy, settable as a whole."""
        # Not through the constructor, which would make floats of integers.
        bounds = [tuple.__new__(Boundaries, limits[:2]) for limits in self._bounds]
        return dict(zip(self.parameters, bounds, strict=True))

    @boundaries.setter
    def boundaries(self, boundaries: Mapping[str, Iterable[float]]) -> None:
        found = as_boundaries(boundaries, self.parameters, apart=not self.discrete)
        self._confine(list(found.values()))

    def _confine(self, bounds: Sequence[tuple[float, float]]) -> None:
        """Keep the bounds, as `_bounds`."""
        self._bounds = [(lower, upper) for lower, upper in bounds]

    def __contains__(self, point: Mapping[str, float]) -> bool:
        return within(point, self.boundaries)

    def refusal(self, x: Position) -> str | None:
        """Why no jump can be made from `x`; None if one can."""
        outside = [
            f"{name} = {value!r} not in [{lower!r}, {upper!r}]"
            for name, value, (lower, upper, *_) in zip(self.parameters, x, self._bounds)
            if not lower <= value <= upper
        ]
        if not outside:
            return None
        return (
            f"Given point is out of bounds: {', '.join(outside)}; start within the bounds, or "
            "widen `boundaries`"
        )

    def _outside(self, x: Position) -> ValueError:
        return ValueError(self.refusal(x))


class BoundedWidths(Bounded, WidthProposal):
    """A bounded proposal whose parameters jump independently."""

    _edges: Sequence[tuple[float, float]] = ()
    """Between which values the underlying normal jump of each parameter must end."""

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x): of each truncated normal only the mass is left."""
        # What did not move, jumps where the bounds are far, or from a flat distribution, cancels
        # exactly. The others lie between 1/2 and 2: no underflow, however narrow or wide the jumps.
        ratio = 1.0
        for here, there, width, (lower, upper) in zip(x, y, self.widths, self._edges):
            reach = FAR * width
            least, most = lower + reach, upper - reach
            if least < here < most and least < there < most:
                continue
            if here != there and FLAT * width < upper - lower:
                left, back = (lower - here, upper - here), (lower - there, upper - there)
                ratio *= self._mass(*left, width) / self._mass(*back, width)
        return log(ratio)

    _mass = staticmethod(mass)
