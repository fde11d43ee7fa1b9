"""Samplers: many chains, stepped in parallel."""

from __future__ import annotations

from epsie.samplers.mhsampler import MetropolisHastingsSampler
from epsie.samplers.ptsampler import ParallelTemperedSampler

__all__ = ["MetropolisHastingsSampler", "ParallelTemperedSampler"]
