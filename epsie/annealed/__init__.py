"""The annealed start: from draws of the prior to a population of the posterior."""

from __future__ import annotations

from epsie.annealed.population import Population
from epsie.annealed.start import AnnealedStart

__all__ = ["AnnealedStart", "Population"]
