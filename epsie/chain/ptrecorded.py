"""What a tempered chain says of where it started, where it stands, and what it visited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.chain.base import BaseChain
from epsie.chain.chain import Chain
from epsie.chain.chaindata import stack_tables
from epsie.chain.start import as_columns
from epsie.model.evaluation import Point, Position, in_one_order
from epsie.tempering.swaps import SwapHistory


class RecordedTemperedChain(BaseChain):
    """A chain at each of several temperatures: their records as arrays, the coldest first."""

    chains: list[Chain]
    swaps: SwapHistory
    nsweeps: int
    last_annealed: int
    """The last iteration at whose end the ladder was changed; 0 if it never was."""

    @property
    def ntemps(self) -> int:
        """The number of temperatures."""
        return len(self.chains)

    @property
    def by_temperature(self) -> list[Chain]:
        """Its chain at each temperature, coldest first."""
        return self.chains

    # ---- start

    @property
    def start(self) -> list[Point] | None:
        """The points it started from, coldest first; None before a start is set."""
        points = [chain.start for chain in self.chains if chain.start is not None]
        return points or None

    def begin(self, points: Sequence[Point]) -> None:
        """Start from a point for each temperature. Drops the history."""
        for chain, point in zip(self.chains, points, strict=True):
            chain.begin([point])
        self.iteration = self.lastclear = self.nsweeps = self.last_annealed = 0
        self.swaps.clear()
        self.notes = []

    def restart(self) -> None:
        """Drop the history, and start from where it stands."""
        for chain in self.chains:
            chain.restart()
        self.lastclear = self.iteration
        self.swaps.clear()
        self.notes = []

    def examine_starts(self, xs: Sequence[Position]) -> tuple[list[Point | None], list[str]]:
        """The points at start positions, and why they cannot be used, if so."""
        points, problems = [], []
        for chain, x in zip(self.chains, xs, strict=True):
            point, found = chain.examine_start(x)
            points.append(point)
            problems += [f"temperature {len(points) - 1}: {problem}" for problem in found]
        return points, problems

    @property
    def start_position(self) -> dict[str, NDArray[Any]]:
        """Where it started: an array of shape (ntemps,) for each parameter. Settable."""
        return _stacked_dicts([chain.start_position for chain in self.chains])

    @start_position.setter
    def start_position(self, values: Mapping[str, Any]) -> None:
        found = as_columns(values, self.chains[0].dtypes)
        columns = {name: np.atleast_1d(column) for name, column in found.items()}
        wrong = [f"{n}: {c.shape}" for n, c in columns.items() if c.shape != (self.ntemps,)]
        if wrong:
            raise ValueError(
                f"start positions must be arrays of shape ({self.ntemps},), one value for each "
                f"temperature; got {', '.join(wrong)}"
            )
        xs = list(zip(*[column.tolist() for column in columns.values()], strict=True))
        points, problems = self.examine_starts(xs)
        if problems:
            raise ValueError("the chain cannot start: " + "; ".join(problems))
        self.begin(in_one_order([point for point in points if point is not None]))

    @property
    def stats0(self) -> dict[str, NDArray[np.float64]]:
        """`logl` and `logp` of the start, arrays of shape (ntemps,). Settable."""
        return _stacked_dicts([chain.stats0 for chain in self.chains])

    @stats0.setter
    def stats0(self, stats: Mapping[str, ArrayLike]) -> None:
        for t, chain in enumerate(self.chains):
            chain.stats0 = {name: float(np.asarray(v)[t]) for name, v in stats.items()}

    @property
    def blob0(self) -> dict[str, NDArray[Any]] | None:
        """The blobs of the start, arrays of shape (ntemps,); None without blobs. Settable."""
        return _stacked_dicts([chain.blob0 for chain in self.chains]) if self.hasblobs else None

    @blob0.setter
    def blob0(self, blobs: Mapping[str, ArrayLike] | None) -> None:
        for t, chain in enumerate(self.chains):
            chain.blob0 = (
                None if blobs is None else {name: np.asarray(v)[t] for name, v in blobs.items()}
            )

    def clear(self) -> None:
        """Drop the history. The present positions become the start."""
        for chain in self.chains:
            chain.clear()
        self.swaps.clear()
        self.lastclear = self.iteration

    # ---- what it visited: arrays with a leading axis of temperatures

    @property
    def hasblobs(self) -> bool:
        """Whether the model returns blobs."""
        return self.chains[0].hasblobs

    @property
    def scratchlen(self) -> int:
        """How many rows are allocated for each temperature."""
        return self.chains[0].scratchlen

    @scratchlen.setter
    def scratchlen(self, n: int) -> None:
        for chain in self.chains:
            chain.scratchlen = n

    @property
    def positions(self) -> NDArray[np.void]:
        """Positions since the last clear, shape (ntemps, niterations)."""
        return stack_tables([chain.positions for chain in self.chains])

    @property
    def stats(self) -> NDArray[np.void]:
        """Fields `logl` and `logp`, shape (ntemps, niterations)."""
        return stack_tables([chain.stats for chain in self.chains])

    @property
    def acceptance(self) -> NDArray[np.void]:
        """Fields `acceptance_ratio` and `accepted`, shape (ntemps, niterations)."""
        return stack_tables([chain.acceptance for chain in self.chains])

    @property
    def blobs(self) -> NDArray[np.void] | None:
        """Fields are the blobs' keys, shape (ntemps, niterations). None without blobs."""
        return stack_tables([chain.blobs for chain in self.chains]) if self.hasblobs else None

    @property
    def temperature_swaps(self) -> NDArray[np.int64] | None:
        """For every sweep since the last clear where the points came from.

        Entry t is the index of the temperature whose point moved into t. Shape (ntemps, nsweeps);
        None with one temperature.
        """
        return None if self.ntemps == 1 else self.swaps.orders.T

    @property
    def temperature_acceptance(self) -> NDArray[np.float64] | None:
        """The acceptance ratio of each adjacent pair at every sweep, attempted or not.

        Row j is that of temperatures j and j + 1. Shape (ntemps - 1, nsweeps); None with one
        temperature.
        """
        return None if self.ntemps == 1 else self.swaps.ratios.T

    def __getitem__(self, index: Any) -> dict[str, Any]:
        parts = [chain[index] for chain in self.chains]
        return {table: _stacked_dicts([part[table] for part in parts]) for table in parts[0]}

    @property
    def current_position(self) -> dict[str, NDArray[Any]]:
        """Where it stands, arrays of shape (ntemps,)."""
        return _stacked_dicts([chain.current_position for chain in self.chains])

    @property
    def current_stats(self) -> dict[str, NDArray[np.float64]]:
        """`logl` and `logp` where it stands, arrays of shape (ntemps,)."""
        return _stacked_dicts([chain.current_stats for chain in self.chains])

    @property
    def current_blob(self) -> dict[str, NDArray[Any]] | None:
        """The blobs where it stands, arrays of shape (ntemps,); None without blobs."""
        if not self.hasblobs:
            return None
        return _stacked_dicts([chain.current_blob for chain in self.chains])


def _stacked_dicts(values: Sequence[Any]) -> dict[str, NDArray[Any]]:
    return {name: np.array([value[name] for value in values]) for name in values[0]}
