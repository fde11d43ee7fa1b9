"""The transform of a position: a coordinate for each parameter, in units of its spread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from epsie.proposals.learned.bend import Bend
from epsie.proposals.learned.coordinates import Coordinate, Standard
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.plain import entry, fitting, malformed

AnyCoordinate = Coordinate | Standard

_JOINT_ROWS = 2000
"""Rows from which the coordinates of parameters that are relative to others are chosen."""

HARDLY = 0.02
"""By so much log likelihood for each position other coordinates have to be better, at least."""

KINDS = ("identity", "log", "softplus", "logit", "angle", "standard")


class Transform:
    """Positions as arrays of coordinates of about unit size. Never changed once made.

    Parameters
    ----------
    coordinates : sequence of Coordinate
        One for each parameter.
    shift, scale : array
        A coordinate is (u - shift) / scale. Shape (d,).
    """

    def __init__(self, coordinates: Sequence[AnyCoordinate], shift: Array, scale: Array) -> None:
        self.coordinates = tuple(coordinates)
        self.shift, self.scale = shift, scale
        self.bend = Bend(self.coordinates)

    def forward_rows(self, rows: Array) -> tuple[Array, Array]:
        """The coordinates of positions, shape (n, d), and log |dx/du| of each less a constant."""
        u, log_jacobians = self.bend.forward_rows(rows)
        u -= self.shift
        u /= self.scale
        return u, log_jacobians

    def refined(self, rows: Array) -> Self:
        """The same coordinates, in units of the spread of rows of positions."""
        u = self.bend.forward_rows(rows)[0]
        shift, scale = u.mean(axis=0), u.std(axis=0)
        scale = np.where(scale > 0, scale, self.scale)
        return type(self)(self.coordinates, shift, scale)

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        numbers = np.array([c[1:] for c in self.coordinates])
        kinds = [c.kind for c in self.coordinates]
        return {"kinds": kinds, "numbers": numbers, "shift": self.shift, "scale": self.scale}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], ndim: int) -> Self:
        """A transform from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        kinds = entry(plain, "kinds", list)
        if len(kinds) != ndim or not all(kind in KINDS for kind in kinds):
            raise malformed("kinds", f"{ndim} of {', '.join(KINDS)}", kinds)
        numbers = fitting(plain, "numbers", (ndim, 4), finite=False)
        coordinates = [
            Coordinate(kind, *row) if kind != "standard" else _standard(row, i, ndim)
            for i, (kind, row) in enumerate(zip(kinds, numbers.tolist()))
        ]
        shift, scale = (
            fitting(plain, "shift", (ndim,)),
            fitting(plain, "scale", (ndim,), positive=True),
        )
        try:
            return cls(coordinates, shift, scale)
        except ValueError as error:
            raise malformed("numbers", f"of coordinates ({error})", numbers) from error


def chosen(
    bounds: Sequence[tuple[float, float]],
    periods: Sequence[float | None],
    rows: Array,
    former: Transform,
    least: float = HARDLY,
    standards: Sequence[tuple[int, Standard]] = (),
) -> Transform:
    """The transform whose coordinates of some positions are the most normal.

    A bounded parameter gets that of its candidates for which the mean of log |du/dx| less the log
    of the standard deviation of u is the largest: the log likelihood of a normal distribution of
    u. A period is cut opposite of the circular mean.

    Parameters
    ----------
    bounds : sequence of (float, float)
        For each parameter.
    periods : sequence of float or None
        None of what is no angle.
    rows : array
        Positions. Shape (n, d).
    former : Transform
        It is kept where another one is hardly better.
    least : float, optional
        The log likelihood for each position by which another one must be better.
    standards : sequence of (int, Standard), optional
        By place those of parameters that may become relative to others: they do if all parameters
        are more normal together then.
    """
    found: list[AnyCoordinate] = []
    for i, (edges, period) in enumerate(zip(bounds, periods)):
        column, known = rows[:, i], former.coordinates[i]
        if isinstance(known, Standard):
            found.append(Coordinate("identity", *edges))
        elif period is not None:
            found.append(_cut(column, known, period))
        else:
            found.append(_most_normal(column, known, edges, least))
    if standards:
        found = _relative(found, dict(standards), rows, former, least)
    return Transform(found, former.shift, former.scale).refined(rows)


