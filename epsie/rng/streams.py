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
        n, self._end = len(streams), most + BLOCK
        # Blocks lie behind room for what is left of the one before.
        self._z, self._room = np.empty((n, self._end)), most
        self._u = np.empty((n, BLOCK))
        self._next = np.empty(n, np.intp)
        self._left = np.empty(n, np.intp)
        for i, stream in enumerate(streams):
            normals, uniforms = stream.taken()
            self._next[i] = self._end - len(normals)
            self._z[i, self._next[i] :] = normals
            self._left[i] = len(uniforms)
            self._u[i, : len(uniforms)] = uniforms
        draws = [stream.generator.standard_normal for stream in streams]
        self._refills = list(zip(draws, self._z[:, most:], strict=True))
        # As a rule all have drawn as many.
        self._alike = bool((self._next == self._next[0]).all())

    def normals(self, n: int) -> Array:
        """So many standard normal variates of each stream. Shape (nstreams, n)."""
        if not self._alike:
            return self.normals_at(np.arange(len(self.streams)), n)
        first = int(self._next[0])
        if first + n > self._end:
            left, self._next[:] = self._end - first, self._room - (self._end - first)
            self._z[:, self._room - left : self._room] = self._z[:, first:].copy()
            for draw, block in self._refills:
                draw(out=block)
            first = self._room - left
        self._next += n
        return self._z[:, first : first + n]

    def normals_at(self, where: NDArray[np.intp], n: int) -> Array:
        """So many standard normal variates of each of some streams, by their indices."""
        self._alike = False
        for i in where[self._next[where] + n > self._end].tolist():
            self._refill(i)
        first = self._next[where]
        self._next[where] = first + n
        found: Array = self._z[where[:, np.newaxis], first[:, np.newaxis] + np.arange(n)]
        return found

    def _refill(self, i: int) -> None:
        """Draw a block of normal variates of one stream, behind what is left."""
        rest = self._z[i, self._next[i] :].copy()
        self._next[i] = self._room - len(rest)
        self._z[i, self._next[i] : self._room] = rest
        draw, block = self._refills[i]
        draw(out=block)

    def uniforms_at(self, where: NDArray[np.intp]) -> Array:
        """A uniform variate on [0, 1) of each of some streams, by their indices."""
        left = self._left.take(where)
        if not left.all():
            for i in where[left == 0].tolist():
                self.streams[i].generator.random(out=self._u[i])
                self._left[i] = BLOCK
            left = self._left.take(where)
        left -= 1
        self._left[where] = left
        return self._u.take(where * BLOCK + left)

    def uniforms_where(self, needed: NDArray[np.bool_]) -> Array:
        """Uniform variates on [0, 1) where they are needed, in the order of rows.

        Parameters
        ----------
        needed : array of bool
            Shape (nstreams, n). Each stream gives them along its row.
        """
        found = np.empty(needed.shape)
        for column in range(needed.shape[1]):
            where = np.flatnonzero(needed[:, column])
            found[where, column] = self.uniforms_at(where)
        return found[needed]

    def uniforms(self, n: int) -> Array:
        """So many uniform variates of each, in the order of `Stream.uniforms`."""
        return self.uniforms_of(np.arange(len(self.streams)), n)

    def uniforms_of(self, where: NDArray[np.intp], n: int) -> Array:
        """The same of some streams, by their indices."""
        enough = self._left[where] >= n
        found = np.stack([self.uniforms_at(where) for _ in range(n)], axis=1)
        # Several that are there are handed out as they lie, one by one they are from the end.
        found[enough] = found[enough, ::-1]
        return found

    def give_back(self) -> None:
        """Let each stream go on alone."""
        for i, stream in enumerate(self.streams):
            normals = self._z[i, self._next[i] :].tolist()
            stream.put_back(normals, self._u[i, : self._left[i]].tolist())
