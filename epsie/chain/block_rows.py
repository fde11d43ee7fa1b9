"""The rows that a block of chains adds to their histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.base import BaseChain
from epsie.chain.history import History

_CACHED = 2**19
"""Bytes of rows that are turned over at once, from step after step to chain after chain."""


class BlockRows:
    """The rows of some steps of a block.

    Parameters
    ----------
    room, nrows : int
        The number of steps at most, and of chains and temperatures together.
    dtypes : mapping
        The type of each parameter.
    blobs : dtype, optional
        The type of a blob.
    """

    def __init__(
        self,
        room: int,
        nrows: int,
        dtypes: Mapping[str, type],
        blobs: np.dtype[np.void] | None = None,
    ) -> None:
        kind, ndim = np.dtype([]) if blobs is None else blobs, len(dtypes)
        tables: Any = History(dtypes).tables()
        self._blobs = np.empty((nrows, room), kind)
        self._x = np.empty((nrows, room, ndim))
        self._stats = np.empty((nrows, room, 2))
        self._decided = np.empty((nrows, room), tables["acceptance"].dtype)
        self._tables = {
            "positions": self._x.view(tables["positions"].dtype)[:, :, 0],
            "stats": self._stats.view(tables["stats"].dtype)[:, :, 0],
            "acceptance": self._decided,
            "blobs": self._blobs if kind.itemsize else None,
        }
        most = max(1, min(room, _CACHED // ((8 * ndim + 32 + kind.itemsize) * nrows)))
        self._recent_blobs = np.empty((most, nrows), kind)
        self._recent_x = np.empty((most, nrows, ndim))
        self._recent = np.empty((most, 3, nrows))
        self._recent_accepted = np.empty((most, nrows), bool)
        self._first = self._filled = 0
        self._sweeps: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []

    def put(self, block: Any) -> None:
        """Note where the chains of a block stand after a step, and what was decided."""
        at = self._filled - self._first
        self._recent_x[at] = block.x
        self._recent[at, 0], self._recent[at, 1] = block.logl, block.logp
        self._recent[at, 2], self._recent_accepted[at] = block.ratio, block.accepted
        if block.blobs is not None:
            self._recent_blobs[at] = block.blobs.here
        self._filled += 1
        if at + 1 == len(self._recent_x):
            self._turn_over()

    def _turn_over(self) -> None:
        rows, n = slice(self._first, self._filled), self._filled - self._first
        self._x[:, rows] = self._recent_x[:n].transpose(1, 0, 2)
        self._stats[:, rows] = self._recent[:n, :2].transpose(2, 0, 1)
        self._decided["acceptance_ratio"][:, rows] = self._recent[:n, 2].T
        self._decided["accepted"][:, rows] = self._recent_accepted[:n].T
        if self._blobs.itemsize:
            self._blobs[:, rows] = self._recent_blobs[:n].T
        self._first = self._filled

    def add_sweeps(self, order: NDArray[np.int64], ratios: NDArray[np.float64]) -> None:
        """Note a sweep of all chains."""
        self._sweeps.append((order, ratios))

    def give(self, chains: Sequence[BaseChain]) -> None:
        """Give each chain its rows."""
        self._turn_over()
        levels: list[Any] = [level for chain in chains for level in chain.by_temperature]
        for i, level in enumerate(levels):
            rows = self._tables.items()
            level.history.extend(
                {name: None if of is None else of[i, : self._filled] for name, of in rows}
            )
        if self._sweeps:
            orders, ratios = map(np.array, zip(*self._sweeps, strict=True))
            for i, chain in enumerate(chains):
                chain.swaps.extend((orders[:, i], ratios[:, i]))
