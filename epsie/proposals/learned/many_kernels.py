"""The kernels of many chains that have learned the same, as arrays, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, sqrt
from typing import NamedTuple

import numpy as np

from epsie.proposals.learned.ahead import BLOCK
from epsie.proposals.learned.components import Rows
from epsie.proposals.learned.kernel import FAR, Kernel
from epsie.proposals.learned.knowledge import MOVES as NAMES
from epsie.proposals.learned.many_moves import JUMPS, log_hastings_of_local
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.moves import MOVES
from epsie.proposals.learned.tuning import expit
from epsie.rng.streams import Streams

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

    Sizes of jumps stay with each kernel.

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
        self.scale, self.jitter = first.transform.scale, np.array(first.jitter)
        self.archive = first.transform.shift + self.scale * first.archive
        self._below, self._spread = np.array(first.below), np.array(first.spread)
        self._everyone = np.arange(len(kernels))
        self.here = self.there = self._seen(np.array(x))
        self.place = np.zeros(len(kernels), np.intp)
        self.drawn = np.ones(len(kernels), bool)
        self.tunes = np.zeros(len(kernels), bool)
        self.stretch = np.zeros(len(kernels))
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
        d = self.mixture.ndim
        self.rho = np.array([expit(of["crank_nicolson"]) for of in sizes])
        self.reach = np.array([2.38 / sqrt(d) * exp(of["local"]) for of in sizes])
        self.leap = np.array([2.38 / sqrt(2 * d) * exp(of["difference"]) for of in sizes])

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
            else:
                u = JUMPS[NAMES[place]](self, rows, streams)
                y[rows] = self.bend.inverse_rows(u, MOVES[place].wraps)
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

    def log_hastings(self) -> Array:
        """As `log_hastings` of each, in the parameters."""
        here, there, place = self.here, self.there, self.place
        found = np.where(place <= _CRANK_NICOLSON, here.log_q - there.log_q, 0.0)
        snooker = place == _SNOOKER
        found[snooker] = (self.mixture.ndim - 1) * self.stretch[snooker]
        local = np.flatnonzero((place == _LOCAL) & self.drawn)
        if len(local):
            spots = here.taken(local), there.taken(local)
            found[local] = log_hastings_of_local(self, *spots, local)
        hastings: Array = found + there.log_jacobian - here.log_jacobian
        return hastings

    def tune(self, ratio: Array) -> None:
        """Tune the size of the last move of each, by its acceptance ratio."""
        ratios = np.where(self.drawn, ratio, 0.0).tolist()
        of = zip(self.kernels, self.place.tolist(), self.tunes.tolist(), ratios)
        for kernel, place, tunes, one in of:
            kernel.tunes = tunes
            MOVES[place].learn(kernel, one)
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
