"""The history of a chain: the rows since its last clear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from epsie.chain.chaindata import ChainData, blob_columns, kind_of, wider_kinds
from epsie.copying import SetsAttributes
from epsie.model.evaluation import Point

Table = NDArray[np.void]
Rows = Mapping[str, Table | None]
"""Rows of a history by table: 'positions', 'stats', 'acceptance' and 'blobs' (None without)."""

_FEW = 32
"""So many points travel as they are: cheaper than to make arrays of them first."""

_BLOCK = 256
"""Points kept as they are until they go to arrays together. Small enough to stay in the cache."""

_GROWTH = 1.25
"""A full table grows by this factor: rows cost O(1) each, and at most a quarter lies idle."""


@dataclass(slots=True)
class Recent(Mapping[str, "Table | None"]):
    """A few rows as they were noted, without blobs; tables of them are made when asked for."""

    dtypes: Mapping[str, DTypeLike]
    points: list[Point]
    ratios: list[float]
    accepted: list[bool]

    def __getitem__(self, table: str) -> Table | None:
        return self._tables()[table]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables())

    def __len__(self) -> int:
        return len(self._tables())

    def _tables(self) -> Rows:
        history = History(self.dtypes)
        history.extend(self)
        return history.tables()


_STATS = ChainData(("logl", "logp"))
_ACCEPTANCE = ChainData(("acceptance_ratio", "accepted"), {"accepted": bool})


class History(SetsAttributes):
    """The points that a chain visited, and what became of each proposed one.

    Parameters
    ----------
    dtypes : mapping
        The type of each parameter.
    """

    def __init__(self, dtypes: Mapping[str, DTypeLike]) -> None:
        self._begin(ChainData(dtypes, dtypes))

    def _begin(self, positions: ChainData) -> None:
        self.scratchlen = 0
        self._filled = 0
        self._decided = 0
        self._points: list[Point] = []
        self._ratios: list[float] = []
        self._accepted: list[bool] = []
        self._positions = positions.emptied()
        self._stats = _STATS.emptied()
        self._acceptance = _ACCEPTANCE.emptied()
        self._blobs: ChainData | None = None

    def clear(self) -> None:
        """Forget all rows. Arrays that were handed out stay as they are."""
        scratchlen = self.scratchlen
        self._begin(self._positions)
        self.scratchlen = scratchlen
        if scratchlen:
            self._lengthen(scratchlen)

    def emptied(self) -> History:
        """A history of the same parameters without rows."""
        twin = History.__new__(History)
        twin._begin(self._positions)
        return twin

    def __reduce_ex__(self, protocol: Any) -> Any:
        # Without rows, as it travels to a worker, it is made anew: cheaper than to unpickle.
        if len(self) or self.scratchlen:
            return super().__reduce_ex__(protocol)
        return _without_rows, tuple(self._positions.dtypes.items())

    def __len__(self) -> int:
        return self._filled + len(self._points)

    def append(self, point: Point, acceptance_ratio: float, accepted: bool) -> None:
        """Note where a step ended, and what was decided."""
        if len(self._points) >= _BLOCK:
            self._store()
        self._points.append(point)
        self._ratios.append(acceptance_ratio)
        self._accepted.append(accepted)

    def replace_last(self, point: Point) -> None:
        """Note that the last step ended elsewhere after all, as after a swap."""
        if not self._points:
            self._filled -= 1
            self._points.append(point)
        else:
            self._points[-1] = point

    def extend(self, rows: Rows) -> None:
        """Add rows that another history gave."""
        if isinstance(rows, Recent):
            self._note(rows)
            return
        positions, stats, acceptance = rows["positions"], rows["stats"], rows["acceptance"]
        assert positions is not None and stats is not None and acceptance is not None
        self._store()
        if rows["blobs"] is not None:
            self._add_blobs({name: rows["blobs"][name] for name in rows["blobs"].dtype.names or ()})
        tables = (
            (self._positions, positions),
            (self._stats, stats),
            (self._acceptance, acceptance),
        )
        if len(self._positions) == 0:
            for table, new in tables:
                table.data = new
        else:
            self._make_room(len(positions))
            for table, new in tables:
                assert table.data is not None
                table.data[self._filled : self._filled + len(new)] = new
        self._filled += len(positions)
        self._decided = self._filled

    def _note(self, rows: Recent) -> None:
        if len(self._points) >= _BLOCK:
            self._store()
        self._points += rows.points
        self._ratios += rows.ratios
        self._accepted += rows.accepted

    def reserve(self, n: int) -> None:
        """Make room for `n` more rows; for a few when they go to arrays."""
        if n > _FEW:
            self._make_room(n)

    def _make_room(self, n: int) -> None:
        needed, room = len(self) + n, len(self._positions)
        if needed > room:
            self._lengthen(max(needed, int(_GROWTH * room)))

    def _lengthen(self, room: int) -> None:
        for table in (self._positions, self._stats, self._acceptance, self._blobs):
            if table is not None:
                table.reserve(room)

    def _store(self) -> None:
        self._store_points()
        self._store_decisions()

    def _store_points(self) -> None:
        points = self._points
        if not points:
            return
        start, stop = self._filled, self._filled + len(points)
        if stop > len(self._positions):
            self._make_room(0)
        positions, stats = self._positions.data, self._stats.data
        assert positions is not None and stats is not None
        columns = zip(*[point.x for point in points], strict=True)
        for name, column in zip(self._positions.parameters, columns, strict=True):
            positions[name][start:stop] = column
        stats["logl"][start:stop] = [point.logl for point in points]
        stats["logp"][start:stop] = [point.logp for point in points]
        if points[-1].blob is not None:
            self._add_blobs(blob_columns([point.blob for point in points]))
        self._filled = stop
        self._points = []

    def _store_decisions(self) -> None:
        if not self._ratios:
            return
        start, stop = self._decided, self._decided + len(self._ratios)
        if stop > len(self._acceptance):
            self._make_room(0)
        acceptance = self._acceptance.data
        assert acceptance is not None
        acceptance["acceptance_ratio"][start:stop] = self._ratios
        acceptance["accepted"][start:stop] = self._accepted
        self._decided = stop
        self._ratios, self._accepted = [], []

    def _add_blobs(self, columns: Mapping[str, NDArray[Any]]) -> None:
        start = self._filled
        stop = start + len(next(iter(columns.values())))
        if self._blobs is None:
            self._blobs = ChainData(columns, {name: kind_of(new) for name, new in columns.items()})
        wider = wider_kinds(self._blobs, columns)
        if wider:
            self._blobs.dtypes = wider
        if stop > len(self._blobs):
            self._blobs.reserve(max(stop, len(self._positions)))
        assert self._blobs.data is not None
        for name, new in columns.items():
            self._blobs.data[name][start:stop] = new

    @property
    def positions(self) -> Table:
        """A read-only view of the positions; one row an iteration, one field a parameter."""
        self._store()
        return _view(self._positions, self._filled)

    @property
    def stats(self) -> Table:
        """A read-only view of `logl` and `logp`."""
        self._store()
        return _view(self._stats, self._filled)

    @property
    def acceptance(self) -> Table:
        """A read-only view of the `acceptance_ratio` and whether the jump was `accepted`."""
        self._store_decisions()
        return _view(self._acceptance, self._decided)

    @property
    def blobs(self) -> Table | None:
        """A read-only view of the blobs; one field a key. None without blobs."""
        self._store()
        return None if self._blobs is None else _view(self._blobs, self._filled)

    def rows(self) -> Rows:
        """All rows, for another history to `extend` itself with."""
        points = self._points
        if 0 < len(points) <= _FEW and not self._filled and points[-1].blob is None:
            return Recent(self._positions.dtypes, points, self._ratios, self._accepted)
        return self.tables()

    def tables(self) -> Rows:
        """All rows, as arrays."""
        self._store()
        tables = {
            "positions": self._positions,
            "stats": self._stats,
            "acceptance": self._acceptance,
        }
        return {
            **{name: _filled(table, self._filled) for name, table in tables.items()},
            "blobs": None if self._blobs is None else _filled(self._blobs, self._filled),
        }


@lru_cache(maxsize=64)
def _template(dtypes: tuple[tuple[str, DTypeLike], ...]) -> History:
    return History(dict(dtypes))


def _without_rows(*dtypes: tuple[str, DTypeLike]) -> History:
    """A history of these parameters. All chains of a sampler have the same."""
    return _template(dtypes).emptied()


def _filled(table: ChainData, n: int) -> Table:
    return np.empty(0, dtype=table.dtype) if table.data is None else table.data[:n]


def _view(table: ChainData, n: int) -> Table:
    view = _filled(table, n)
    view.flags.writeable = False
    return view
