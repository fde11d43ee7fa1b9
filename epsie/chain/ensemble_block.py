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
    if type(ensemble.moves._only) is not Stretch:
        return inf
    if at_once:
        return 0.0
    return inf if ensemble.hasblobs else _FEWEST / ensemble.nwalkers


def move_of(ensembles: Sequence[Any]) -> Stretch | None:
    """The move of ensembles; None if they cannot be stepped as arrays."""
    first = ensembles[0]
    alike = all(one.iteration == first.iteration and not one.is_stale for one in ensembles)
    move = first.moves._only
    return move if alike and type(move) is Stretch else None


_AHEAD = 4096
"""So many variates of an ensemble are drawn in advance: each draw takes as long as a thousand."""


class _Uniforms:
    """The uniform variates of many streams, of which nothing else is drawn meanwhile.

    They are drawn for some steps in advance. In the end each stream is set back to where it would
    be alone.

    Parameters
    ----------
    streams : sequence of Stream
        The streams.
    most : int
        How many are taken of each from one `reserve` to the next at most.
    times : int
        How often there will be a `reserve` at most.
    """

    def __init__(self, streams: Sequence[Stream], most: int, times: int) -> None:
        n = len(streams)
        self._streams, self._most = streams, most
        self._normals, left = zip(*[stream.taken() for stream in streams], strict=True)
        self._queues = np.empty((n, most * min(times, max(4, _AHEAD // most)) + 2 * BLOCK))
        self._row_starts = np.arange(n) * self._queues.shape[1]
        self._next, self._stop, self._old = (np.zeros(n, np.intp) for _ in range(3))
        self._states: list[Any] = [None] * n
        for i, uniforms in enumerate(left):
            self._fill(i, np.array(uniforms[::-1]))

    def _fill(self, i: int, left: Array) -> None:
        """Draw as many blocks of a stream as there is room for, behind what is left."""
        old, queue, generator = len(left), self._queues[i], self._streams[i].generator
        n = (len(queue) - old) // BLOCK
        self._states[i] = generator.bit_generator.state
        queue[:old] = left
        queue[old : old + n * BLOCK] = generator.random((n, BLOCK))[:, ::-1].ravel()
        self._next[i], self._stop[i], self._old[i] = 0, old + n * BLOCK, old

    def _settled(self, i: int) -> Array:
        """What is left of a stream, which has drawn no more blocks than it would alone."""
        taken, old, generator = self._next[i], self._old[i], self._streams[i].generator
        drawn = -(-max(0, taken - old) // BLOCK) * BLOCK
        generator.bit_generator.state = self._states[i]
        generator.random(drawn)
        left: Array = self._queues[i, taken : old + drawn]
        return left

    def reserve(self) -> None:
        """See to it that there are enough of each stream."""
        for i in np.flatnonzero(self._next + self._most > self._stop).tolist():
            self._fill(i, self._settled(i).copy())

    def each(self, n: int) -> Array:
        """So many variates of each stream. Shape (nstreams, n)."""
        first = self._row_starts + self._next
        self._next += n
        return self._queues.take(first[:, np.newaxis] + np.arange(n))

    def where(self, needed: NDArray[np.bool_]) -> Array:
        """A variate for each place where one is needed, along rows; elsewhere anything."""
        number = needed.cumsum(axis=1, dtype=np.intp)
        before = self._row_starts + self._next - 1
        self._next += number[:, -1]
        found: Array = self._queues.take(before[:, np.newaxis] + number)
        return found

    def give_back(self) -> None:
        """Let each stream go on alone."""
        for i, stream in enumerate(self._streams):
            stream.put_back(self._normals[i], self._settled(i)[::-1].tolist())


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
        self._move, self._half, self._room = move, chains[0].nwalkers // 2, room
        super().__init__(chains, self._counted, model, room, blobs)  # type: ignore[arg-type]
        self._first_of_halves = np.arange(len(chains))[:, np.newaxis] * self._half
        self._numbers = np.arange(self._half)
        self._proposed: list[tuple[Rows, Array, Array, Array]] = []

    def _streams_of(self, chains: Sequence[BaseChain]) -> _Uniforms:
        return _Uniforms([chain.stream for chain in chains], 7 * self._half, self._room)

    def _step(self) -> None:
        """Move one half of the walkers of each ensemble, then the other."""
        self._streams.reserve()
        self._proposed = []
        one, other = self._divided()
        self._move_half(one, other)
        self._move_half(other, one)
        self.iteration += 1
        self._counted.jumps += 1

    def _divided(self) -> Rows:
        """The halves of each ensemble, divided at random. Shape (2, nwalkers / 2 of each)."""
        n, half = 2 * self._half, self._half
        steps = self._streams.each(half) * (n - self._numbers)
        one: list[int] = []
        other: list[int] = []
        for number, others in enumerate((steps.astype(np.intp) + self._numbers).tolist()):
            walkers = list(range(number * n, number * n + n))
            for i, j in enumerate(others):
                walkers[i], walkers[j] = walkers[j], walkers[i]
            one += walkers[:half]
            other += walkers[half:]
        return np.fromiter(one + other, np.intp, 2 * len(one)).reshape(2, -1)

    def _move_half(self, rows: Rows, rest: Rows) -> None:
        shape = (len(self.chains), self._half, 2)
        which, u = self._streams.each(2 * self._half).reshape(shape).transpose(2, 0, 1)
        places = (which * self._half).astype(np.intp) + self._first_of_halves
        other = self.x.take(rest.take(places.ravel()), axis=0)
        root = (self._move.a - 1) * u.ravel() + 1
        z = root * root / self._move.a
        y = self.x.take(rows, axis=0)
        y -= other
        y *= z[:, np.newaxis]
        y += other
        logl, logp = self._asked(y, rows)
        self._proposed.append((rows, y, logl, logp))
        log_ratio = logp - self.logp.take(rows)
        log_ratio += logl - self.logl.take(rows)
        log_ratio += (len(self.names) - 1) * logs(z)
        self._decide_for(*self._proposed[-1], log_ratio)

    def _decide_for(self, rows: Rows, y: Array, logl: Array, logp: Array, log_ratio: Array) -> None:
        """Accept with the probabilities that log ratios say."""
        inside = logp != -inf
        if not inside.all():
            self._outside[rows] += ~inside
        ratio = exps(np.minimum(log_ratio, 0.0))
        open_ = inside & (log_ratio <= 0)
        # Where none is needed any will do, as the ratio is 0 or 1.
        u = self._streams.where(open_.reshape(len(self.chains), -1)).ravel()
        accepted = u < ratio
        self.ratio[rows], self.accepted[rows] = ratio, accepted
        where = np.flatnonzero(accepted)
        moved = rows.take(where)
        self.x[moved] = y.take(where, axis=0)
        self.logl[moved], self.logp[moved] = logl.take(where), logp.take(where)
        if self.blobs is not None:
            self.blobs.accept(moved)

    def tell(self) -> None:
        """Let the ensembles know where they stand."""
        for rows, *proposed in self._proposed:
            self.y[rows], self.new_logl[rows], self.new_logp[rows] = proposed
        super().tell()
