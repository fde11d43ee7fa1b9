"""A spot: a position in the coordinates in which moves are made."""

from __future__ import annotations

from collections.abc import Sequence

from epsie.model.evaluation import Position
from epsie.proposals.learned.components import Weighed


class Spot:
    """A position, its coordinates, and what is known of it. All follows from the position.

    Parameters
    ----------
    x : tuple of float
        The position.
    u : sequence of float
        Its coordinates.
    log_jacobian : float
        Log |dx/du|, less a constant.
    weighed : Weighed or None
        The point as the mixture sees it, if that was asked for.
    log_reference : float or None
        The log density of mixture and prior together, if that was asked for.
    """

    __slots__ = ("log_jacobian", "log_reference", "u", "weighed", "x")

    def __init__(
        self,
        x: Position,
        u: Sequence[float],
        log_jacobian: float,
        weighed: Weighed | None = None,
        log_reference: float | None = None,
    ) -> None:
        self.x, self.u, self.log_jacobian, self.weighed = x, u, log_jacobian, weighed
        self.log_reference = log_reference
