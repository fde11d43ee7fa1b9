"""Samplers: many chains, stepped in parallel."""

from __future__ import annotations

from epsie.running.saving import SaveTo
from epsie.samplers.ensemble import EnsembleSampler
from epsie.samplers.mhsampler import MetropolisHastingsSampler
from epsie.samplers.ptsampler import ParallelTemperedSampler
from epsie.storage.checkpoint import dump_state, load_state

__all__ = [
    "EnsembleSampler",
    "MetropolisHastingsSampler",
    "ParallelTemperedSampler",
    "SaveTo",
    "dump_state",
    "load_state",
]
