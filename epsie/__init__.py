"""Independent Markov chains that sample a posterior, in parallel.

A model is ``model(**parameters) -> (logl, logp)`` or ``(logl, logp, blob)``. Give it to a
`MetropolisHastingsSampler` with a number of chains, set `start_position`, and `run`.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from numpy.random import PCG64

if TYPE_CHECKING:
    from epsie.chain.chaindata import array2dict
    from epsie.chain.tempering import geometric_ladder, make_betas_ladder
    from epsie.checkpoint import dump_state, load_state
    from epsie.errors import (
        CheckpointError,
        EpsieError,
        ModelError,
        NotReproducibleError,
        PoolError,
        ProposalError,
        RunDirectoryError,
        StateError,
    )
    from epsie.rng import create_bit_generator, create_bit_generators, create_seed
    from epsie.rundir import open_run
    from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

logging.getLogger("epsie").addHandler(logging.NullHandler())

__version__ = "2.0.0"

BIT_GENERATOR = PCG64
"""The class of all bit generators that are not asked for by name. May be set to another."""

_HOMES = {
    "MetropolisHastingsSampler": "epsie.samplers",
    "ParallelTemperedSampler": "epsie.samplers",
    "geometric_ladder": "epsie.chain.tempering",
    "make_betas_ladder": "epsie.chain.tempering",
    "array2dict": "epsie.chain.chaindata",
    "dump_state": "epsie.checkpoint",
    "load_state": "epsie.checkpoint",
    "open_run": "epsie.rundir",
    "create_bit_generator": "epsie.rng",
    "create_bit_generators": "epsie.rng",
    "create_seed": "epsie.rng",
    **dict.fromkeys(
        [
            "CheckpointError",
            "EpsieError",
            "ModelError",
            "NotReproducibleError",
            "PoolError",
            "ProposalError",
            "RunDirectoryError",
            "StateError",
        ],
        "epsie.errors",
    ),
}
_MODULES = (
    "arviz",
    "chain",
    "checkpoint",
    "diagnostics",
    "errors",
    "execution",
    "plots",
    "pools",
    "proposals",
    "rng",
    "rundir",
    "samplers",
)

__all__ = [
    "BIT_GENERATOR",
    "CheckpointError",
    "EpsieError",
    "MetropolisHastingsSampler",
    "ModelError",
    "NotReproducibleError",
    "ParallelTemperedSampler",
    "PoolError",
    "ProposalError",
    "RunDirectoryError",
    "StateError",
    "array2dict",
    "create_bit_generator",
    "create_bit_generators",
    "create_seed",
    "dump_state",
    "geometric_ladder",
    "load_state",
    "make_betas_ladder",
    "open_run",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"epsie.{name}")
    raise AttributeError(f"module 'epsie' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
