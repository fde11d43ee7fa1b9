"""Ensembles: the moves of walkers, from where the other half of their ensemble stands."""

from __future__ import annotations

from epsie.ensembles.moves import DifferentialEvolution, Move, Snooker, Stretch

__all__ = ["DifferentialEvolution", "Move", "Snooker", "Stretch"]
