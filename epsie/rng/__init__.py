"""Random numbers: bit generators, and the stream of each chain."""

from __future__ import annotations

from epsie.rng.bit_generators import (
    as_bit_generator,
    bit_generator_names,
    create_bit_generator,
    create_bit_generators,
    create_seed,
    find_bit_generator,
)
from epsie.rng.stream import Stream

__all__ = [
    "Stream",
    "as_bit_generator",
    "bit_generator_names",
    "create_bit_generator",
    "create_bit_generators",
    "create_seed",
    "find_bit_generator",
]
