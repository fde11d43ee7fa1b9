"""What chains visit while they run, thinned so that it stays short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.base import Segment

Rows = dict[str, NDArray[Any]]
"""By parameter, and for '(logl)' and '(logp)': shape (nchains, n)."""


class Trail:
    """Positions and statistics of all chains at the coldest temperature.

    It keeps the iterations after `after` that are multiples of a stride: `spacing` times the
    smallest power of 2 with which no more than `most` are kept. So what it holds depends on the
    last iteration alone, not on the stretches in which it was given.

    Parameters
    ----------
    after : int
        The iteration after which it begins.
    most : int
        How many rows to keep of each chain.
    spacing : int, optional
        Keep multiples of it only.
    """

    def __init__(self, after: int, most: int, spacing: int = 1) -> None:
        self.after = after
        self.most = most
        self.stride = spacing
        self.iterations: NDArray[np.int64] = np.array([], dtype=np.int64)
        """The iterations of its rows."""
        self.rows: Rows = {}

    def add(
        self,
        iterations: NDArray[np.int64],
        positions: Sequence[NDArray[np.void]],
        stats: Sequence[NDArray[np.void]],
    ) -> None:
        """Add what came next.

        Parameters
        ----------
        iterations : array
            The iterations of the rows, shape (n,).
        positions, stats : sequence of structured array
            The rows of each chain, shape (n,).
        """
        if not len(iterations):
            return
        last = int(iterations[-1])
        while last // self.stride - self.after // self.stride > self.most:
            self.stride *= 2
            self._keep(self.iterations % self.stride == 0)
        kept = (iterations % self.stride == 0) & (iterations > self.after)
        names = positions[0].dtype.names or ()
        new = {name: np.array([table[name][kept] for table in positions]) for name in names}
        for name in ("logl", "logp"):
            new[f"({name})"] = np.array([table[name][kept] for table in stats])
        old = self.rows
        self.rows = {n: np.concatenate([old[n], new[n]], axis=1) for n in new} if old else new
        self.iterations = np.concatenate([self.iterations, iterations[kept]])

    def add_segments(self, start: int, segments: Sequence[Segment]) -> int:
        """Add a segment of each chain that begins after iteration `start`; where they end."""
        tables = [coldest(segment) for segment in segments]
        positions = [table["positions"] for table in tables]
        stop = start + len(positions[0])
        self.add(np.arange(start, stop) + 1, positions, [table["stats"] for table in tables])
        return stop

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self.iterations = self.iterations[kept]
        self.rows = {name: values[:, kept] for name, values in self.rows.items()}


def coldest(segment: Segment) -> Any:
    """The rows of a segment, at the coldest temperature."""
    return segment.rows["chains"][0] if "chains" in segment.rows else segment.rows
