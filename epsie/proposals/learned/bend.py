"""The bend of a position: a coordinate for each parameter, of which no bound is near."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite, log, nan

import numpy as np

from epsie.model.evaluation import Position
from epsie.proposals.learned.coordinates import TINY, Coordinate, Standard, in_order
from epsie.proposals.learned.distances import Array
from epsie.rng.elementwise import logs


class Bend:
    """A position as coordinates, and back. Never changed once made.

    Parameters
    ----------
    coordinates : sequence of Coordinate or Standard
        One for each parameter.
    """

    def __init__(self, coordinates: Sequence[Coordinate | Standard]) -> None:
        self.coordinates = tuple(coordinates)
        own = [(i, c) for i, c in enumerate(self.coordinates) if isinstance(c, Coordinate)]
        plain = [(i, c) for i, c in own if c.kind == "identity"]
        self._bounds = [(i, c.lower, c.upper) for i, c in plain if (c.lower, c.upper) != _NONE]
        self._bent = [(i, c) for i, c in own if c.kind != "identity"]
        relative = {i: c for i, c in enumerate(self.coordinates) if isinstance(c, Standard)}
        self._standards = [(i, relative[i]) for i in in_order(relative)]
        self._is_straight = not self._bent and not self._standards
        self.is_free = not self._bounds and self._is_straight
        """Whether the coordinates are the position, and have no bounds."""

    def forward(self, x: Position) -> tuple[Sequence[float], float]:
        """The coordinates of a position, and log |dx/du| less a constant."""
        if self._is_straight:
            return x, 0.0
        u, log_jacobian = list(x), 0.0
        for i, coordinate in self._bent:
            u[i], log_slope = coordinate.forward(u[i])
            log_jacobian += log_slope
        for i, standard in self._standards:
            loc, scale = standard.of(x)
            u[i] = (x[i] - loc) / max(scale, TINY)
            log_jacobian += log(max(scale, TINY))
        return u, log_jacobian

    def inverse(self, u: list[float], wraps: bool = False) -> Position | None:
        """The position with these coordinates; None if there is none within the bounds.

        Parameters
        ----------
        u : list of float
            The coordinates, which are overwritten.
        wraps : bool, optional
            Whether an angle may lie in any turn.
        """
        for i, lower, upper in self._bounds:
            if not lower < u[i] < upper:
                return None
        for i, coordinate in self._bent:
            back = coordinate.inverse(u[i], wraps)
            if back is None:
                return None
            u[i] = back
        for i, standard in self._standards:
            loc, scale = standard.of(u)
            u[i] = loc + u[i] * scale
        return tuple(u) if isfinite(sum(u)) else None

    def forward_rows(self, rows: Array) -> tuple[Array, Array]:
        """The same as `forward` for rows, shape (n, d), with the same bits."""
        u, log_jacobians = np.array(rows, dtype=float), np.zeros(len(rows))
        for i, coordinate in self._bent:
            both = np.array(list(map(coordinate.forward, u[:, i].tolist()))).reshape(-1, 2)
            u[:, i] = both[:, 0]
            log_jacobians += both[:, 1]
        for i, standard in self._standards:
            loc, scale = standard.of(rows.T)
            scales = np.maximum(np.broadcast_to(scale, len(rows)), TINY)
            u[:, i] = (rows[:, i] - loc) / scales
            log_jacobians += logs(scales)
        return u, log_jacobians

    def inverse_rows(self, u: Array, wraps: bool = False) -> Array:
        """The same as `inverse` for rows, shape (n, d): rows of NaN for None."""
        rows = u.copy()
        for i, lower, upper in self._bounds:
            rows[~((lower < u[:, i]) & (u[:, i] < upper)), i] = nan
        for i, coordinate in self._bent:
            back = [coordinate.inverse(one, wraps) for one in u[:, i].tolist()]
            rows[:, i] = [nan if x is None else x for x in back]
        for i, standard in self._standards:
            loc, scale = standard.of(rows.T)
            rows[:, i] = loc + u[:, i] * scale
        rows[~np.isfinite(sum(rows.T))] = nan
        return rows


_NONE = (-inf, inf)
