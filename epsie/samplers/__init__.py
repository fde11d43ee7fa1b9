"""Samplers: many chains, stepped in parallel."""

from __future__ import annotations

from epsie.samplers.mhsampler import MetropolisHastingsSampler

__all__ = ["MetropolisHastingsSampler"]
