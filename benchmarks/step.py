"""What a step costs over the bare loop, for every proposal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, nan
from typing import Any

from figure import Figure
from models import GAUSSIANS, NAMES, correlated, scale
from pairs import Pair, against_bare

from epsie.proposals import (
    BaseProposal,
    BoundedDiscrete,
    Mixture,
    NestedTransdimensional,
    Normal,
    NormalBirth,
    proposals,
)
from epsie.samplers import MetropolisHastingsSampler

LONG = 10**7
"""A duration that does not end while it is measured."""


@dataclass(frozen=True)
class Case:
    """A proposal of the registry, and how to build it.

    Parameters
    ----------
    name : str
        Its name in the registry.
    ndim : int
        For how many parameters.
    limit : float, optional
        What it may cost, in steps of the bare loop.
    settings : dict, optional
        Arguments beside the parameters.
    label : str, optional
        What sets it apart from others of its name.
    """

    name: str
    ndim: int
    limit: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def title(self) -> str:
        """For the table."""
        label = f", {self.label}" if self.label else ""
        return f"step: {self.name}{label}, {self.ndim}-D"

    def build(self) -> BaseProposal:
        """The proposal."""
        names = list(NAMES[: self.ndim])
        if "solid_angle" in self.name:
            return proposals[self.name](*names, **self.settings)
        return proposals[self.name](names, **self.settings)


def _over(ndim: int, value: Any) -> dict[str, Any]:
    return dict.fromkeys(NAMES[:ndim], value)


WIDE = (-50.0, 50.0)
BEGUN = {"adaptation_duration": LONG}
PRIOR = {**BEGUN, "prior_widths": _over(10, 20.0)}
BOX = {"boundaries": _over(2, WIDE)}
TIGHT = {"boundaries": _over(2, (-2.0, 3.0))}

CASES = [
    *(Case("normal", n, lim, {"cov": scale(n) ** 2}) for n, lim in ((2, 2.3), (10, 1.8))),
    Case("normal", 10, 2.5, {"cov": correlated(10)}, "full covariance"),
    Case("adaptive_normal", 2, 3.0, PRIOR),
    Case("adaptive_normal", 10, None, PRIOR),
    Case("ss_adaptive_normal", 2, 3.0),
    Case("ss_adaptive_normal", 10),
    Case("at_adaptive_normal", 10, 4.5, BEGUN, "full covariance"),
    Case("at_adaptive_normal", 2, None, BEGUN, "full covariance"),
    Case("at_adaptive_normal", 10, None, {**BEGUN, "diagonal": True}, "diagonal"),
    Case("at_adaptive_normal", 2, None, {**BEGUN, "componentwise": True}, "componentwise"),
    Case("bounded_normal", 2, 4.0, BOX),
    Case("bounded_normal", 2, 4.0, TIGHT, "tight bounds"),
    Case("ss_adaptive_bounded_normal", 2, 5.0, BOX),
    Case("adaptive_bounded_normal", 2, 5.0, BOX | BEGUN),
    Case("at_adaptive_bounded_normal", 2, 5.0, BOX | BEGUN),
    Case("angular", 2, 4.0),
    Case("ss_adaptive_angular", 2, 5.0),
    Case("adaptive_angular", 2, 5.0, BEGUN),
    Case("at_adaptive_angular", 2, 5.0, BEGUN),
    Case("discrete", 2, 4.0),
    Case("ss_adaptive_discrete", 2, 5.0),
    Case("adaptive_discrete", 2, 5.0, PRIOR),
    Case("bounded_discrete", 2, 4.0, BOX),
    Case("bounded_discrete", 2, 4.0, TIGHT, "tight bounds"),
    Case("ss_adaptive_bounded_discrete", 2, 5.0, BOX),
    Case("adaptive_bounded_discrete", 2, 5.0, BOX | BEGUN),
    Case("at_adaptive_discrete", 2, 5.0, BEGUN),
    Case("at_adaptive_bounded_discrete", 2, 5.0, BOX | BEGUN),
    Case("isotropic_solid_angle", 2, 6.0, {"radec": True}),
    Case("adaptive_isotropic_solid_angle", 2, 7.0, BEGUN | {"radec": True}),
    Case("eigenvector", 10, None, {"cov": correlated(10)}),
    Case("adaptive_eigenvector", 10, None, BEGUN),
    Case("bounded_eigenvector", 2, 4.0, BOX),
    Case("bounded_eigenvector", 2, None, TIGHT, "tight bounds"),
    Case("adaptive_bounded_eigenvector", 2, 5.0, BOX | BEGUN),
    Case("learned", 2, 5.0),
    Case("learned", 10, 3.0),
    Case("robust_adaptive", 10),
    Case("crank_nicolson", 10),
    Case("differential_evolution", 10),
    Case("snooker", 10),
]
"""A new proposal needs one line here; without one the table says that it was not measured."""


def figures(quick: bool) -> Iterator[Figure]:
    """Steps of one chain in runs of 4096, in this process."""
    slices = 15 if quick else 60
    measured = set()
    for case in CASES:
        if case.name in proposals:
            measured.add(case.name)
            yield _figure(case.title, case.limit, _timed(case.ndim, case.build(), slices))
    parts = [Normal(name, scale(10) ** 2) for name in NAMES]
    yield _figure("step: joint of ten normals, 10-D", None, _timed(10, parts, slices))
    parts = [Mixture(Normal(NAMES, scale(10) ** 2), Normal(NAMES, 0.1))]
    yield _figure("step: mixture of two normals, 10-D", None, _timed(10, parts, slices))
    yield _figure("step: nested_transdimensional, 3 components", 12.0, _nested(slices))
    for name in sorted(set(proposals) - measured - {"joint", "mixture", "nested_transdimensional"}):
        yield Figure(f"step: {name}", None, "x", remark="needs a line in step.py")


def _nested(slices: int) -> Pair:
    """Three components that come and go, with an unbounded normal likelihood of each."""

    def model(k: int, **values: float) -> tuple[float, float]:
        if not 0 <= k <= 3:
            return 0.0, -inf
        return -0.5 * sum([x * x for x in values.values() if x == x]), 0.0

    names = ["a", "b", "c"]
    proposal = NestedTransdimensional(
        ["k", *names],
        BoundedDiscrete("k", {"k": (0, 3)}),
        [Normal(name) for name in names],
        [NormalBirth([name], {name: 0.0}, {name: 1.0}) for name in names],
    )
    sampler = MetropolisHastingsSampler(["k", *names], model, 1, [proposal], seed=1)
    sampler.start_position = {"k": [1], "a": [0.0], "b": [nan], "c": [nan]}
    return against_bare(2, sampler.run, slices, tidy=sampler.clear)


def _timed(ndim: int, parts: Any, slices: int) -> Pair:
    sampler = MetropolisHastingsSampler(NAMES[:ndim], GAUSSIANS[ndim], 1, parts, seed=1)
    sampler.start_position = _over(ndim, [0.0])
    return against_bare(ndim, sampler.run, slices, tidy=sampler.clear)


def _figure(title: str, limit: float | None, pair: Pair) -> Figure:
    remark = f"{pair.loop * 1e6:.2f} over {pair.bare * 1e6:.2f} µs"
    return Figure(title, pair.ratio, "x", limit, remark=remark)
