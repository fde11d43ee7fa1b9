"""Bit generators, of numpy and randomgen: found by name, and made from seeds."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.random import BitGenerator, Generator, SeedSequence

from epsie.checks import as_count

NUMPY_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
NUMPY_CLASSES: dict[str, type[BitGenerator]] = {
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
    if package in ("", "numpy", "numpy.random") and name in NUMPY_CLASSES:
        return NUMPY_CLASSES[name]
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

    Raises
    ------
    ValueError
        If `stream` is less than 0.
    """
    stream, sequence = as_count(stream, "stream", 0), SeedSequence(create_seed(seed))
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


def as_bit_generator(source: BitGenerator | Generator | int | None) -> BitGenerator:
    """The bit generator itself, that of a numpy generator, or one made of a seed.

    Raises
    ------
    TypeError
        If it is none of these.
    """
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


def package_of(cls: type[BitGenerator]) -> str:
    """The package a bit generator's class comes from: 'numpy' or 'randomgen'."""
    return cls.__module__.partition(".")[0]


def _name_of(name: str) -> str:
    """The bare name of a class: some of randomgen carry their module in it."""
    return name.rpartition(".")[2]


def class_of_state(state: dict[str, Any], current: type[BitGenerator] | None) -> type[BitGenerator]:
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
