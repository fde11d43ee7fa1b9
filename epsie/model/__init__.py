"""Models: callables that give the log likelihood and the log prior."""

from __future__ import annotations

from epsie.model.evaluation import Point, evaluate

__all__ = ["Point", "evaluate"]
