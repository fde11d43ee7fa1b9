"""A record of what chains visit while they run, thinned so that it stays short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.base import Segment
from epsie.chain.history import Rows


class Trace:
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
        self.values: NDArray[np.float64] | None = None
        """Of each parameter, then the log likelihood and the log prior: (nfields, nchains, n)."""

    def add(self, iterations: NDArray[np.int64], chains: Sequence[Rows]) -> None:
        """Add what came next.

        Parameters
        ----------
        iterations : array
            The iterations of the rows, shape (n,).
        chains : sequence of Rows
            Of each chain the tables 'positions' and 'stats'.
        """
        if not len(iterations):
            return
        last = int(iterations[-1])
        while last // self.stride - self.after // self.stride > self.most:
            self.stride *= 2
            self._keep(self.iterations % self.stride == 0)
        kept = np.flatnonzero((iterations % self.stride == 0) & (iterations > self.after))
        new = np.stack([_fields(rows, kept) for rows in chains], axis=1)
        old = self.values
        self.values = new if old is None else np.concatenate([old, new], axis=-1)
        self.iterations = np.concatenate([self.iterations, iterations[kept]])

    def add_segments(self, start: int, segments: Sequence[Segment]) -> int:
        """Add a segment of each chain that begins after iteration `start`; where they end."""
        chains = [rows for segment in segments for rows in segment.coldest]
        stop = start + len(accepted(chains[0]))
        self.add(np.arange(start, stop) + 1, chains)
        return stop

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self.iterations = self.iterations[kept]
        self.values = None if self.values is None else self.values[..., kept]


def _fields(rows: Rows, kept: NDArray[np.intp]) -> NDArray[np.float64]:
    """Some rows of a chain, shape (nfields, len(kept))."""
    positions, stats = rows["positions"], rows["stats"]
    assert positions is not None and stats is not None
    columns = [positions[name][kept] for name in positions.dtype.names or ()]
    return np.array([*columns, stats["logl"][kept], stats["logp"][kept]], dtype=float)


def accepted(rows: Rows) -> Any:
    """Whether each jump was accepted."""
    acceptance = rows["acceptance"]
    assert acceptance is not None
    return acceptance["accepted"]
