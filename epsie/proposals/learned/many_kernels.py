"""The kernels of many chains that have learned the same, as arrays, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.learned.ahead import BLOCK
from epsie.proposals.learned.kernel import FAR, Kernel
from epsie.proposals.learned.knowledge import MOVES as NAMES
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.moves import MOVES, WALK
from epsie.proposals.learned.spot import Spot
from epsie.proposals.learned.tuning import expit
from epsie.rng.streams import Streams

Rows = NDArray[np.intp]

_INDEPENDENCE, _CRANK_NICOLSON, _, _SNOOKER, _LOCAL, _ = range(len(NAMES))


class Spots(NamedTuple):
    """A `Spot` of each of many chains.

    Parameters
    ----------
    x, u : array
        Positions and their coordinates. Shape (n, d).
    log_jacobian, log_q : array
        Shape (n,).
    log_parts, distances : array
        Of each component. Shape (n, K).
    """

    x: Array
    u: Array
    log_jacobian: Array
    log_q: Array
    log_parts: Array
    distances: Array

    def put(self, rows: Rows, others: Spots) -> None:
        """Put others in the place of some."""
        for mine, theirs in zip(self, others):
            mine[rows] = theirs

    def taken(self, rows: Rows) -> Spots:
        """Some of them."""
        return Spots(*[mine[rows] for mine in self])


class ManyKernels:
    """Kernels that use the same knowledge, without a prior in it.

    Independent draws, Crank-Nicolson and local jumps are made as arrays, the rarer moves one by
    one. Sizes of jumps stay with each kernel.

    Parameters
    ----------
    kernels : sequence of Kernel
        The kernels.
    x : array
        Where their chains stand. Shape (n, d).
    """

    def __init__(self, kernels: Sequence[Kernel], x: Array) -> None:
        self.kernels, first = kernels, kernels[0]
        self.mixture, self.bend = first.mixture, first.bend
        self._below, self._spread = np.array(first.below), np.array(first.spread)
        self._everyone = np.arange(len(kernels))
        self.here = self.there = self._seen(np.array(x))
        self.place = np.zeros(len(kernels), np.intp)
        self.drawn = np.ones(len(kernels), bool)
        self._tunes = np.zeros(len(kernels), bool)
        self._stretch = np.zeros(len(kernels))
        self.tallies = np.array([kernel.tallies for kernel in kernels])
        self._resize()
        left = [kernel.ahead.array() for kernel in kernels]
        self._end = max(BLOCK, *map(len, left))
        self._ahead = np.empty((len(kernels), self._end, self.mixture.ndim))
        self._next = self._end - np.array(list(map(len, left)))
        for table, rows, first in zip(self._ahead, left, self._next.tolist()):
            table[first:] = rows

    def _resize(self) -> None:
        """Look up the sizes of jumps."""
        sizes = [kernel.tuning.sizes for kernel in self.kernels]
        unit = 2.38 / sqrt(self.mixture.ndim)
        self._rho = np.array([expit(of[NAMES[_CRANK_NICOLSON]]) for of in sizes])
        self._reach = np.array([unit * exp(of[NAMES[_LOCAL]]) for of in sizes])

    def _seen(self, x: Array) -> Spots:
        u, log_jacobian = self.bend.forward_rows(x)
        return Spots(x, u, log_jacobian, *self.mixture.at_rows(u))

    def draw(self, x: Array, streams: Streams) -> Array:
        """A jump from each position, shape (n, d); where one is, if it would leave the bounds."""
        here = self.here
        elsewhere = np.flatnonzero((x != here.x).any(axis=1))
        if len(elsewhere):
            here.put(elsewhere, self._seen(x[elsewhere]))
        chosen = streams.uniforms_at(self._everyone)
        self.place = self._below.searchsorted(chosen, side="right")
        y = np.empty_like(here.x)
        for place in np.flatnonzero(np.bincount(self.place)).tolist():
            rows = np.flatnonzero(self.place == place)
            if place == _INDEPENDENCE:
                y[rows] = self._independent(rows, streams)
            elif place == _CRANK_NICOLSON:
                y[rows] = self.bend.inverse_rows(self._crank_nicolson(rows, streams))
            elif place == _LOCAL:
                y[rows] = self.bend.inverse_rows(self._local(rows, streams))
            elif place == WALK:
                y[rows] = self.bend.inverse_rows(self._walk(rows, streams), True)
            else:
                y[rows] = self._one_by_one(place, rows, streams)
        self.drawn = y[:, 0] == y[:, 0]
        if not self.drawn.all():
            y[~self.drawn] = here.x[~self.drawn]
        self.there = self._seen(y)
        return y

    def _independent(self, rows: Rows, streams: Streams) -> Array:
        """As `Ahead.next`."""
        for i in rows[self._next[rows] == self._end].tolist():
            self._next[i] = self._end - BLOCK
            self._ahead[i, self._next[i] :] = self.kernels[i].ahead.block(streams.streams[i])
        found: Array = self._ahead[rows, self._next[rows]]
        self._next[rows] += 1
        return found

    def _walk(self, rows: Rows, streams: Streams) -> Array:
        """As `RandomWalk.draw`."""
        z = streams.normals_at(rows, self.mixture.ndim)
        kernels = [self.kernels[i] for i in rows.tolist()]
        factors = np.array([kernel.tuning.factor for kernel in kernels])
        steps: Array = np.matmul(factors, z[:, :, np.newaxis])[:, :, 0]
        for kernel, normals, step in zip(kernels, z, steps):
            kernel.normals, kernel.step = normals, step
        found: Array = self.here.u[rows] + self.kernels[0].transform.scale * steps
        return found

    def _crank_nicolson(self, rows: Rows, streams: Streams) -> Array:
        """As `CrankNicolson.draw`."""
        mixture = self.mixture
        rho, v = self._rho[rows], streams.uniforms_at(rows)
        self._tunes[rows] = tunes = v < 0.5
        rho[~tunes] *= [exp(-3.5 * (2 * one - 1) ** 1.5) for one in v[~tunes].tolist()]
        k = self._chosen(rows, streams)
        nu, centre = mixture.dofs[k], mixture.means[k]
        of = zip(rows.tolist(), (nu + mixture.ndim).tolist())
        g = np.array([streams.streams[i].generator.chisquare(dofs) for i, dofs in of])
        g /= nu + self.here.distances[rows, k]
        step = self._steps(k, rows, streams)
        stay, by = np.sqrt((1 - rho) * (1 + rho)), rho / np.sqrt(g)
        kept = centre + stay[:, np.newaxis] * (self.here.u[rows] - centre)
        found: Array = kept + by[:, np.newaxis] * step
        return found

    def _local(self, rows: Rows, streams: Streams) -> Array:
        """As `Local.draw`."""
        self._tunes[rows] = True
        step = self._steps(self._chosen(rows, streams), rows, streams)
        found: Array = self.here.u[rows] + self._reach[rows, np.newaxis] * step
        return found

    def _chosen(self, rows: Rows, streams: Streams) -> Rows:
        """A component of each, given the point."""
        here, u = self.here, streams.uniforms_at(rows)
        return self.mixture.components.choose_rows(here.log_q[rows], here.log_parts[rows], u)

    def _steps(self, k: Rows, rows: Rows, streams: Streams) -> Array:
        z = streams.normals_at(rows, self.mixture.ndim)
        steps: Array = np.matmul(self.mixture.factors[k], z[:, :, np.newaxis])[:, :, 0]
        return steps

    def _one_by_one(self, place: int, rows: Rows, streams: Streams) -> Array:
        """What another move gives; NaN where it gives nothing."""
        x, u = self.here.x[rows].tolist(), self.here.u[rows].tolist()
        found = np.full((len(rows), self.mixture.ndim), np.nan)
        for j, i in enumerate(rows.tolist()):
            kernel = self.kernels[i]
            stream: Any = streams.one(i)
            there = MOVES[place].draw(kernel, Spot(tuple(x[j]), u[j], 0.0), stream)
            if there is not None:
                found[j] = there.x
                if place == _SNOOKER:
                    self._stretch[i] = kernel.stretch
        return found

    def log_hastings(self) -> Array:
        """As `log_hastings` of each, in the parameters."""
        here, there, place = self.here, self.there, self.place
        found = np.where(place <= _CRANK_NICOLSON, here.log_q - there.log_q, 0.0)
        snooker = place == _SNOOKER
        found[snooker] = (self.mixture.ndim - 1) * self._stretch[snooker]
        local = np.flatnonzero((place == _LOCAL) & self.drawn)
        if len(local):
            found[local] = self._of_local(here.taken(local), there.taken(local), local)
        hastings: Array = found + there.log_jacobian - here.log_jacobian
        return hastings

    def _of_local(self, here: Spots, there: Spots, rows: Rows) -> Array:
        """As `Local.log_hastings`."""
        by = np.array([-0.5 / size**2 for size in self._reach[rows].tolist()])
        squares = self.mixture.distances.of_steps(there.u - here.u)
        densities = by[:, np.newaxis] * squares - self.mixture.log_volumes
        sums = self.mixture.components.log_sums
        back = sums(densities + there.log_parts) - there.log_q
        found: Array = back - (sums(densities + here.log_parts) - here.log_q)
        return found

    def tune(self, ratio: Array) -> None:
        """Tune the size of the last move of each, by its acceptance ratio."""
        ratios, tunes = np.where(self.drawn, ratio, 0.0).tolist(), self._tunes.tolist()
        for i, (kernel, place) in enumerate(zip(self.kernels, self.place.tolist())):
            if place in (_CRANK_NICOLSON, _LOCAL):
                kernel.tunes = tunes[i]
            MOVES[place].learn(kernel, ratios[i])
        self._resize()

    def tally(self, ratio: Array) -> None:
        """Count the last jump of each."""
        self.tallies[self._everyone, self.place, 0] += 1
        rows = np.flatnonzero(ratio > 0)
        place, by = self.place[rows], ratio[rows]
        away = (self.there.u[rows] - self.here.u[rows]) / self._spread
        self.tallies[rows, place, 1] += by
        squares = np.minimum(away * away, FAR)
        self.tallies[rows, place, 2:] += by[:, np.newaxis] * squares

    def accept(self, rows: Rows) -> None:
        """Stand where some of the last jumps went."""
        self.here.put(rows, self.there.taken(rows))

    def give_back(self) -> None:
        """Let each kernel go on alone."""
        for i, kernel in enumerate(self.kernels):
            kernel.tallies = self.tallies[i]
            kernel.ahead.restore(self._ahead[i, self._next[i] :].copy())
