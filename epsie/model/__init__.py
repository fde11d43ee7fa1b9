"""Models: callables that give the log likelihood and the log prior."""

from __future__ import annotations

from epsie.model.evaluation import Model, NanPolicy, Point, Position, evaluate

__all__ = ["Model", "NanPolicy", "Point", "Position", "evaluate"]
