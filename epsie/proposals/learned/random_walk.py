"""The random walk that needs no knowledge."""

from __future__ import annotations

from math import log, pi
from typing import Any

import numpy as np

from epsie.proposals.learned.move import Move
from epsie.proposals.learned.spot import Spot
from epsie.rng.stream import Stream


class RandomWalk(Move):
    """A normal jump whose covariance each chain adapts at every step."""

    name = "random_walk"
    wraps = True

    def draw(self, kernel: Any, here: Spot, stream: Stream) -> Spot | None:
        """A normal jump."""
        kernel.normals = z = stream.normal_array(len(here.x))
        kernel.step = step = kernel.tuning.factor.dot(z)
        y = [x + s * dx for x, s, dx in zip(here.u, kernel.scale, step.tolist())]
        drawn: Spot | None = kernel.spot_of(y, True)
        return drawn

    def log_density(self, kernel: Any, there: Spot, here: Spot) -> float:
        """A normal distribution."""
        factor = kernel.transform.scale[:, np.newaxis] * kernel.tuning.factor
        away = np.array(there.u) - np.array(here.u)
        white = np.linalg.solve(factor, away)
        log_volume = float(np.linalg.slogdet(factor)[1])
        return -0.5 * float(white.dot(white)) - log_volume - 0.5 * len(away) * log(2 * pi)

    def learn(self, kernel: Any, ratio: float) -> None:
        """Adapt the covariance."""
        kernel.tuning.walk(kernel.normals, kernel.step, ratio)
