"""The uniform variates of many streams, as arrays: each gives those that it would alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.rng.stream import BLOCK, Stream

Array = NDArray[np.float64]

_AHEAD = 4096
"""So many variates of an ensemble are drawn in advance: each draw takes as long as a thousand."""


class UniformsAhead:
    """Uniform variates of streams of which nothing else is drawn meanwhile: for some steps at once.

    In the end each stream is set back to where it would be alone.

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


class UniformsInTurn:
    """Uniform variates of streams of which other variates are drawn as well.

    Parameters
    ----------
    streams : sequence of Stream
        The streams.
    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams

    def reserve(self) -> None:
        """Nothing: they are drawn when they are needed."""

    def each(self, n: int) -> Array:
        """So many variates of each stream. Shape (nstreams, n)."""
        return np.array([[stream.uniform() for _ in range(n)] for stream in self._streams])

    def where(self, needed: NDArray[np.bool_]) -> Array:
        """A variate for each place where one is needed, along rows; elsewhere 0."""
        found = np.zeros(needed.shape)
        for stream, row, is_needed in zip(self._streams, found, needed, strict=True):
            row[is_needed] = [stream.uniform() for _ in range(np.count_nonzero(is_needed))]
        return found

    def give_back(self) -> None:
        """Nothing: they are where they would be alone."""
