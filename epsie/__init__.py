"""Independent Markov chains that sample a posterior, in parallel.

A model is ``model(**parameters) -> (logl, logp)`` or ``(logl, logp, blob)``. Give it to a
`MetropolisHastingsSampler` with a number of chains, set `start_position`, and `run`.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from numpy.random import PCG64

from epsie._version import __version__ as __version__

if TYPE_CHECKING:
    from epsie.chain.chaindata import array2dict
    from epsie.errors import (
        CheckpointError,
        EpsieError,
        InUseError,
        ModelError,
        NotReproducibleError,
        PoolError,
        ProposalError,
        RunDirectoryError,
        StateError,
    )
    from epsie.model.conditional import Given
    from epsie.model.direction import Angle, Direction
    from epsie.model.joint import Joint
    from epsie.model.posterior import Posterior
    from epsie.model.prior import Prior
    from epsie.rng.bit_generators import create_bit_generator, create_bit_generators, create_seed
    from epsie.running.saving import SaveTo
    from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
    from epsie.samplers.sample import sample
    from epsie.storage.checkpoint import dump_state, load_state
    from epsie.storage.rundir.reader import open_run
    from epsie.tempering.ladders import geometric_ladder, make_betas_ladder

logging.getLogger("epsie").addHandler(logging.NullHandler())

BIT_GENERATOR = PCG64
"""The class of all bit generators that are not asked for by name. May be set to another."""

_HOMES = {
    "MetropolisHastingsSampler": "epsie.samplers",
    "ParallelTemperedSampler": "epsie.samplers",
    "SaveTo": "epsie.running.saving",
    "sample": "epsie.samplers.sample",
    "Prior": "epsie.model.prior",
    "Posterior": "epsie.model.posterior",
    "Angle": "epsie.model.direction",
    "Direction": "epsie.model.direction",
    "Given": "epsie.model.conditional",
    "Joint": "epsie.model.joint",
    "geometric_ladder": "epsie.tempering.ladders",
    "make_betas_ladder": "epsie.tempering.ladders",
    "array2dict": "epsie.chain.chaindata",
    "dump_state": "epsie.storage.checkpoint",
    "load_state": "epsie.storage.checkpoint",
    "open_run": "epsie.storage.rundir.reader",
    "create_bit_generator": "epsie.rng.bit_generators",
    "create_bit_generators": "epsie.rng.bit_generators",
    "create_seed": "epsie.rng.bit_generators",
    **dict.fromkeys(
        [
            "CheckpointError",
            "EpsieError",
            "InUseError",
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
_MOVED = {
    "chain.annealing": "tempering.annealing",
    "chain.barrier": "tempering.barrier",
    "chain.dynamical": "tempering.dynamical",
    "chain.learning": "chain.notes",
    "chain.swaps": "tempering.swaps",
    "chain.tempering": "tempering",
    "proposals.andrieu_thoms": "proposals.adaptation.andrieu_thoms",
    "proposals.covariance_learning": "proposals.adaptation.covariance",
    "proposals.eigen_adaptation": "proposals.adaptation.eigenvectors",
    "proposals.scheme": "proposals.adaptation.base",
    **{
        f"{former}{name}": f"{now}.{name}"
        for former, now, names in (
            ("", "cli", "export"),
            ("", "execution", "utilisation work"),
            ("", "pools", "transport"),
            ("", "process", "cancellation signals threads"),
            ("", "results", "arviz diagnosable visited"),
            ("", "rng", "bit_generators"),
            ("", "running", "progress stopping trail"),
            ("", "storage", "checkpoint plaintypes statetree rundir"),
            ("", "tempering", "communication evidence log_z"),
            ("pools.", "pools.foreign", "clusters scripts"),
            ("pools.", "pools.own", "interruptible process serving"),
            ("pools.", "pools.ranks", "mpi team worker"),
            ("rundir.", "cli", "verify"),
            ("rundir.", "running", "interrupts"),
            ("rundir.", "storage", "files"),
        )
        for name in names.split()
    },
    "drawing": "running.starts",
    "pools.choose": "pools.mapper",
    "pools.collecting": "pools.foreign.foreign",
    "pools.pool": "pools.base",
    "pools.schwimmbad": "pools.foreign.foreign",
    "pools.wire": "pools.own.serving",
    "portions": "execution.utilisation",
    "rundir.info": "storage.rundir.facts",
    "rundir.modelcheck": "running.points",
    "rundir.recorder": "running.writer",
    "rundir.recording": "running.saved_run",
    "verification": "execution.repeating",
}
"""Former paths of modules, and where they are now, both below the package."""

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
    "Angle",
    "CheckpointError",
    "Direction",
    "EpsieError",
    "Given",
    "InUseError",
    "Joint",
    "MetropolisHastingsSampler",
    "ModelError",
    "NotReproducibleError",
    "ParallelTemperedSampler",
    "PoolError",
    "Posterior",
    "Prior",
    "ProposalError",
    "RunDirectoryError",
    "SaveTo",
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
    "sample",
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


class _Former:
    """Answers the import of a former path with the module itself, at its present one."""

    @staticmethod
    def find_spec(
        path: str, parents: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module at a former path; None for all other paths."""
        package, _, former = path.partition(".")
        known = package == __name__ and (former in _MOVED or former.rpartition(".")[0] in _MOVED)
        return ModuleSpec(path, _Former()) if known else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module, which is imported if it was not yet."""
        former = spec.name.partition(".")[2]
        parent, _, name = former.rpartition(".")
        now = _MOVED[former] if former in _MOVED else f"{_MOVED[parent]}.{name}"
        module = importlib.import_module(f"{__name__}.{now}")
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give it back its own specification, which the import has replaced."""
        module.__spec__ = self.spec


# First, as a package at a former path would find its own files a second time.
sys.meta_path.insert(0, _Former)
