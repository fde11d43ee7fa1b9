"""One or more proposals of every registered class, for the tests that all of them must pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from epsie.proposals import (
    AdaptiveNormal,
    ATAdaptiveNormal,
    BaseProposal,
    JointProposal,
    Normal,
    SSAdaptiveNormal,
    proposals,
)

CORRELATED = np.array([[1.0, 0.6], [0.6, 2.0]])


@dataclass
class Example:
    """A proposal, and a start from which it can jump under the model `gaussian`."""

    make: Callable[[], BaseProposal]
    start: dict[str, float]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.start)


XY = {"x": 0.3, "y": -0.4}

EXAMPLES: dict[str, list[Example]] = {
    "joint": [Example(lambda: JointProposal(Normal("y"), SSAdaptiveNormal("x")), XY)],
    "normal": [
        Example(lambda: Normal(["y", "x"]), XY),
        Example(lambda: Normal(["x", "y"], CORRELATED), XY),
        Example(lambda: Normal(["x", "y"], [0.5, 2.0], 3, 20), XY),
    ],
    "adaptive_normal": [
        Example(lambda: AdaptiveNormal(["x", "y"], {"x": 10.0, "y": 5}, 60), XY),
        Example(lambda: AdaptiveNormal(["x", "y"], {"x": 10.0, "y": 5}, 30, jump_interval=2), XY),
    ],
    "ss_adaptive_normal": [
        Example(lambda: SSAdaptiveNormal(["x", "y"], 2, max_cov=9), XY),
        Example(lambda: SSAdaptiveNormal(["x", "y"], CORRELATED), XY),
    ],
    "at_adaptive_normal": [
        Example(lambda: ATAdaptiveNormal(["x", "y"], 80), XY),
        Example(lambda: ATAdaptiveNormal(["x", "y"], None, diagonal=True), XY),
        Example(lambda: ATAdaptiveNormal(["x", "y"], 80, componentwise=True), XY),
        Example(lambda: ATAdaptiveNormal(["y", "x"], 80, True, True), XY),
    ],
}


def gaussian(**values: float) -> tuple[float, float, dict[str, float]]:
    """A model for any parameters, with a blob; NaN counts as absent."""
    present = [value for value in values.values() if value == value]
    square = sum(value * value for value in present)
    return -square / 20, 0.0, {"square": square, "count": len(present)}


def every_example() -> list[tuple[str, Example]]:
    """All examples, each with an identifier."""
    return [
        (f"{name}-{i}", example)
        for name in proposals
        for i, example in enumerate(EXAMPLES.get(name, []))
    ]
