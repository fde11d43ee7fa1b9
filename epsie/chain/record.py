"""The record of a chain of any kind: where it started, where it stands, and what it visited."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.adaptation_history import Note
from epsie.chain.chaindata import array2dict
from epsie.chain.level import Level, blob_of, evaluations_of, replace_start, stats_of
from epsie.chain.start import NO_START, refused_start
from epsie.checks import as_count
from epsie.copying import SetsAttributes
from epsie.model.blob import first_blob
from epsie.model.evaluation import Point, Position, in_one_order
from epsie.shown import chain_facts, shown, shown_in_html
from epsie.tempering.swaps import SwapHistory


class Record(SetsAttributes, metaclass=ABCMeta):
    """The record of a chain, at one temperature or several.

    Inside, all that it has is `by_temperature`. How that is shown is left to each kind of chain:
    one that is always at one temperature drops the axis.
    """

    parameters: tuple[str, ...]
    iteration: int
    lastclear: int
    notes: list[Note]
    """Notes of what was learned since it began, at some iterations; a clear leaves them."""
    nwalkers: int = 1
    """The number of walkers that step together at each temperature; 1 if it is no ensemble."""
    swaps: SwapHistory = SwapHistory(1)
    """The sweeps between its temperatures since the last clear; none of one temperature."""
    swap_interval: int = 1
    """The number of steps from one sweep to the next."""
    nsweeps: int = 0
    """The number of sweeps made."""
    last_annealed: int = 0
    """The last iteration at whose end the ladder was changed; 0 if it never was."""

    def __repr__(self) -> str:
        return shown(self, chain_facts)

    def _repr_html_(self) -> str:
        return shown_in_html(self, chain_facts)

    def __len__(self) -> int:
        return self.iteration - self.lastclear

    @property
    @abstractmethod
    def by_temperature(self) -> Sequence[Level]:
        """Its chain at each temperature, coldest first; of an untempered one itself.

        Of an ensemble its walkers, which are all at one.
        """

    @property
    def by_walker(self) -> list[Sequence[Level]]:
        """For each of its walkers, of which there is one if it is no ensemble, its levels."""
        levels = self.by_temperature
        return [levels[first :: self.nwalkers] for first in range(self.nwalkers)]

    @abstractmethod
    def _shown(self, values: list[Any]) -> Any:
        """Tables or dicts of each temperature, as this kind of chain shows them."""

    @abstractmethod
    def _parted(self, shown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The reverse for a dict that it is given: the values of each temperature."""

    @abstractmethod
    def _start_positions(self, values: Mapping[str, Any]) -> list[Position]:
        """The start position at each temperature, from what it is given."""

    @property
    def ntemps(self) -> int:
        """The number of temperatures."""
        return len(self.by_temperature) // self.nwalkers

    def check_start(self, points: Sequence[Point]) -> None:
        """Refuse points that it cannot start from together. A hook of ensembles."""

    def begin(self, points: Sequence[Point]) -> None:
        """Start from a point for each temperature. Drops the history."""
        self.check_start(points)
        for level, point in zip(self.by_temperature, points, strict=True):
            level.point, level.stale, level.proposed = point, False, None
            level.iteration = level._unasked = 0
        self.iteration = self.nsweeps = self.last_annealed = 0
        self.restart()

    def restart(self) -> None:
        """Drop the history, and start from where it stands."""
        for level in self.by_temperature:
            level.start = level.point
        self._forget()
        self.notes = []

    def _forget(self) -> None:
        """Drop the history. Where it stands becomes the start."""
        for level in self.by_temperature:
            level.history.clear()
            level.lastclear = level.iteration
            if level.start is not None:
                level.start = level.point
        self.swaps.clear()
        self.lastclear = self.iteration

    def examine_starts(self, xs: Sequence[Position]) -> tuple[list[Point | None], list[str]]:
        """The points at start positions, one for each temperature, and why they cannot be used."""
        points, problems = [], []
        what = "walker" if self.nwalkers > 1 else "temperature"
        for t, (level, x) in enumerate(zip(self.by_temperature, xs, strict=True)):
            point, found = level.examine_start(x)
            points.append(point)
            problems += [f"{what} {t}: {text}" if len(xs) > 1 else text for text in found]
        return points, problems

    def _starts(self) -> list[Point]:
        """The start point at each temperature; refused before a start is set."""
        points = [level.start for level in self.by_temperature if level.start is not None]
        if not points:
            raise ValueError(NO_START)
        return points

    def _points(self) -> list[Point]:
        """The present point at each temperature."""
        self._starts()
        return [level.point for level in self.by_temperature]

    def _named(self, x: Position) -> dict[str, float]:
        return dict(zip(self.parameters, x, strict=True))

    @property
    def evaluations(self) -> int:
        """The number of calls of the likelihood (of a `Posterior`; else the model) since the start.

        Starts count, and what adaptation asked; what was repeated to check something does not.
        """
        return sum(evaluations_of(level) for level in self.by_temperature)

    @property
    def most_evaluations(self) -> int:
        """The greatest number of evaluations that one step may take."""
        virtual = [len(self.parameters) * level._learns_virtually for level in self.by_temperature]
        return len(virtual) + sum(virtual)

    @property
    def dtypes(self) -> dict[str, type]:
        """The type of each parameter's values."""
        kinds = self.by_temperature[0].proposal_dist._dtypes()
        return {name: kinds[name] for name in self.parameters}

    @property
    def start_position(self) -> dict[str, Any]:
        """The start position; after a clear, where it stood. Setting it evaluates the model.

        Raises
        ------
        ValueError
            If it is not set; if parameters are missing, unknown or of another shape; if a new one
            lies outside of the prior or has no likelihood.
        """
        shown: dict[str, Any] = self._shown([self._named(point.x) for point in self._starts()])
        return shown

    @start_position.setter
    def start_position(self, values: Mapping[str, Any]) -> None:
        points, problems = self.examine_starts(self._start_positions(values))
        if problems:
            raise ValueError("the chain cannot start: " + "; ".join(problems))
        self.begin(in_one_order([point for point in points if point is not None]))

    @property
    def stats0(self) -> dict[str, Any]:
        """`logl` and `logp` of the start. Settable.

        Raises
        ------
        ValueError
            If no start is set, or logp is to be -inf.
        """
        shown: dict[str, Any] = self._shown([stats_of(point) for point in self._starts()])
        return shown

    @stats0.setter
    def stats0(self, stats: Mapping[str, Any]) -> None:
        for level, point, given in zip(self.by_temperature, self._starts(), self._parted(stats)):
            new = Point(point.x, float(given["logl"]), float(given["logp"]), point.blob)
            if refusal := refused_start(new, level.beta):
                raise ValueError(f"the start position {self._named(point.x)} {refusal}")
            replace_start(level, new)

    @property
    def blob0(self) -> dict[str, Any] | None:
        """The blob of the start; None without blobs. Settable."""
        shown: dict[str, Any] | None = self._shown([blob_of(point) for point in self._starts()])
        return shown

    @blob0.setter
    def blob0(self, blob: Mapping[str, Any] | None) -> None:
        starts = self._starts()
        blobs = [None] * len(starts) if blob is None else self._parted(blob)
        for level, point, given in zip(self.by_temperature, starts, blobs):
            replace_start(level, Point(point.x, point.logl, point.logp, first_blob(given)))

    @property
    def hasblobs(self) -> bool:
        """Whether the model returns blobs."""
        start = self.by_temperature[0].start
        return start is not None and start.blob is not None

    @property
    def scratchlen(self) -> int:
        """The number of rows allocated. Setting it extends at once, and shrinks at a `clear`."""
        return self.by_temperature[0].history.scratchlen

    @scratchlen.setter
    def scratchlen(self, n: int) -> None:
        n = as_count(n, "scratchlen", least=0)
        for level in self.by_temperature:
            level.history.scratchlen = n
            level.history.reserve(max(0, n - len(level.history)))

    def _tables(self, name: str) -> list[Any]:
        return [getattr(level.history, name) for level in self.by_temperature]

    @property
    def positions(self) -> Any:
        """Positions since the last clear: fields are the parameters, shape (niterations,)."""
        return self._shown(self._tables("positions"))

    @property
    def stats(self) -> Any:
        """Fields `logl` and `logp`, shape (niterations,)."""
        return self._shown(self._tables("stats"))

    @property
    def acceptance(self) -> Any:
        """Fields `acceptance_ratio` and `accepted`, shape (niterations,)."""
        return self._shown(self._tables("acceptance"))

    @property
    def blobs(self) -> Any:
        """Fields are the blobs' keys, shape (niterations,). None without blobs."""
        return self._shown(self._tables("blobs")) if self.hasblobs else None

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
        names = ["positions", "stats", "acceptance", *(["blobs"] if self.hasblobs else [])]
        tables = {name: self._tables(name) for name in names}
        return {
            name: self._shown([array2dict(table[index]) for table in tables[name]])
            for name in tables
        }

    @property
    def current_position(self) -> dict[str, Any]:
        """The present position."""
        shown: dict[str, Any] = self._shown([self._named(point.x) for point in self._points()])
        return shown

    @property
    def current_stats(self) -> dict[str, Any]:
        """`logl` and `logp` where it stands."""
        shown: dict[str, Any] = self._shown([stats_of(point) for point in self._points()])
        return shown

    @property
    def current_blob(self) -> dict[str, Any] | None:
        """The blob where it stands; None without blobs."""
        shown: dict[str, Any] | None = self._shown([blob_of(point) for point in self._points()])
        return shown
