"""Independent Markov chains that sample a posterior, in parallel.

`sample` takes a log likelihood and a `Prior`, and chooses the rest. Or give a sampler, as
`MetropolisHastingsSampler`, names and a ``model(**parameters) -> (logl, logp)``, which may also
return a blob, set `start_position`, and `run`.
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
    from epsie.chain.chaindata import array2dict as array2dict
    from epsie.errors import CheckpointError as CheckpointError
    from epsie.errors import EpsieError as EpsieError
    from epsie.errors import InUseError as InUseError
    from epsie.errors import ModelError as ModelError
    from epsie.errors import NoLikelihoodError as NoLikelihoodError
    from epsie.errors import NotReproducibleError as NotReproducibleError
    from epsie.errors import PoolError as PoolError
    from epsie.errors import ProposalError as ProposalError
    from epsie.errors import RunDirectoryError as RunDirectoryError
    from epsie.errors import StateError as StateError
    from epsie.model.conditional import Given as Given
    from epsie.model.direction import Angle as Angle
    from epsie.model.direction import Direction as Direction
    from epsie.model.joint import Joint as Joint
    from epsie.model.posterior import Posterior as Posterior
    from epsie.model.prior import Prior as Prior
    from epsie.results.comparison import compare as compare
    from epsie.rng.bit_generators import create_bit_generator as create_bit_generator
    from epsie.rng.bit_generators import create_bit_generators as create_bit_generators
    from epsie.rng.bit_generators import create_seed as create_seed
    from epsie.running.saving import SaveTo as SaveTo
    from epsie.samplers import EnsembleSampler as EnsembleSampler
    from epsie.samplers import MetropolisHastingsSampler as MetropolisHastingsSampler
    from epsie.samplers import ParallelTemperedSampler as ParallelTemperedSampler
    from epsie.samplers.calibration import calibrate as calibrate
    from epsie.samplers.sample import sample as sample
    from epsie.storage.checkpoint import dump_state as dump_state
    from epsie.storage.checkpoint import load_state as load_state
    from epsie.storage.rundir.reader import open_run as open_run
    from epsie.tempering.ladders import geometric_ladder as geometric_ladder
    from epsie.tempering.ladders import make_betas_ladder as make_betas_ladder

logging.getLogger("epsie").addHandler(logging.NullHandler())

BIT_GENERATOR = PCG64
"""The class of all bit generators that are not asked for by name. May be set to another."""

_HOMES = {
    name: f"epsie.{home}"
    for home, names in {
        "chain.chaindata": "array2dict",
        "errors": (
            "CheckpointError EpsieError InUseError ModelError NoLikelihoodError "
            "NotReproducibleError PoolError ProposalError RunDirectoryError StateError"
        ),
        "model.conditional": "Given",
        "model.direction": "Angle Direction",
        "model.joint": "Joint",
        "model.posterior": "Posterior",
        "model.prior": "Prior",
        "results.comparison": "compare",
        "rng.bit_generators": "create_bit_generator create_bit_generators create_seed",
        "running.saving": "SaveTo",
        "samplers": "EnsembleSampler MetropolisHastingsSampler ParallelTemperedSampler",
        "samplers.calibration": "calibrate",
        "samplers.sample": "sample",
        "storage.checkpoint": "dump_state load_state",
        "storage.rundir.reader": "open_run",
        "tempering.ladders": "geometric_ladder make_betas_ladder",
    }.items()
    for name in names.split()
}
"""Where the public names are."""

_MOVED = {
    "chain.annealing": "tempering.annealing",
    "chain.barrier": "tempering.barrier",
    "chain.dynamical": "tempering.dynamical",
    "chain.learning": "chain.adaptation_history",
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
            ("", "results", "arviz diagnosable"),
            ("", "rng", "bit_generators"),
            ("", "running", "progress stopping"),
            ("", "storage", "checkpoint plaintypes statetree rundir"),
            ("", "tempering", "communication evidence log_z"),
            ("pools.", "pools.foreign", "clusters scripts"),
            ("pools.", "pools.own", "interruptible process serving"),
            ("pools.", "pools.ranks", "mpi team"),
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
    "pools.worker": "pools.ranks.team",
    "pools.wire": "pools.own.serving",
    "storage.rundir.recipes": "chain.recipes",
    "portions": "execution.utilisation",
    "rundir.info": "storage.rundir.facts",
    "rundir.modelcheck": "running.points",
    "rundir.recorder": "running.writer",
    "rundir.recording": "running.saved_run",
    "trail": "running.trace",
    "visited": "results.view",
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

__all__ = ["BIT_GENERATOR", *sorted(_HOMES)]


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
