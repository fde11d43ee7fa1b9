"""The streams of many chains, drawn from as arrays: each gives the variates that it would alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from epsie.rng.stream import BLOCK, Stream

Array = NDArray[np.float64]


class Streams:
    """Streams that are drawn from together.

    Each draws its next block of variates at the very step at which it would alone, as normal and
    uniform ones come from the same bits. What is left goes back to them by `give_back`.

    Parameters
    ----------
    streams : sequence of Stream
        The streams.
    most : int
        The largest number of normal variates that are asked for at once, at most a block.
    """

    def __init__(self, streams: Sequence[Stream], most: int) -> None:
        self.streams = streams
        n, self._room = len(streams), most
        # Blocks lie behind room for what is left of the one before.
        self._z = np.empty((n, most + BLOCK))
        self._u = np.empty((n, BLOCK))
        self._next = np.empty(n, np.intp)
        self._left = np.empty(n, np.intp)
        for i, stream in enumerate(streams):
            normals, uniforms = stream.taken()
            self._next[i] = most + BLOCK - len(normals)
            self._z[i, self._next[i] :] = normals
            self._left[i] = len(uniforms)
            self._u[i, : len(uniforms)] = uniforms

    def normals(self, n: int) -> Array:
        """So many standard normal variates of each stream. Shape (nstreams, n)."""
        first = int(self._next[0])
        if (self._next == first).all():
            if first + n > self._room + BLOCK:
                for i in range(len(self.streams)):
                    self._refill_normals(i)
                first = int(self._next[0])
            self._next += n
            return self._z[:, first : first + n]
        for i in np.flatnonzero(self._next + n > self._room + BLOCK).tolist():
            self._refill_normals(i)
        columns = self._next[:, np.newaxis] + np.arange(n)
        self._next += n
        return np.take_along_axis(self._z, columns, axis=1)

    def _refill_normals(self, i: int) -> None:
        row, left = self._z[i], self._room + BLOCK - int(self._next[i])
        row[self._room - left : self._room] = row[len(row) - left :].copy()
        self.streams[i].generator.standard_normal(out=row[self._room :])
        self._next[i] = self._room - left

    def uniforms_where(self, needed: NDArray[np.bool_]) -> Array:
        """Uniform variates on [0, 1) where they are needed, along rows; elsewhere anything.

        Parameters
        ----------
        needed : array of bool
            Shape (nstreams, n).
        """
        number = np.cumsum(needed, axis=1)
        place = self._left[:, np.newaxis] - number
        found = np.take_along_axis(self._u, np.maximum(place, 0), axis=1)
        left = self._left - number[:, -1]
        for i in np.flatnonzero(left < 0).tolist():
            for j in np.flatnonzero(needed[i]).tolist():
                found[i, j] = self._uniform(i)
            left[i] = self._left[i]
        self._left = left
        return found

    def uniforms(self, n: int) -> Array:
        """So many uniform variates of each, in the order of `Stream.uniforms`."""
        left = self._left - n
        columns = np.maximum(left, 0)[:, np.newaxis] + np.arange(n)
        found = np.take_along_axis(self._u, np.minimum(columns, BLOCK - 1), axis=1)
        for i in np.flatnonzero(left < 0).tolist():
            found[i] = [self._uniform(i) for _ in range(n)]
            left[i] = self._left[i]
        self._left = left
        return found

    def _uniform(self, i: int) -> float:
        if not self._left[i]:
            self.streams[i].generator.random(out=self._u[i])
            self._left[i] = BLOCK
        self._left[i] -= 1
        return float(self._u[i, self._left[i]])

    def give_back(self) -> None:
        """Let each stream go on alone."""
        for i, stream in enumerate(self.streams):
            normals = self._z[i, self._next[i] :].tolist()
            stream.put_back(normals, self._u[i, : self._left[i]].tolist())
