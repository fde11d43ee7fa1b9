"""What a call of `run` costs beside its steps."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import process_time

from figure import Figure
from models import GAUSSIANS, NAMES

from epsie.proposals import ATAdaptiveNormal, BaseProposal, Normal
from epsie.samplers import MetropolisHastingsSampler

CHAINS = 8
LIMIT = 100.0
"""Microseconds a chain."""


def figures(quick: bool) -> Iterator[Figure]:
    """Calls of ``run(1)`` in a loop, serially."""
    ncalls, slices = 50, 10 if quick else 40
    cases: list[tuple[str, int, BaseProposal]] = [
        ("normal, 2-D", 2, Normal(NAMES[:2])),
        ("at_adaptive_normal, 10-D", 10, ATAdaptiveNormal(NAMES, 10**6)),
    ]
    for title, ndim, proposal in cases:
        sampler = MetropolisHastingsSampler(
            NAMES[:ndim], GAUSSIANS[ndim], CHAINS, [proposal], seed=1
        )
        sampler.start_position = dict.fromkeys(NAMES[:ndim], [0.0] * CHAINS)
        per_chain = [_seconds(sampler, ncalls) / CHAINS * 1e6 for _ in range(slices)]
        yield Figure(
            f"call: run(1), a chain, {title}",
            min(per_chain),
            "µs",
            LIMIT,
            remark=f"least of {slices} slices; median {median(per_chain):.0f}",
        )


def _seconds(sampler: MetropolisHastingsSampler, ncalls: int) -> float:
    start = process_time()
    for _ in range(ncalls):
        sampler.run(1)
    return (process_time() - start) / ncalls
