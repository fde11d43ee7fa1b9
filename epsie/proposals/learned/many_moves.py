"""Moves of many chains as arrays: what each `Move` draws for a chain alone, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, sqrt
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.learned.archive_moves import TINY
from epsie.proposals.learned.components import Rows
from epsie.proposals.learned.mixture import Array
from epsie.rng.streams import Streams


def crank_nicolson(many: Any, rows: Rows, streams: Streams) -> Array:
    """As `CrankNicolson.draw` for some rows of kernels: coordinates, shape (nrows, d)."""
    mixture, here = many.mixture, many.here
    rho, v = many.rho[rows], streams.uniforms_at(rows)
    many.tunes[rows] = tunes = v < 0.5
    rho[~tunes] *= [exp(-3.5 * (2 * one - 1) ** 1.5) for one in v[~tunes].tolist()]
    k = _chosen(many, rows, streams)
    nu, centre = mixture.dofs[k], mixture.means[k]
    of = zip(rows.tolist(), (nu + mixture.ndim).tolist())
    g = np.array([streams.streams[i].generator.chisquare(dofs) for i, dofs in of])
    g /= nu + here.distances[rows, k]
    step = _steps(mixture.factors[k], streams.normals_at(rows, mixture.ndim))
    stay, by = np.sqrt((1 - rho) * (1 + rho)), rho / np.sqrt(g)
    kept = centre + stay[:, np.newaxis] * (here.u[rows] - centre)
    found: Array = kept + by[:, np.newaxis] * step
    return found


def local(many: Any, rows: Rows, streams: Streams) -> Array:
    """As `Local.draw`."""
    many.tunes[rows] = True
    k = _chosen(many, rows, streams)
    step = _steps(many.mixture.factors[k], streams.normals_at(rows, many.mixture.ndim))
    found: Array = many.here.u[rows] + many.reach[rows, np.newaxis] * step
    return found


def difference(many: Any, rows: Rows, streams: Streams) -> Array:
    """As `Difference.draw`."""
    d = many.mixture.ndim
    u, v, *places = streams.uniforms_of(rows, 4).T
    a, b = (many.archive[(w * len(many.archive)).astype(np.intp)] for w in places)
    partly = u < 0.5
    many.tunes[rows] = ~partly & (v >= 0.1) & (v < 0.55)
    gamma = np.where(partly | (v < 0.1), 1.0, many.leap[rows])
    smaller = ~partly & (v >= 0.55)
    gamma[smaller] *= [exp(-3 * (one - 0.55) / 0.45) for one in v[smaller].tolist()]
    other = partly & (u >= 0.375)
    normals = streams.normals_at(rows[other], 1)[:, 0].tolist()
    gamma[other] = [2.38 / sqrt(2 * d) * exp(0.3 * z) for z in normals]
    by = np.repeat(gamma[:, np.newaxis], d, axis=1)
    some = np.flatnonzero(partly & (v >= 0.25)) if d > 1 else rows[:0]
    by[some] *= _some(d, rows[some], streams)
    found: Array = many.here.u[rows] + by * (a - b)
    wholly = np.flatnonzero(~partly)
    found[wholly] += many.jitter * streams.normals_at(rows[wholly], d)
    return found


def _some(d: int, rows: Rows, streams: Streams) -> NDArray[np.bool_]:
    """Which parameters are changed, of which there are equally often any number."""
    number = (streams.uniforms_at(rows) * d).astype(np.intp)
    marks = streams.uniforms_of(rows, d)
    last = np.sort(marks, axis=1)[np.arange(len(rows)), number]
    chosen: NDArray[np.bool_] = marks <= last[:, np.newaxis]
    return chosen


def snooker(many: Any, rows: Rows, streams: Streams) -> Array:
    """As `Snooker.draw`."""
    gamma, *places = streams.uniforms_of(rows, 4).T
    z, a, b = (many.archive[(w * len(many.archive)).astype(np.intp)] for w in places)
    x, scale = many.here.u[rows], many.scale
    line = (x - z) / scale
    square = np.array([sum(map(mul, one, one)) for one in line.tolist()])
    across = np.array([sum(one) for one in ((a - b) / scale * line).tolist()])
    along = (1.2 + gamma) * across / square
    stretched = np.abs(1 + along)
    jumps = (square > TINY) & (stretched > 0)
    many.stretch[rows[jumps]] = list(map(log, stretched[jumps].tolist()))
    along[~jumps] = np.nan
    found: Array = x + along[:, np.newaxis] * scale * line
    return found


def random_walk(many: Any, rows: Rows, streams: Streams) -> Array:
    """As `RandomWalk.draw`."""
    z = streams.normals_at(rows, many.mixture.ndim)
    kernels = [many.kernels[i] for i in rows.tolist()]
    steps = _steps(np.array([kernel.tuning.factor for kernel in kernels]), z)
    for kernel, normals, step in zip(kernels, z, steps):
        kernel.normals, kernel.step = normals, step
    found: Array = many.here.u[rows] + many.scale * steps
    return found


def log_hastings_of_local(many: Any, here: Any, there: Any, rows: Rows) -> Array:
    """As `Local.log_hastings`, with the spots of the rows."""
    by = np.array([-0.5 / size**2 for size in many.reach[rows].tolist()])
    squares = many.mixture.distances.of_steps(there.u - here.u)
    densities = by[:, np.newaxis] * squares - many.mixture.log_volumes
    sums = many.mixture.components.log_sums
    back = sums(densities + there.log_parts) - there.log_q
    found: Array = back - (sums(densities + here.log_parts) - here.log_q)
    return found


def _chosen(many: Any, rows: Rows, streams: Streams) -> Rows:
    """A component of each, given the point."""
    u, log_parts = streams.uniforms_at(rows), many.here.log_parts[rows]
    chosen: Rows = many.mixture.components.choose_rows(many.here.log_q[rows], log_parts, u)
    return chosen


def _steps(factors: Array, normals: Array) -> Array:
    steps: Array = np.matmul(factors, normals[:, :, np.newaxis])[:, :, 0]
    return steps


JUMPS: dict[str, Callable[[Any, Rows, Streams], Array]] = {
    "crank_nicolson": crank_nicolson,
    "difference": difference,
    "snooker": snooker,
    "local": local,
    "random_walk": random_walk,
}
"""The moves by their names, all but independent draws."""
