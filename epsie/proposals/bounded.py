"""Proposals that are confined to bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal
from epsie.proposals.boundaries import Boundaries, as_boundaries, out_of_bounds, within


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

    def _refusal(self, x: Position) -> str | None:
        """The reason why no jump can be made from `x`; None if one can."""
        found = out_of_bounds(self.parameters, x, self._bounds)
        return f"{found}; start within the bounds, or widen `boundaries`" if found else None

    def _outside(self, x: Position) -> ValueError:
        return ValueError(self._refusal(x))
