"""One or more proposals of every registered class, for the tests that all of them must pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from epsie import proposals as p
from epsie.proposals import BaseProposal, proposals

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
JK = {"j": 1, "k": 2}
ANGLES = {"a": 0.1, "b": 6.2}
SKY = {"ra": 6.1, "dec": -1.2}
BOX = {"x": (-1.0, 2.0), "y": (-5.0, 40.0)}
INTS = {"j": (-1, 3), "k": (0, 60)}
MIXED = {"j": True, "k": False}
ARCHIVE = np.array([[0.1, -3.0], [1.9, 3.0], [-0.9, 5.0], [1.0, -1.0], [0.4, 0.7]])
WIDTHS = {"x": 10.0, "y": 5}

COMPONENTS = {"k": 2, "v": math.nan, "x": 0.3, "y": math.nan, "z": 1.0}


def nested(
    model_proposal: BaseProposal, x: BaseProposal, pair: BaseProposal | None = None
) -> BaseProposal:
    """Up to three components: x, z, and the pair of v and y."""
    return p.NestedTransdimensional(
        ["v", "k", "x", "y", "z"],
        model_proposal,
        [x, pair or p.Normal(["v", "y"]), p.Normal("z")],
        [
            p.NormalBirth(["z"], {"z": 0}, {"z": 3}),
            p.UniformBirth(["x"], {"x": (-9, 9)}),
            p.NormalBirth(["v", "y"], {"v": 0, "y": 1}, {"v": 4, "y": 3}),
        ],
    )


def _of(start: dict[str, float], *makers: Callable[[], BaseProposal]) -> list[Example]:
    return [Example(make, start) for make in makers]


EXAMPLES: dict[str, list[Example]] = {
    "joint": _of(XY, lambda: p.JointProposal(p.Normal("y"), p.SSAdaptiveNormal("x"))),
    "normal": _of(
        XY,
        lambda: p.Normal(["y", "x"]),
        lambda: p.Normal(["x", "y"], CORRELATED),
        lambda: p.Normal(["x", "y"], [0.5, 2.0], 3, 20),
    ),
    "adaptive_normal": _of(
        XY,
        lambda: p.AdaptiveNormal(["x", "y"], WIDTHS, 60),
        lambda: p.AdaptiveNormal(["x", "y"], WIDTHS, 30, jump_interval=2),
    ),
    "ss_adaptive_normal": _of(
        XY,
        lambda: p.SSAdaptiveNormal(["x", "y"], 2, max_cov=9),
        lambda: p.SSAdaptiveNormal(["x", "y"], CORRELATED),
    ),
    "at_adaptive_normal": _of(
        XY,
        lambda: p.ATAdaptiveNormal(["x", "y"], 80),
        lambda: p.ATAdaptiveNormal(["x", "y"], None, diagonal=True),
        lambda: p.ATAdaptiveNormal(["x", "y"], 80, componentwise=True),
        lambda: p.ATAdaptiveNormal(["y", "x"], 80, True, True),
    ),
    "bounded_normal": _of(
        XY,
        lambda: p.BoundedNormal(["y", "x"], BOX),
        lambda: p.BoundedNormal(["x", "y"], BOX, [100.0, 1e-4], 3, 20),
    ),
    "adaptive_bounded_normal": _of(
        XY,
        lambda: p.AdaptiveBoundedNormal(["x", "y"], BOX, 60),
        lambda: p.AdaptiveBoundedNormal(["x", "y"], BOX, 30, jump_interval=2),
    ),
    "ss_adaptive_bounded_normal": _of(
        XY, lambda: p.SSAdaptiveBoundedNormal(["x", "y"], BOX, [0.1, 9.0])
    ),
    "at_adaptive_bounded_normal": _of(
        XY,
        lambda: p.ATAdaptiveBoundedNormal(["x", "y"], BOX, 80),
        lambda: p.ATAdaptiveBoundedNormal(["x", "y"], BOX, 80, componentwise=True),
    ),
    "angular": _of(
        ANGLES,
        lambda: p.Angular(["b", "a"], [0.1, 50.0]),
        lambda: p.Angular(["b", "a"], bounds={"a": (-0.5, 0.5), "b": (0, 24)}),
    ),
    "adaptive_angular": _of(
        ANGLES,
        lambda: p.AdaptiveAngular(["a", "b"], 60),
        lambda: p.AdaptiveAngular(["a", "b"], 30, 2),
    ),
    "ss_adaptive_angular": _of(ANGLES, lambda: p.SSAdaptiveAngular(["a", "b"], 0.5)),
    "at_adaptive_angular": _of(
        ANGLES,
        lambda: p.ATAdaptiveAngular(["a", "b"], 80),
        lambda: p.ATAdaptiveAngular(["a", "b"], 80, True),
    ),
    "discrete": _of(
        JK,
        lambda: p.NormalDiscrete(["k", "j"]),
        lambda: p.NormalDiscrete(["k", "j"], [9.0, 0.5], MIXED, 3, 20),
    ),
    "adaptive_discrete": _of(
        JK, lambda: p.AdaptiveNormalDiscrete(["k", "j"], {"j": 5, "k": 61}, 60, MIXED)
    ),
    "ss_adaptive_discrete": _of(
        JK, lambda: p.SSAdaptiveNormalDiscrete(["k", "j"], 2, MIXED, max_cov=90)
    ),
    "at_adaptive_discrete": _of(
        JK,
        lambda: p.ATAdaptiveNormalDiscrete(["k", "j"], 80, MIXED),
        lambda: p.ATAdaptiveNormalDiscrete(["k", "j"], 80, componentwise=True),
    ),
    "bounded_discrete": _of(
        JK,
        lambda: p.BoundedDiscrete(["k", "j"], INTS, [9.0, 0.5], MIXED),
        lambda: p.BoundedDiscrete(["k", "j"], INTS, 1e6),
    ),
    "adaptive_bounded_discrete": _of(
        JK, lambda: p.AdaptiveBoundedDiscrete(["k", "j"], INTS, 30, MIXED, 2)
    ),
    "ss_adaptive_bounded_discrete": _of(
        JK, lambda: p.SSAdaptiveBoundedDiscrete(["k", "j"], INTS, 2, MIXED)
    ),
    "at_adaptive_bounded_discrete": _of(
        JK,
        lambda: p.ATAdaptiveBoundedDiscrete(["k", "j"], INTS, 80, MIXED),
        lambda: p.ATAdaptiveBoundedDiscrete(["k", "j"], INTS, None, None, True),
    ),
    "eigenvector": _of(XY, lambda: p.Eigenvector(["y", "x"], CORRELATED)),
    "adaptive_eigenvector": _of(XY, lambda: p.AdaptiveEigenvector(["x", "y"], 120)),
    "bounded_eigenvector": _of(XY, lambda: p.BoundedEigenvector(["x", "y"], BOX, CORRELATED)),
    "adaptive_bounded_eigenvector": _of(
        XY, lambda: p.AdaptiveBoundedEigenvector(["x", "y"], BOX, 120)
    ),
    "isotropic_solid_angle": _of(
        SKY,
        lambda: p.IsotropicSolidAngle("ra", "dec", 10, radec=True),
        lambda: p.IsotropicSolidAngle("ra", "dec", 10, radec=True, density="steradian"),
    ),
    "adaptive_isotropic_solid_angle": _of(
        SKY,
        lambda: p.AdaptiveIsotropicSolidAngle("ra", "dec", 80, radec=True),
        lambda: p.AdaptiveIsotropicSolidAngle("ra", "dec", 80, radec=True, density="steradian"),
    ),
    "nested_transdimensional": _of(
        COMPONENTS,
        lambda: nested(p.NormalDiscrete("k", 2), p.Normal("x", 0.5)),
        lambda: nested(
            p.AdaptiveBoundedDiscrete("k", {"k": (0, 3)}, 60, {"k": True}),
            p.AdaptiveNormal("x", WIDTHS, 40, jump_interval=2),
            p.ATAdaptiveNormal(["v", "y"], 50, componentwise=True),
        ),
        lambda: nested(p.SSAdaptiveNormalDiscrete("k", 2), p.SSAdaptiveNormal("x")),
    ),
    "learned": _of(
        XY,
        lambda: p.Learned(["y", "x"]),
        lambda: p.Learned(["x", "y"], BOX, None, 100, [0.5, 2.0], 2, 20),
        lambda: p.Learned(["x", "y"], {"x": (-2, math.inf)}, {"y": 3}),
    ),
    "robust_adaptive": _of(
        XY,
        lambda: p.RobustAdaptive(["y", "x"]),
        lambda: p.RobustAdaptive(["x", "y"], BOX, None, 100, [0.5, 2.0], 2, 20),
    ),
    "crank_nicolson": _of(
        XY,
        lambda: p.CrankNicolson(["y", "x"]),
        lambda: p.CrankNicolson(["x", "y"], BOX, mean=[0.0, 1.0], cov=9 * CORRELATED, dofs=5),
    ),
    "differential_evolution": _of(
        XY,
        lambda: p.DifferentialEvolution(["y", "x"]),
        lambda: p.DifferentialEvolution(["x", "y"], BOX, {"x": 3}, ARCHIVE, 100),
    ),
    "snooker": _of(
        XY,
        lambda: p.Snooker(["y", "x"], BOX),
        lambda: p.Snooker(["x", "y"], archive=ARCHIVE),
    ),
    "mixture": _of(
        XY,
        lambda: p.Mixture(p.Normal(["x", "y"]), p.Normal(["y", "x"], 0.01), weights=[3, 1]),
        lambda: p.Mixture(
            p.AdaptiveNormal(["y", "x"], WIDTHS, 20),
            p.BoundedNormal(["x", "y"], BOX),
            p.ATAdaptiveNormal(["x", "y"], 20, componentwise=True),
            adaptation_duration=200,
        ),
        lambda: p.Mixture(p.RobustAdaptive(["x", "y"]), p.DifferentialEvolution(["y", "x"], BOX)),
    ),
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
