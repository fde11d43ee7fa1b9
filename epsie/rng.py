"""Random numbers: from one seed to a stream for every chain.

A seed is spawned into one independent bit generator per chain with numpy's `SeedSequence`. A chain
draws all its variates from one `Stream` on top of it.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import BitGenerator, Generator, SeedSequence
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

BLOCK = 128
"""Variates drawn at a time. Part of the format of a state: another value gives other samples."""

NUMPY_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
_NUMPY_CLASSES: dict[str, type[BitGenerator]] = {
    name: getattr(np.random, name) for name in NUMPY_GENERATORS
}
_UNSEEDABLE = {
    "RDRAND": "it takes no seed, so no run could be repeated",
    "UserBitGenerator": "it wraps a function that can be neither seeded nor saved",
}


def bit_generator_names() -> list[str]:
    """Every name that `bit_generator=` takes, numpy's first.

    Four names exist in both packages: the bare one is numpy's, ``'randomgen.PCG64'`` the other.
    """
    return [*NUMPY_GENERATORS, *(f"randomgen.{name}" for name in _randomgen_classes())]


def _randomgen_classes() -> dict[str, type[BitGenerator]]:
    """The seedable bit generators of randomgen by name. Imported when first asked for."""
    randomgen = importlib.import_module("randomgen")
    candidates = {name: getattr(randomgen, name) for name in sorted(dir(randomgen))}
    return {
        name: cls
        for name, cls in candidates.items()
        if isinstance(cls, type) and issubclass(cls, BitGenerator) and name not in _UNSEEDABLE
    }


def find_bit_generator(which: str | type[BitGenerator] | None = None) -> type[BitGenerator]:
    """The class of a bit generator.

    Parameters
    ----------
    which : str or type, optional
        A class of numpy or randomgen, or its name: ``'PCG64'``, ``'numpy.PCG64'``,
        ``'randomgen.PCG64'``. A bare name is numpy's if numpy has it. None: `epsie.BIT_GENERATOR`.

    Raises
    ------
    ValueError
        If there is no such generator, or it cannot be seeded.
    TypeError
        If `which` is neither a name nor a class of bit generators.
    """
    if which is None:
        import epsie

        which = epsie.BIT_GENERATOR
    if isinstance(which, type) and issubclass(which, BitGenerator):
        which = f"{package_of(which)}.{_name_of(which.__name__)}"
    if not isinstance(which, str):
        raise TypeError(
            "bit_generator must be the name or the class of a bit generator of numpy or "
            f"randomgen; got {which!r}"
        )
    package, _, name = which.rpartition(".")
    _refuse_unseedable(name)
    if package in ("", "numpy", "numpy.random") and name in _NUMPY_CLASSES:
        return _NUMPY_CLASSES[name]
    if package in ("", "randomgen") and name in (classes := _randomgen_classes()):
        return classes[name]
    raise ValueError(
        f"there is no bit generator {which!r}; known are {', '.join(bit_generator_names())}"
    )


def _refuse_unseedable(name: str) -> None:
    if name in _UNSEEDABLE:
        raise ValueError(f"the bit generator {name} cannot be used: {_UNSEEDABLE[name]}")


def create_seed(seed: int | None = None) -> int:
    """The seed itself, or a fresh one of 128 bits of the operating system's entropy."""
    if seed is None:
        entropy = SeedSequence().entropy
        assert isinstance(entropy, int)
        return entropy
    return seed


def create_bit_generator(seed: int | None = None, stream: int = 0) -> BitGenerator:
    """A bit generator of the class `epsie.BIT_GENERATOR`.

    Parameters
    ----------
    seed : int, optional
        The seed; fresh entropy if None.
    stream : int, optional
        0 for the generator of the seed itself; n > 0 for child n of ``spawn(n + 1)``.
    """
    sequence = SeedSequence(create_seed(seed))
    if stream > 0:
        sequence = sequence.spawn(stream + 1)[stream]
    return find_bit_generator()(sequence)


def create_bit_generators(
    ngenerators: int,
    seed: int | None = None,
    bit_generator: str | type[BitGenerator] | None = None,
) -> list[BitGenerator]:
    """Independent bit generators, the children of one seed.

    Parameters
    ----------
    ngenerators : int
        How many, at least 1.
    seed : int, optional
        The parent's seed; fresh entropy if None.
    bit_generator : str or type, optional
        As `find_bit_generator` takes it.

    Raises
    ------
    ValueError
        If `ngenerators` is less than 1.
    """
    if ngenerators < 1:
        raise ValueError(f"ngenerators must be at least 1; got {ngenerators}")
    cls = find_bit_generator(bit_generator)
    return [cls(child) for child in SeedSequence(create_seed(seed)).spawn(ngenerators)]


def _as_bit_generator(source: BitGenerator | Generator | int | None) -> BitGenerator:
    if isinstance(source, Generator):
        return source.bit_generator
    if isinstance(source, BitGenerator):
        return source
    if source is None or isinstance(source, int | np.integer):
        return create_bit_generator(None if source is None else int(source))
    raise TypeError(
        "bit_generator must be an instance of a bit generator, a seed, or None; "
        f"got {source!r} of type {type(source).__name__}"
    )


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
        self.generator = Generator(_as_bit_generator(bit_generator))
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
        state = _copied(self.bit_generator.state)
        state["module"] = package_of(type(self.bit_generator))
        state["undrawn"] = {
            "normal": self._normals[self._next :],
            "uniform": self._uniforms.copy(),
        }
        return state

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        """Takes a bare numpy state too: then nothing is left undrawn."""
        cls = _class_of_state(state, type(self.bit_generator))
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
            instance = _NUMPY_CLASSES[bare["bit_generator"]](_UNSEEDED)
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


def _copied(state: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a state; many times faster than `deepcopy`."""
    return {
        key: _copied(value)
        if isinstance(value, dict)
        else value.copy()
        if isinstance(value, np.ndarray)
        else value
        for key, value in state.items()
    }


def _as_floats(values: list[float] | NDArray[np.float64]) -> list[float]:
    """A copy, as a list."""
    return values.copy() if type(values) is list else np.array(values, dtype=float).tolist()


def package_of(cls: type[BitGenerator]) -> str:
    """The package a bit generator's class comes from: 'numpy' or 'randomgen'."""
    return cls.__module__.partition(".")[0]


def _name_of(name: str) -> str:
    """The bare name of a class: some of randomgen carry their module in it."""
    return name.rpartition(".")[2]


def _class_of_state(
    state: dict[str, Any], current: type[BitGenerator] | None
) -> type[BitGenerator]:
    """The class that made a state: looked up by name, never imported on the state's word."""
    name = _name_of(state["bit_generator"])
    module = state.get("module")
    if (
        current is not None
        and _name_of(current.__name__) == name
        and module in (None, package_of(current))
    ):
        return current
    return find_bit_generator(name if module is None else f"{module}.{name}")
