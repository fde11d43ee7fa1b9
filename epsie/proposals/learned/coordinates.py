"""Coordinates: one parameter stretched, so that bounds are far away, or a circle that is cut."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, expm1, inf, isfinite, log, log1p, remainder
from typing import Any, NamedTuple

TINY = 1e-300
"""Stands for a distance of 0 to a bound, and for a scale of 0."""

_LARGEST_EXP = 700.0


class Coordinate(NamedTuple):
    """One parameter x as a coordinate u that any number may be, or at least many.

    Parameters
    ----------
    kind : {'identity', 'log', 'softplus', 'logit', 'angle'}
        What u is.
    lower, upper : float
        The bounds of x, either may be infinite; of an angle, where its turn begins and ends.
    edge : float
        The bound from which 'log' and 'softplus' measure; the centre of an 'angle'.
    scale : float
        How far from its edge 'softplus' becomes the identity, in x.
    """

    kind: str = "identity"
    lower: float = -inf
    upper: float = inf
    edge: float = 0.0
    scale: float = 1.0

    @property
    def side(self) -> float:
        """1 if x lies above the edge, -1 below."""
        return -1.0 if self.edge == self.upper else 1.0

    def forward(self, x: float) -> tuple[float, float]:
        """The coordinate u of x, and log |dx/du|."""
        if self.kind == "identity":
            return x, 0.0
        if self.kind == "angle":
            return remainder(x - self.edge, self.upper - self.lower), 0.0
        if self.kind == "logit":
            above, below = max(x - self.lower, TINY), max(self.upper - x, TINY)
            log_above, log_below = log(above), log(below)
            u = log_above - log_below
            return u, log_above + log_below - log(self.upper - self.lower)
        away = max(self.side * (x - self.edge), TINY)
        if self.kind == "log":
            u = log(away)
            return u, u
        z = max(away / self.scale, TINY)
        bend = log(-expm1(-z))
        return self.scale * (z + bend), bend

    def inverse(self, u: float, wraps: bool = False) -> float | None:
        """The x of a coordinate; None if it is out of bounds.

        Parameters
        ----------
        u : float
            The coordinate.
        wraps : bool, optional
            Whether an angle may lie in any turn.
        """
        if self.kind == "identity":
            x = u
        elif self.kind == "angle":
            return self._angle(u, wraps)
        elif self.kind == "logit":
            half = exp(-min(abs(u), _LARGEST_EXP))
            part = (self.upper - self.lower) * half / (1 + half)
            x = self.lower + part if u < 0 else self.upper - part
        elif self.kind == "log":
            x = self.edge + self.side * exp(min(u, _LARGEST_EXP))
        else:
            z = u / self.scale
            z = z + log1p(exp(-z)) if z > 0 else log1p(exp(z))
            x = self.edge + self.side * self.scale * z
        # A bound itself is reached by rounding alone, unless it is one of a plain interval.
        within = self.lower < x < self.upper
        return x if within and isfinite(x) else None

    def _angle(self, u: float, wraps: bool) -> float | None:
        period = self.upper - self.lower
        if not -period / 2 <= u < period / 2:
            if not wraps:
                return None
            u = remainder(u, period)
        x = self.lower + (self.edge + u - self.lower) % period
        return x if x < self.upper else self.lower


class Standard(NamedTuple):
    """One parameter x as u = (x - loc) / scale, where either may be another parameter.

    So a member of a group is as spread, and independent of mean and scale of the group, however
    narrow it becomes.

    Parameters
    ----------
    kind : {'standard'}
        What u is.
    loc_at, scale_at : int
        The places of the parameters that are `loc` and `scale`; -1: it is a number.
    loc, scale : float
        The numbers.
    """

    kind: str
    loc_at: int
    scale_at: int
    loc: float
    scale: float

    @property
    def needs(self) -> list[int]:
        """The places of other parameters that it depends on."""
        return [at for at in (self.loc_at, self.scale_at) if at >= 0]

    def of(self, x: Any) -> tuple[Any, Any]:
        """Location and scale at a position, or, given columns, at many."""
        loc = x[self.loc_at] if self.loc_at >= 0 else self.loc
        return loc, x[self.scale_at] if self.scale_at >= 0 else self.scale


def in_order(standards: Mapping[int, Standard]) -> list[int]:
    """Their places, each after those that it depends on.

    Raises
    ------
    ValueError
        If one depends on itself.
    """
    found: list[int] = []
    while len(found) < len(standards):
        ready = [
            i
            for i, one in standards.items()
            if i not in found and all(at in found or at not in standards for at in one.needs)
        ]
        if not ready:
            raise ValueError("a parameter is relative to itself")
        found += ready
    return found
