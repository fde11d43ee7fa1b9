"""A block of ensembles that are stepped as arrays, with the bits of each stepped alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.base import BaseChain
from epsie.chain.block import Array, Block, Rows
from epsie.chain.block_blobs import BlockBlobs
from epsie.chain.ensemble import EnsembleChain
from epsie.ensembles.moves import Stretch
from epsie.model.batch import Batch
from epsie.model.one_by_one import OneByOne
from epsie.rng.elementwise import exps, logs
from epsie.rng.stream import BLOCK, Stream

_FEWEST = 64
"""So many walkers are faster as arrays than one by one: in 2 and 10 dimensions."""


def fewest_ensembles(ensemble: EnsembleChain, at_once: bool) -> float:
    """From how many ensembles like this one on they are faster as arrays; inf if they never are.

    Parameters
    ----------
    ensemble : EnsembleChain
        One of them.
    at_once : bool
        Whether the model takes many points.
    """
    if type(ensemble.walkers[0].moves._only) is not Stretch:
        return inf
    if at_once:
        return 0.0
    return inf if ensemble.hasblobs else _FEWEST / ensemble.nwalkers


def move_of(ensembles: Sequence[Any]) -> Stretch | None:
    """The move of ensembles; None if they cannot be stepped as arrays."""
    first = ensembles[0]
    alike = all(one.iteration == first.iteration and not one.is_stale for one in ensembles)
    move = first.walkers[0].moves._only
    return move if alike and type(move) is Stretch else None


class _Uniforms:
    """The uniform variates of many streams, of which nothing else is drawn meanwhile.

    Parameters
    ----------
    streams : sequence of Stream
        The streams. Each draws its next block when it would alone.
    most : int
        How many are asked for at once at most.
    """

    def __init__(self, streams: Sequence[Stream], most: int) -> None:
        self._streams = streams
        self._normals, left = zip(*[stream.taken() for stream in streams], strict=True)
        length = most + 2 * BLOCK
        self._queues = np.empty((len(streams), length))
        self._row_starts = np.arange(len(streams)) * length
        self._first, self._stop = (np.zeros(len(streams), np.intp) for _ in range(2))
        for i, uniforms in enumerate(left):
            self._append(i, np.array(uniforms[::-1]))

    def _append(self, i: int, variates: Array) -> None:
        stop = self._stop[i]
        self._queues[i, stop : stop + len(variates)] = variates
        self._stop[i] = stop + len(variates)

    def each(self, n: int) -> Array:
        """So many variates of each stream. Shape (nstreams, n)."""
        self._reserve(np.full(len(self._streams), n))
        return self._taken(np.arange(n) - n)

    def where(self, needed: NDArray[np.bool_]) -> Array:
        """A variate for each place where one is needed, along rows; elsewhere anything."""
        number = np.cumsum(needed, axis=1, dtype=np.intp)
        counts = number[:, -1:]
        self._reserve(counts.ravel())
        return self._taken(np.maximum(number - counts - 1, -self._first[:, np.newaxis]))

    def _reserve(self, counts: Rows) -> None:
        """Pass so many variates of each stream, which are drawn before."""
        ends = self._first + counts
        for i in np.flatnonzero(ends > self._stop).tolist():
            left = self._queues[i, self._first[i] : self._stop[i]].copy()
            ends[i] -= self._first[i]
            self._first[i] = self._stop[i] = 0
            self._append(i, left)
            missing = -(-max(0, int(ends[i]) - len(left)) // BLOCK)
            blocks = self._streams[i].generator.random((missing, BLOCK))
            self._append(i, blocks[:, ::-1].ravel())
        self._first = ends

    def _taken(self, before: Rows) -> Array:
        """The variates at places that are counted from what was passed last."""
        return self._queues.take(before + (self._row_starts + self._first)[:, np.newaxis])

    def give_back(self) -> None:
        """Let each stream go on alone."""
        for i, stream in enumerate(self._streams):
            left = self._queues[i, self._first[i] : self._stop[i]]
            stream.put_back(self._normals[i], left[::-1].tolist())


class _Counted:
    """The proposals of walkers, which count their jumps, and learn nothing."""

    def __init__(self, chains: Sequence[BaseChain]) -> None:
        self._parts = [part for chain in chains for part in chain.leaves()]
        self.jumps = 0

    def give_back(self) -> None:
        """Let each know how many jumps were made."""
        for part in self._parts:
            part._nsteps += self.jumps
        self.jumps = 0


class EnsembleBlock(Block):
    """Ensembles at the same iteration whose walkers make stretch moves, as arrays.

    Rows are ensemble-major: the first are the walkers of the first ensemble.

    Parameters
    ----------
    chains : sequence of EnsembleChain
        The ensembles.
    move : Stretch
        Their move.
    model : Batch or OneByOne
        The model.
    room : int
        The number of steps that they are going to make at most.
    blobs : BlockBlobs, optional
        Their blobs.
    """

    _streams: _Uniforms

    def __init__(
        self,
        chains: Sequence[BaseChain],
        move: Stretch,
        model: Batch | OneByOne,
        room: int,
        blobs: BlockBlobs | None = None,
    ) -> None:
        self._counted = _Counted(chains)
        super().__init__(chains, self._counted, model, room, blobs)  # type: ignore[arg-type]
        self._move, self._half = move, chains[0].nwalkers // 2
        self._first_of_halves = np.arange(len(chains))[:, np.newaxis] * self._half

    def _streams_of(self, chains: Sequence[BaseChain]) -> _Uniforms:
        return _Uniforms([chain.stream for chain in chains], chains[0].nwalkers)

    def _step(self) -> None:
        """Move one half of the walkers of each ensemble, then the other."""
        order, half = self._divided(), self._half
        self._move_half(order[:, :half], order[:, half:])
        self._move_half(order[:, half:], order[:, :half])
        self.iteration += 1
        self._counted.jumps += 1

    def _divided(self) -> Rows:
        """The walkers of each ensemble, divided at random: its halves one after the other."""
        n, half = 2 * self._half, self._half
        steps = self._streams.each(half) * (n - np.arange(half))
        order = []
        for number, others in enumerate((steps.astype(np.intp) + np.arange(half)).tolist()):
            walkers = list(range(number * n, number * n + n))
            for i, j in enumerate(others):
                walkers[i], walkers[j] = walkers[j], walkers[i]
            order.append(walkers)
        return np.array(order)

    def _move_half(self, half: Rows, rest: Rows) -> None:
        which, u = self._streams.each(2 * self._half).reshape(*half.shape, 2).transpose(2, 0, 1)
        places = (which * self._half).astype(np.intp) + self._first_of_halves
        others = rest.ravel().take(places.ravel())
        rows, a = half.ravel(), self._move.a
        root = (a - 1) * u.ravel() + 1
        z = root * root / a
        other = self.x.take(others, axis=0)
        away = self.x.take(rows, axis=0) - other
        away *= z[:, np.newaxis]
        away += other
        self.y[rows] = away
        factor = (len(self.names) - 1) * logs(z)
        logl, logp = self._asked(rows)
        self.new_logl[rows], self.new_logp[rows] = logl, logp
        log_ratio = logp - self.logp.take(rows)
        log_ratio += logl - self.logl.take(rows)
        self._decide_for(rows, logp != -inf, log_ratio + factor)

    def _decide_for(self, rows: Rows, inside: NDArray[np.bool_], log_ratio: Array) -> None:
        """Accept with the probabilities that log ratios say."""
        self._outside[rows] += ~inside
        up = inside & (log_ratio > 0)
        open_ = inside & ~up
        ratio = up.astype(float)
        ratio[open_] = exps(log_ratio[open_])
        u = self._streams.where(open_.reshape(len(self.chains), -1)).ravel()
        accepted = up | (open_ & (u < ratio))
        self.ratio[rows], self.accepted[rows] = ratio, accepted
        moved = rows[accepted]
        self.x[moved] = self.y.take(moved, axis=0)
        self.logl[moved], self.logp[moved] = self.new_logl.take(moved), self.new_logp.take(moved)
        if self.blobs is not None:
            self.blobs.accept(moved)