def _relative(
    coordinates: list[AnyCoordinate],
    standards: Mapping[int, Standard],
    rows: Array,
    former: Transform,
    least: float,
) -> list[AnyCoordinate]:
    """The coordinates with those of the standards with which all are most normal together.

    First with all of them or with none, then each is taken in or out. What there was is kept where
    a change is hardly better.
    """
    rows = rows[:: max(1, len(rows) // _JOINT_ROWS)]

    def made(which: frozenset[int]) -> list[AnyCoordinate]:
        return [standards[i] if i in which else c for i, c in enumerate(coordinates)]

    def normality(which: frozenset[int]) -> float:
        u, log_jacobians = Bend(made(which)).forward_rows(rows)
        sign, log_volume = np.linalg.slogdet(np.atleast_2d(np.cov(u.T)))
        return -float(log_jacobians.mean()) - 0.5 * float(log_volume) if sign > 0 else -np.inf

    def others() -> Iterable[frozenset[int]]:
        yield frozenset()
        yield frozenset(standards)
        yield from (best ^ {i} for i in standards)

    best = frozenset(i for i in standards if isinstance(former.coordinates[i], Standard))
    highest = normality(best)
    for other in others():
        value = normality(other)
        if value > highest + least:
            best, highest = other, value
    return made(best)


def _standard(row: Sequence[float], i: int, ndim: int) -> Standard:
    """A standard from plain numbers."""
    loc_at, scale_at, loc, scale = row
    places = range(-1, ndim)
    if loc_at not in places or scale_at not in places or i in (loc_at, scale_at):
        raise malformed("numbers", "the places of other parameters", row)
    return Standard("standard", int(loc_at), int(scale_at), loc, scale)


def _cut(column: Array, known: Coordinate, period: float) -> Coordinate:
    """An angle about the circular mean."""
    turns = column * (2 * np.pi / period)
    mean = float(np.arctan2(np.sin(turns).mean(), np.cos(turns).mean())) * period / (2 * np.pi)
    return known._replace(edge=known.lower + (mean - known.lower) % period)


def _most_normal(
    column: Array, known: Coordinate, bounds: tuple[float, float], least: float
) -> Coordinate:
    candidates = list(_candidates(column, *bounds))
    if len(candidates) == 1:
        return candidates[0]
    values = column.tolist()
    best, highest = known, _normality(known, values) + least
    for candidate in candidates:
        found = _normality(candidate, values)
        if found > highest:
            best, highest = candidate, found
    return best


def _candidates(column: Array, lower: float, upper: float) -> Iterable[Coordinate]:
    """The coordinates that a parameter with these bounds may have."""
    yield Coordinate("identity", lower, upper)
    for edge in (lower, upper):
        away = abs(float(np.median(column)) - edge)
        if np.isfinite(edge) and away > 0:
            for factor in (0.1, 0.3, 1.0, 3.0):
                yield Coordinate("softplus", lower, upper, edge, factor * away)
            yield Coordinate("log", lower, upper, edge)
    if np.isfinite(lower) and np.isfinite(upper):
        yield Coordinate("logit", lower, upper)


def _normality(coordinate: Coordinate, values: Sequence[float]) -> float:
    """The mean log likelihood of a normal distribution of the coordinate, less a constant."""
    both = np.array(list(map(coordinate.forward, values)))
    spread = float(both[:, 0].std())
    return -float(both[:, 1].mean()) - float(np.log(spread)) if spread > 0 else -np.inf
