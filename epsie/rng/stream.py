"""The stream of variates that a chain draws from.

A seed is spawned into one independent bit generator per chain with numpy's `SeedSequence`. A chain
draws all its variates from one `Stream` on top of it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import BitGenerator, Generator, SeedSequence
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from epsie.copying import copied
from epsie.rng.bit_generators import (
    NUMPY_CLASSES,
    as_bit_generator,
    class_of_state,
    package_of,
)

BLOCK = 128
"""Variates drawn at a time. Part of the format of a state: another value gives other samples."""


class Stream:
    """The one source of a chain's random numbers.

    `normal` and `uniform` hand out variates from blocks drawn in advance, which is far cheaper
    than asking a numpy `Generator` for each. The state is the generator's state and what was
    drawn but not handed out yet, so a restored stream goes on at the very next variate.

    Parameters
    ----------
    bit_generator : BitGenerator, Generator, int or None
        The source of bits, or a seed.
    """

    __slots__ = ("_array", "_next", "_normals", "_uniforms", "generator")

    generator: Generator
    """A numpy `Generator` on the same bits, for everything else."""

    def __init__(self, bit_generator: BitGenerator | Generator | int | None = None) -> None:
        self.generator = Generator(as_bit_generator(bit_generator))
        self._empty()

    def _empty(self) -> None:
        self._array = _NO_VARIATES
        self._normals: list[float] = []
        self._next = 0
        self._uniforms: list[float] = []

    @property
    def bit_generator(self) -> BitGenerator:
        """The bit generator."""
        return self.generator.bit_generator

    def uniform(self) -> float:
        """A variate of the uniform distribution on [0, 1)."""
        if not self._uniforms:
            self._uniforms = self.generator.random(BLOCK).tolist()
        return self._uniforms.pop()

    def uniforms(self, n: int) -> list[float]:
        """`n` variates of the uniform distribution on [0, 1), at least one."""
        left = self._uniforms
        if len(left) < n:
            return [self.uniform() for _ in range(n)]
        taken = left[-n:]
        del left[-n:]
        return taken

    def normal(self) -> float:
        """A variate of the standard normal distribution."""
        start = self._next
        if start < len(self._normals):
            self._next = start + 1
            return self._normals[start]
        return self.normals(1)[0]

    def normals(self, n: int) -> list[float]:
        """`n` variates of the standard normal distribution."""
        start = self._next
        self._next = end = start + n
        if end <= len(self._normals):
            return self._normals[start:end]
        across: list[float] = self._across_blocks(start, n).tolist()
        return across

    def normal_array(self, n: int) -> NDArray[np.float64]:
        """The same `n` variates as `normals` would give, as an array; not to be written to."""
        start = self._next
        self._next = end = start + n
        if end <= len(self._array):
            return self._array[start:end]
        return self._across_blocks(start, n)

    def _across_blocks(self, start: int, n: int) -> NDArray[np.float64]:
        if len(self._array) < len(self._normals):
            # Of a copy or a restored stream: made when it is first asked for.
            self._array = np.array(self._normals)
            if start + n <= len(self._array):
                return self._array[start : start + n]
        pieces = [self._array[start:]]
        missing = n - len(pieces[0])
        while missing > 0:
            block = self.generator.standard_normal(BLOCK)
            pieces.append(block[:missing])
            self._next = len(pieces[-1])
            missing -= BLOCK
        self._array, self._normals = block, block.tolist()
        return np.concatenate(pieces)

    @property
    def state(self) -> dict[str, Any]:
        """Numpy's state of the bit generator, with its `module` and what is `undrawn`."""
        state: dict[str, Any] = copied(self.bit_generator.state)
        state["module"] = package_of(type(self.bit_generator))
        state["undrawn"] = {
            "normal": self._normals[self._next :],
            "uniform": self._uniforms.copy(),
        }
        return state

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        """Takes a bare numpy state too: then nothing is left undrawn."""
        cls = class_of_state(state, type(self.bit_generator))
        if cls is not type(self.bit_generator):
            self.generator = Generator(cls(_ANY))
        self.bit_generator.state = {
            key: state[key] for key in state if key not in ("module", "undrawn")
        }
        self._empty()
        undrawn = state.get("undrawn")
        if undrawn is not None:
            self._normals = _as_floats(undrawn["normal"])
            self._uniforms = _as_floats(undrawn["uniform"])

    def taken(self) -> tuple[list[float], list[float]]:
        """The normal and uniform variates that are drawn already, for who draws in its place."""
        return self._normals[self._next :], self._uniforms.copy()

    def put_back(self, normals: list[float], uniforms: list[float]) -> None:
        """Go on with these variates, after what drew in its place."""
        self._empty()
        self._normals, self._uniforms = normals, uniforms

    def copied(self) -> Stream:
        """An independent stream that will give the same variates."""
        twin = Stream.__new__(Stream)
        twin.__setstate__(self.__getstate__())
        return twin

    def __getstate__(self) -> _Travelling:
        bits = self.bit_generator
        instance = None
        # A generator of randomgen may have options beyond its state: it travels whole.
        if package_of(type(bits)) != "numpy":
            instance = copy.deepcopy(bits)
        return bits.state, instance, self._normals[self._next :], self._uniforms.copy()

    def __setstate__(self, state: _Travelling) -> None:
        bare, instance, self._normals, self._uniforms = state
        if instance is None:
            instance = NUMPY_CLASSES[bare["bit_generator"]](_UNSEEDED)
            instance.state = bare
        self.generator = Generator(instance)
        self._array = _NO_VARIATES
        self._next = 0


_Travelling = tuple[Mapping[str, Any], BitGenerator | None, list[float], list[float]]
"""A stream on its way: the bits' state, the whole generator if needed, normals and uniforms."""

_NO_VARIATES: NDArray[np.float64] = np.empty(0)

_ANY = SeedSequence(0)
"""For a generator whose state is set at once: seeding it anew from entropy would be slow."""


class _Unseeded(ISeedSequence):
    """Zeros instead of a seed, for a generator of numpy whose state is set at once."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        return np.zeros(n_words, dtype)


_UNSEEDED: Any = _Unseeded()


def _as_floats(values: list[float] | NDArray[np.float64]) -> list[float]:
    """A copy, as a list."""
    return values.copy() if type(values) is list else np.array(values, dtype=float).tolist()
